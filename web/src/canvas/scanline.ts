import type { Place } from "./edits";

/**
 * Shapes as rows of pixels, without anti-aliasing: a pixel belongs to a shape if its centre does.
 *
 * Each function calls `row(y, from, to)` with `from <= x < to` for every row it touches, unclipped to the left and right
 * but never above row 0 or below `height`. Rows may come in any order and may overlap.
 */
export type Row = (y: number, from: number, to: number) => void;

export type Disc = { x: number; y: number; radius: number };

/** First and one past the last index whose centre lies in [low, high]. */
const first = (low: number): number => Math.ceil(low - 0.5);
const past = (high: number): number => Math.floor(high - 0.5) + 1;

/** The convex hull of two discs: the places within a linearly changing radius of the segment between the centres. */
export function capsule(a: Disc, b: Disc, height: number, row: Row): void {
  const sides = tangents(a, b);
  const large = a.radius >= b.radius ? a : b;
  const [one, two] = sides.length ? [a, b] : [large, large];
  const top = Math.max(0, first(Math.min(one.y - one.radius, two.y - two.radius)));
  const bottom = Math.min(height, past(Math.max(one.y + one.radius, two.y + two.radius)));
  for (let y = top; y < bottom; y++) {
    const centre = y + 0.5;
    let left = Math.min(edge(one, centre, -1), edge(two, centre, -1));
    let right = Math.max(edge(one, centre, 1), edge(two, centre, 1));
    for (const side of sides) {
      const x = crossing(side, centre);
      if (x === null) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
    }
    const from = first(left);
    const to = past(right);
    if (from < to) row(y, from, to);
  }
}

type Segment = { ax: number; ay: number; bx: number; by: number };

/** The two outer tangents; none if one disc lies in the other. */
function tangents(a: Disc, b: Disc): Segment[] {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const distance = Math.hypot(dx, dy);
  if (distance <= Math.abs(a.radius - b.radius)) return [];
  const along = (a.radius - b.radius) / distance;
  const across = Math.sqrt(1 - along * along);
  return [across, -across].map((side) => {
    const nx = (dx * along - dy * side) / distance;
    const ny = (dy * along + dx * side) / distance;
    return { ax: a.x + a.radius * nx, ay: a.y + a.radius * ny, bx: b.x + b.radius * nx, by: b.y + b.radius * ny };
  });
}

/** Where the line at height `y` leaves the disc, to the left (-1) or the right (1); beyond everything if it misses. */
function edge(disc: Disc, y: number, side: -1 | 1): number {
  const square = disc.radius * disc.radius - (y - disc.y) * (y - disc.y);
  return square < 0 ? -side * Infinity : disc.x + side * Math.sqrt(square);
}

function crossing(s: Segment, y: number): number | null {
  if (y < Math.min(s.ay, s.by) || y > Math.max(s.ay, s.by) || s.ay === s.by) return null;
  return s.ax + ((y - s.ay) / (s.by - s.ay)) * (s.bx - s.ax);
}

/** The closed polygon through the places, by the even-odd rule. */
export function polygon(places: readonly Place[], height: number, row: Row): void {
  const crossings = new Map<number, number[]>();
  places.forEach((from, i) => {
    const to = places[(i + 1) % places.length] ?? from;
    const [upper, lower] = from.y < to.y ? [from, to] : [to, from];
    const bottom = Math.min(height, first(lower.y));
    for (let y = Math.max(0, first(upper.y)); y < bottom; y++) {
      const x = upper.x + ((y + 0.5 - upper.y) / (lower.y - upper.y)) * (lower.x - upper.x);
      const list = crossings.get(y);
      if (list) list.push(x);
      else crossings.set(y, [x]);
    }
  });
  for (const [y, list] of crossings) {
    list.sort((a, b) => a - b);
    for (let i = 0; i + 1 < list.length; i += 2) row(y, first(list[i] ?? 0), first(list[i + 1] ?? 0));
  }
}

export function rectangle(left: number, top: number, right: number, bottom: number, height: number, row: Row): void {
  const [from, to] = [first(Math.min(left, right)), first(Math.max(left, right))];
  const end = Math.min(height, first(Math.max(top, bottom)));
  for (let y = Math.max(0, first(Math.min(top, bottom))); y < end; y++) row(y, from, to);
}
