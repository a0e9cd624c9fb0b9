// What a brush should have painted, worked out from the definition alone, and what a mask has in it.
import type { MaskBytes, Place } from "./editor";

/** Distance of a pixel's centre from a chain of line segments. */
function distance(x: number, y: number, chain: readonly Place[]): number {
  const [px, py] = [x + 0.5, y + 0.5];
  let least = Infinity;
  chain.forEach(([ax, ay], index) => {
    const [bx, by] = chain[index + 1] ?? [ax, ay];
    const length = (bx - ax) ** 2 + (by - ay) ** 2;
    const along = length === 0 ? 0 : Math.min(1, Math.max(0, ((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length));
    least = Math.min(least, Math.hypot(px - ax - along * (bx - ax), py - ay - along * (by - ay)));
  });
  return least;
}

/** Pixels that are wrong by more than a pixel: unpainted well inside the stroke, or painted well outside of it. */
export function faults(mask: MaskBytes, chain: readonly Place[], size: number): { missing: number; extra: number } {
  let missing = 0;
  let extra = 0;
  for (let y = 0; y < mask.height; y += 1) {
    for (let x = 0; x < mask.width; x += 1) {
      const away = distance(x, y, chain) - size / 2;
      const painted = mask.bytes[y * mask.width + x] === 1;
      if (!painted && away < -1) missing += 1;
      if (painted && away > 1) extra += 1;
    }
  }
  return { missing, extra };
}

/** How many pixels are painted, and their middle. */
export function blob(mask: MaskBytes): { count: number; x: number; y: number } {
  let [count, sumX, sumY] = [0, 0, 0];
  mask.bytes.forEach((byte, place) => {
    if (byte === 0) return;
    count += 1;
    sumX += (place % mask.width) + 0.5;
    sumY += Math.floor(place / mask.width) + 0.5;
  });
  return { count, x: sumX / count, y: sumY / count };
}
