// @vitest-environment node
import "fake-indexeddb/auto";
import { beforeEach, expect, it, vi } from "vitest";
import { keepOnly, putFile } from "../../media";
import { newRun } from "../../run";
import { edit, get, history, rebase, set } from "../../store";
import type { Picture } from "../../store";
import { strings } from "../../strings";
import { autosave, restore, save } from "./autosave";

const picture = (key: string): Picture => ({ key, id: null, name: `${key}.png`, width: 4, height: 4, alpha: false, origin: null });
const empty = { base: null, edits: [], pictures: {}, run: null, shown: null };

function forget(): void {
  set(empty);
  history.getState().clear();
  keepOnly(new Set());
}

beforeEach(() => {
  forget();
  set({ base: "a", pictures: { a: picture("a"), b: picture("b") } });
  history.getState().clear();
  putFile("a", new Blob(["first"]));
  putFile("b", new Blob(["second"]));
});

it("brings picture, edits, history, settings and run back", async () => {
  edit({ kind: "invert" });
  edit({ kind: "clear" });
  rebase("b", []);
  const run = { ...newRun("run", "a", 2, 7, null), job: "job", state: "running" as const };
  set({ run, shown: 1, size: 33, tool: "lasso" });
  const before = get();
  await save();
  forget();
  await restore();
  for (const key of ["base", "edits", "pictures", "settings", "run", "shown", "size", "tool"] as const) {
    expect(get()[key]).toEqual(before[key]);
  }
  history.getState().undo();
  expect(get()).toMatchObject({ base: "a", edits: [{ kind: "invert" }, { kind: "clear" }] });
  history.getState().undo();
  history.getState().undo();
  expect(get().edits).toEqual([]);
});

it("has a setting that was unknown when the work was kept as a new page has it", async () => {
  const { settings } = get();
  const older: Partial<typeof settings> = { ...settings, feather: 9 };
  delete older.detail;
  set({ settings: older as typeof settings });
  await save();
  forget();
  set({ settings });
  await restore();
  expect(get().settings).toEqual({ ...settings, feather: 9 });
});

it("keeps the files that undo may need, and no others", async () => {
  rebase("b", []);
  await save();
  forget();
  await restore();
  const { fileOf } = await import("../../media");
  expect(await fileOf("a")?.text()).toBe("first");
  expect(await fileOf("b")?.text()).toBe("second");
  history.getState().clear();
  await save();
  forget();
  await restore();
  expect(fileOf("a")).toBeNull();
  expect(fileOf("b")).not.toBeNull();
});

it("brings nothing back without the picture, nor over work that has begun", async () => {
  await save();
  set({ base: "c" });
  await restore();
  expect(get().base).toBe("c");
});

it("saves once, a while after the last of many changes", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const put = vi.spyOn(IDBObjectStore.prototype, "put");
  const stop = autosave(300);
  for (let count = 0; count < 10; count += 1) {
    edit({ kind: "invert" });
    vi.advanceTimersByTime(100);
  }
  expect(put).not.toHaveBeenCalled();
  vi.advanceTimersByTime(300);
  vi.useRealTimers();
  await vi.waitFor(() => expect(put.mock.calls.filter(([, key]) => key === "work")).toHaveLength(1));
  stop();
  put.mockRestore();
});

it("goes back to before a picture that is nowhere yet, when the page was left too soon after it", async () => {
  edit({ kind: "invert" });
  set({ pictures: { ...get().pictures, c: picture("c") } });
  rebase("c", []);
  edit({ kind: "clear" });
  await save();
  forget();
  await restore();
  expect(get()).toMatchObject({ base: "a", edits: [{ kind: "invert" }] });
  history.getState().undo();
  expect(get()).toMatchObject({ base: "a", edits: [] });
});

it("says once that nothing more can be stored, and keeps the work without the files", async () => {
  await save();
  const { put } = IDBObjectStore.prototype;
  const full = vi.spyOn(IDBObjectStore.prototype, "put").mockImplementation(function (this: IDBObjectStore, value: unknown, key?: IDBValidKey) {
    if (value instanceof Blob) throw new DOMException("full", "QuotaExceededError");
    return put.call(this, value, key);
  });
  set({ pictures: { ...get().pictures, c: { ...picture("c"), id: "server" } }, alerts: [] });
  putFile("c", new Blob(["third"]));
  const stop = autosave(0);
  rebase("c", []);
  await vi.waitFor(() => expect(get().stored).toBe(false));
  edit({ kind: "invert" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(get().alerts.map((one) => one.text)).toEqual([strings.errors.notStored]);
  full.mockRestore();
  forget();
  await restore();
  expect(get()).toMatchObject({ base: "c", edits: [{ kind: "invert" }] });
  edit({ kind: "clear" });
  await vi.waitFor(() => expect(get().stored).toBe(true));
  stop();
});
