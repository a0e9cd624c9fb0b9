// @vitest-environment jsdom
import { act } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { set } from "../../store";
import { strings } from "../../strings";
import { DownloadDialog } from "./DownloadDialog";

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

it("promises untouched pixels for PNG only", () => {
  set({ dialog: "download" });
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  act(() => root.render(<DownloadDialog />));
  const { outside, jpeg, webp } = strings.download;
  expect(document.body.textContent).toContain(outside(true));
  for (const format of [jpeg, webp]) {
    act(() => document.querySelector<HTMLElement>(`[role=radio][aria-label=${format}]`)?.click());
    expect(document.body.textContent).toContain(outside(false));
    expect(document.body.textContent).not.toContain(outside(true));
  }
  act(() => root.unmount());
});
