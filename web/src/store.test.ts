import { beforeEach, expect, it } from "vitest";
import type { Edit } from "./canvas";
import { newRun } from "./run";
import { alert, dismiss, edit, fits, get, history, nearby, rebase, redo, set, undo } from "./store";
import type { Picture } from "./store";

const picture = (key: string, origin: Picture["origin"] = null): Picture => ({
  key, id: key, name: key, width: 8, height: 8, alpha: false, origin,
});
const dab = (x: number): Edit => ({ kind: "stroke", mode: "paint", size: 3, points: [{ x, y: 1, pressure: 1 }] });

beforeEach(() => {
  set({ base: "a", edits: [], pictures: { a: picture("a"), b: picture("b") }, run: null, shown: null, alerts: [] });
  history.getState().clear();
});

it("walks 120 steps to the start and back to the same list", () => {
  for (let step = 0; step < 120; step += 1) edit(dab(step));
  const end = get().edits;
  for (let step = 0; step < 120; step += 1) undo();
  expect(get().edits).toEqual([]);
  undo();
  expect(get().base).toBe("a");
  for (let step = 0; step < 120; step += 1) redo();
  expect(get().edits).toBe(end);
});

it("takes an accepted result back, with the mask it was made of", () => {
  edit(dab(1), { kind: "invert" });
  const before = get().edits;
  rebase("b", []);
  undo();
  expect(get()).toMatchObject({ base: "a", edits: before });
  redo();
  expect(get()).toMatchObject({ base: "b", edits: [] });
});

it("makes no step of what is not the document", () => {
  edit(dab(1));
  set({ size: 99, tool: "lasso", shown: 1 });
  set({ edits: get().edits });
  expect(history.getState().pastStates).toHaveLength(1);
});

it("forgets what was undone at the next edit", () => {
  edit(dab(1));
  undo();
  edit(dab(2));
  redo();
  expect(get().edits).toEqual([dab(2)]);
});

it("shows the mask again at an edit", () => {
  set({ shown: 2, compare: 0.5, saved: true });
  edit(dab(1));
  expect(get()).toMatchObject({ shown: null, compare: null, saved: false });
});

it("takes no edit without a picture", () => {
  set({ base: null });
  edit(dab(1));
  expect(get().edits).toEqual([]);
});

it("knows on which pictures the results of a run lie", () => {
  const run = newRun("run", "a", 2, null, null);
  set({ run, pictures: { a: picture("a"), b: picture("b", { run: "run", job: "j", variation: 0 }), c: picture("c") } });
  expect(fits(get())).toBe(true);
  set({ base: "b" });
  expect(fits(get())).toBe(true);
  set({ base: "c" });
  expect(fits(get())).toBe(false);
});

it("keeps three alerts, none of them twice", () => {
  for (const text of ["one", "two", "two", "three", "four"]) alert(text);
  expect(get().alerts.map((one) => one.text)).toEqual(["two", "three", "four"]);
  dismiss(get().alerts[0]?.id ?? -1);
  expect(get().alerts).toHaveLength(2);
});

it("knows the pictures that undo, redo and the results may show next", () => {
  set({ pictures: Object.fromEntries(["a", "b", "c", "d"].map((key) => [key, picture(key)])) });
  for (const key of ["b", "c", "d"]) rebase(key, []);
  edit(dab(1));
  expect(nearby()).toEqual(new Set(["d", "c"]));
  for (let step = 0; step < 3; step += 1) undo();
  set({ run: newRun("run", "d", 1, null, null) });
  expect(nearby()).toEqual(new Set(["b", "a", "c", "d"]));
});
