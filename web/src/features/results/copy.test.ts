// @vitest-environment jsdom
import { afterEach, expect, it, vi } from "vitest";
import { copyText } from "./copy";

const command = vi.fn();
document.execCommand = command;

afterEach(() => {
  vi.unstubAllGlobals();
  command.mockReset();
});

it("copies by the clipboard where there is one", async () => {
  const writeText = vi.fn(async () => undefined);
  vi.stubGlobal("navigator", { clipboard: { writeText } });
  expect(await copyText("17")).toBe(true);
  expect(writeText).toHaveBeenCalledWith("17");
  expect(command).not.toHaveBeenCalled();
});

it("copies what it selects over plain http, and says whether it could", async () => {
  vi.stubGlobal("navigator", {});
  let copied: string | undefined;
  command.mockImplementation(() => {
    copied = document.querySelector("textarea")?.value;
    return true;
  });
  expect(await copyText("17")).toBe(true);
  expect(copied).toBe("17");
  command.mockReturnValue(false);
  expect(await copyText("17")).toBe(false);
  expect(document.querySelector("textarea")).toBe(null);
});
