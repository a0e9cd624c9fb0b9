import { intersection, padded } from "./box";
import type { Pixels } from "./pixels";

/**
 * Grows the hole to every pixel whose centre is at most `by` pixels (Euclidean, exact) from a painted one; a negative
 * `by` shrinks it by every pixel that near to an unpainted one. Beyond the picture's border there is nothing: a hole
 * that touches the border does not shrink from there.
 */
export function grow(pixels: Pixels, by: number): void {
  const bounds = pixels.bounds();
  if (!bounds || by === 0) return;
  const value = by > 0 ? 1 : 0;
  const reach = Math.floor(Math.abs(by));
  const picture = { left: 0, top: 0, width: pixels.width, height: pixels.height };
  const box = intersection(picture, padded(bounds, by > 0 ? reach : 1));
  if (!box) return;
  const down = columns(pixels, box, value, reach);
  const half = Float64Array.from({ length: reach + 1 }, (_, rise) => Math.floor(Math.sqrt(by * by - rise * rise)));
  const steps = new Int32Array(box.width + 1);
  for (let y = 0; y < box.height; y++) {
    const row = down.subarray(y * box.width, (y + 1) * box.width);
    if (cover(row, half, steps)) fillCovered(steps, (from, to) => pixels.fill(box.top + y, box.left + from, box.left + to, value));
  }
}

type Area = { left: number; top: number; width: number; height: number };

/** For each pixel of the box, the distance to the nearest pixel of that value in its column, at most `reach` + 1. */
function columns(pixels: Pixels, box: Area, value: number, reach: number): Uint16Array {
  const { width, height } = box;
  const far = reach + 1;
  const down = new Uint16Array(width * height).fill(far);
  for (let y = 0; y < height; y++) {
    const source = (box.top + y) * pixels.width + box.left;
    for (let x = 0, at = y * width; x < width; x++, at++) {
      if (pixels.bytes[source + x] === value) down[at] = 0;
      else if (y > 0) down[at] = Math.min(far, (down[at - width] ?? far) + 1);
    }
  }
  for (let at = width * (height - 1) - 1; at >= 0; at--) {
    const below = (down[at + width] ?? far) + 1;
    if (below < (down[at] ?? far)) down[at] = below;
  }
  return down;
}

/** A pixel with distance d in its column covers `half[d]` pixels to each side of the row: +1 where a cover starts, -1 past its end. */
function cover(row: Uint16Array, half: Float64Array, steps: Int32Array): boolean {
  let any = false;
  steps.fill(0);
  for (let x = 0; x < row.length; x++) {
    const side = half[row[x] ?? 0];
    if (side === undefined) continue;
    any = true;
    const from = Math.max(0, x - side);
    const to = Math.min(row.length, x + side + 1);
    steps[from] = (steps[from] ?? 0) + 1;
    steps[to] = (steps[to] ?? 0) - 1;
  }
  return any;
}

function fillCovered(steps: Int32Array, fill: (from: number, to: number) => void): void {
  let depth = 0;
  let from = 0;
  for (let x = 0; x < steps.length; x++) {
    const next = depth + (steps[x] ?? 0);
    if (depth === 0 && next > 0) from = x;
    if (depth > 0 && next === 0) fill(from, x);
    depth = next;
  }
}
