import { expect, it } from "vitest";
import type { Edit } from "./edits";
import { Mask } from "./mask";

/** Processor time, not the clock's: other work on the machine does not count. Milliseconds. */
async function cost(work: () => unknown): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

function strokes(count: number): Edit[] {
  return Array.from({ length: count }, (_, k) => ({
    kind: "stroke", mode: k % 5 === 4 ? "erase" : "paint", size: 200 + 10 * k,
    points: Array.from({ length: 200 }, (_, i) => ({ x: 500 + 25 * i, y: 300 + 70 * k + 200 * Math.sin(i / 20 + k), pressure: 1 })),
  }));
}

it("24 megapixels, 50 strokes of 200 points: strokes, undo, redo and the file are fast", { timeout: 60_000 }, async () => {
  const mask = new Mask(6000, 4000);
  const edits = strokes(50);
  const fresh = await cost(() => mask.replay(edits));
  const back: number[] = [];
  for (let i = 49; i >= 0; i--) back.push(await cost(() => mask.replay(edits.slice(0, i))));
  const forth: number[] = [];
  for (let i = 1; i <= 50; i++) forth.push(await cost(() => mask.replay(edits.slice(0, i))));
  const live = mask.begin("paint", 300);
  const stroke = await cost(() => {
    for (let i = 0; i < 200; i++) live.extend([{ x: 100 + 25 * i, y: 3500 - 15 * i, pressure: 1 }]);
  });
  live.finish();
  const file = await cost(() => mask.toPng());
  const figures = { fresh, undo: Math.max(...back), redo: Math.max(...forth), move: stroke / 200, file };
  process.stdout.write(`24 MP, ms of processor time: ${JSON.stringify(figures, (_, v) => (typeof v === "number" ? +v.toFixed(2) : v))}\n`);
  // Loose: what is measured in earnest stands in benchmarks/.
  expect(figures.undo).toBeLessThan(50);
  expect(figures.redo).toBeLessThan(50);
  expect(figures.move).toBeLessThan(10);
  expect(figures.file).toBeLessThan(500);
  expect(figures.fresh).toBeLessThan(5000);
});
