import type { Edit, Mode } from "./edits";

/** For tests: numbers in [0, 1) that are the same in every run (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** For tests: byte-equal. Vitest's `toEqual` takes a millisecond for a thousand bytes. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** For tests: an edit of any kind. */
export function randomEdit(random: () => number, width: number, height: number): Edit {
  const mode: Mode = random() < 0.6 ? "paint" : "erase";
  const x = (): number => (random() * 1.4 - 0.2) * width;
  const y = (): number => (random() * 1.4 - 0.2) * height;
  const points = (count: number) => Array.from({ length: count }, () => ({ x: x(), y: y(), pressure: 0.3 + 0.7 * random() }));
  const kind = Math.floor(random() * 9);
  if (kind <= 2) return { kind: "stroke", mode, size: 1 + (random() * width) / 4, points: points(1 + Math.floor(random() * 6)) };
  if (kind === 3) return { kind: "rectangle", mode, left: x(), top: y(), right: x(), bottom: y() };
  if (kind === 4) return { kind: "lasso", mode, points: points(3 + Math.floor(random() * 6)) };
  if (kind === 5) return { kind: "bitmap", mode: random() < 0.4 ? "replace" : mode, runs: randomRuns(random, width * height) };
  if (kind === 6) return { kind: "grow", pixels: Math.round(random() * 8 - 4) };
  return random() < 0.7 ? { kind: "invert" } : { kind: "clear" };
}

function randomRuns(random: () => number, pixels: number): number[] {
  const runs: number[] = [];
  for (let at = 0; at < pixels; ) {
    const run = Math.min(pixels - at, Math.floor(random() * 90));
    runs.push(run);
    at += run;
  }
  return runs;
}
