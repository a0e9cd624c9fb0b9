// @vitest-environment node
import { afterEach, expect, it, vi } from "vitest";
import { claim, claimLater } from "./ownership";

afterEach(() => {
  vi.unstubAllGlobals();
});

/** The browser's locks as far as one name goes. */
function fakeLocks() {
  let held = false;
  const request = (_name: string, _options: object, hold: () => Promise<void>) => {
    if (held) return Promise.reject(new DOMException("too late", "TimeoutError"));
    held = true;
    return hold();
  };
  return { locks: { request }, release: () => (held = false) };
}

it("without locks one of the tabs that begin together owns the work, and no later one", async () => {
  vi.stubGlobal("navigator", {});
  const together = await Promise.all([claim(), claim(), claim()]);
  expect(together.filter(Boolean)).toHaveLength(1);
  expect(await claim()).toBe(false);
});

it("a second tab takes over when it is looked at after the first was closed", async () => {
  const { locks, release } = fakeLocks();
  vi.stubGlobal("navigator", { locks });
  vi.stubGlobal("window", new EventTarget());
  vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
  expect(await claim()).toBe(true);
  expect(await claim()).toBe(false);
  let owned = false;
  const later = claimLater().then(() => (owned = true));
  const look = async () => {
    window.dispatchEvent(new Event("focus"));
    await new Promise((resolve) => setTimeout(resolve));
  };
  await look();
  release();
  expect(owned).toBe(false);
  await look();
  await later;
  expect(owned).toBe(true);
});
