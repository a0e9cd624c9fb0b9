// @vitest-environment jsdom
import { QueryClientProvider } from "@tanstack/react-query";
import { act } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { api, ApiError } from "../../api/client";
import { queries } from "../../api/queries";
import { newRun } from "../../run";
import { set } from "../../store";
import { strings } from "../../strings";
import { GenerateButton } from "./GenerateButton";

vi.mock("../shell/useNarrow", () => ({ useNarrow: () => false }));

const ready = vi.spyOn(api, "ready");
const sentence = "The model is being loaded.";
const wait = (time: number) => act(() => vi.advanceTimersByTimeAsync(time));
const text = () => document.querySelector(".running-text span")?.textContent;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
});
afterEach(() => {
  queries.clear();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("tells after a few seconds why the run that is next does not begin", async () => {
  ready.mockRejectedValue(new ApiError({ type: "not-ready", title: sentence, status: 503 }));
  set({ run: { ...newRun("run", "a", 1, null, null), job: "job", state: "queued", position: 0 } });
  const root = createRoot(document.body.appendChild(document.createElement("div")));
  act(() => root.render(<QueryClientProvider client={queries}><GenerateButton /></QueryClientProvider>));
  await wait(2_000);
  expect(ready).not.toHaveBeenCalled();
  expect(text()).toBe(strings.progress.queued(0));
  await wait(2_000);
  expect(text()).toBe(sentence);
  ready.mockResolvedValue({ status: "ready", device: "cpu", model: "m" });
  await wait(4_000);
  expect(text()).toBe(strings.progress.queued(0));
  const asked = ready.mock.calls.length;
  act(() => set(({ run }) => ({ run: run && { ...run, state: "running", position: null } })));
  await wait(9_000);
  expect(text()).toBe(strings.progress.starting);
  expect(ready).toHaveBeenCalledTimes(asked);
  act(() => root.unmount());
});
