import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { bitmapNow, keepOnly, putPicture } from "../../media";
import { history, rebase, set, undo } from "../../store";
import { bind } from "./bind";

const setSelection = vi.hoisted(() => vi.fn());

vi.mock("../../canvas", () => ({
  Mask: null,
  /** Takes every call and does nothing. */
  Stage: function () {
    const known = { setSelection, view: { scale: 1, x: 0, y: 0, fitted: true }, mask: null };
    return new Proxy(known, { get: (_, name) => (name in known ? known[name as keyof typeof known] : () => undefined) });
  },
}));

const picture = (key: string) => ({ key, id: key, name: key, width: 4, height: 4, alpha: false, origin: null });
const put = (key: string) => putPicture(key, new Blob([key]), { width: 4, height: 4, close: () => undefined } as ImageBitmap);
let stop: (() => void) | null = null;

beforeEach(() => {
  vi.stubGlobal("window", {});
  set({ base: "a", edits: [], pictures: Object.fromEntries(["a", "b", "c"].map((key) => [key, picture(key)])), run: null });
  history.getState().clear();
  put("a");
  stop = bind({} as HTMLElement);
});
afterEach(() => {
  stop?.();
  keepOnly(new Set());
  vi.unstubAllGlobals();
});

it("takes a selection off the canvas, whoever ends it", () => {
  put("b");
  rebase("b", []);
  for (const end of [undo, () => set({ selection: null })]) {
    set({ selection: { points: [{ x: 1, y: 1, positive: true }], busy: false, count: 3 } });
    setSelection.mockClear();
    end();
    expect(setSelection).toHaveBeenCalledWith(null);
  }
});

it("keeps decoded what undo shows next, and no more", async () => {
  for (const key of ["b", "c"]) {
    put(key);
    rebase(key, []);
  }
  await Promise.resolve();
  expect(["a", "b", "c"].map((key) => bitmapNow(key) !== null)).toEqual([false, true, true]);
});
