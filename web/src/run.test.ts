import { expect, it } from "vitest";
import type { JobInfo, ResultInfo } from "./api/types";
import { finished, isLive, newRun, reduce, shownProgress, withLost } from "./run";

const box = { left: 1, top: 2, width: 3, height: 4 };
const result = (variation: number): ResultInfo => ({ variation, seed: 5, box, patch: "p", picture: "q" });
const info = (change: Partial<JobInfo>): JobInfo => ({
  id: "job", state: "running", image: { id: "image", width: 9, height: 9, alpha: false, format: "png" },
  options: { model: "m", variations: 3, seed: 5, feather: 0, detail: true }, box, position: null, progress: 0.2, eta_seconds: 3, results: [],
  problem: null, created: "", attempts: 1, ...change,
});
const start = () => newRun("key", "base", 3, null, box);

it("goes through queue, steps and variations to the end", () => {
  let run = start();
  expect(isLive(run)).toBe(true);
  run = reduce(run, { type: "queued", data: { position: 2 } });
  expect(run).toMatchObject({ state: "queued", position: 2 });
  run = reduce(run, { type: "started", data: { attempt: 1 } });
  run = reduce(run, { type: "step", data: { variation: 1, step: 4, steps: 8, progress: 0.5, eta_seconds: 2 } });
  expect(run).toMatchObject({ state: "running", step: 4, steps: 8, progress: 0.5, eta: 2 });
  expect(run.slots[1]).toMatchObject({ step: 4, steps: 8 });
  run = reduce(run, { type: "variation", data: result(1) });
  expect(finished(run)).toHaveLength(1);
  run = reduce(run, { type: "done", data: info({ state: "done", progress: 1, results: [0, 1, 2].map(result) }) });
  expect(isLive(run)).toBe(false);
  expect(finished(run)).toHaveLength(3);
});

it("never shows a full bar while it runs, nor one that goes back", () => {
  let run = reduce(start(), { type: "step", data: { variation: 0, step: 8, steps: 8, progress: 1, eta_seconds: 0 } });
  expect(shownProgress(run)).toBeLessThan(1);
  run = reduce(run, { type: "step", data: { variation: 0, step: 1, steps: 8, progress: 0.1, eta_seconds: 9 } });
  expect(run.progress).toBe(1);
});

it("keeps finished variations when it fails, is cancelled, or a snapshot comes late", () => {
  const run = reduce(start(), { type: "variation", data: result(2) });
  expect(finished(reduce(run, { type: "cancelled", data: {} }))).toHaveLength(1);
  expect(finished(reduce(run, { type: "failed", data: { type: "t", title: "s", status: 500 } }))).toHaveLength(1);
  expect(finished(reduce(run, { type: "snapshot", data: info({}) }))).toHaveLength(1);
});

it("counts a variation whose picture could not be had as missing, until it comes after all", () => {
  const run = withLost(reduce(start(), { type: "variation", data: result(1) }), [1]);
  expect(finished(run)).toEqual([]);
  expect(run.slots[1]?.lost).toBe(true);
  const after = reduce(run, { type: "snapshot", data: info({ results: [result(1)] }) });
  expect(after.slots[1]).toMatchObject({ lost: false, result: result(1) });
});
