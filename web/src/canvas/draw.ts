import type { Edit, Mode, Point } from "./edits";
import { grow } from "./grow";
import type { Pixels } from "./pixels";
import { rowsOfRuns } from "./runs";
import { capsule, polygon, rectangle, type Disc, type Row } from "./scanline";

/** Draws one edit into the pixels. What it draws depends on the edit and the pixels alone. */
export function draw(pixels: Pixels, edit: Edit): void {
  const { width, height } = pixels;
  switch (edit.kind) {
    case "stroke":
      return stroke(pixels, edit.mode, edit.size, edit.points);
    case "rectangle":
      return rectangle(edit.left, edit.top, edit.right, edit.bottom, height, filling(pixels, edit.mode));
    case "lasso":
      return polygon(edit.points, height, filling(pixels, edit.mode));
    case "bitmap":
      if (edit.mode === "replace") rowsOfRuns(edit.runs, width, height, 0, filling(pixels, "erase"));
      return rowsOfRuns(edit.runs, width, height, 1, filling(pixels, edit.mode === "erase" ? "erase" : "paint"));
    case "grow":
      return grow(pixels, edit.pixels);
    case "invert":
      return pixels.invert();
    case "clear":
      return clear(pixels);
  }
}

function filling(pixels: Pixels, mode: Mode): Row {
  const value = mode === "paint" ? 1 : 0;
  return (y, from, to) => pixels.fill(y, from, to, value);
}

function clear(pixels: Pixels): void {
  const box = pixels.bounds();
  if (!box) return;
  for (let y = box.top; y < box.top + box.height; y++) pixels.fill(y, box.left, box.left + box.width, 0);
}

/** A chain of capsules; one point is a dab. The radius at a point is size / 2 * pressure. */
export function stroke(pixels: Pixels, mode: Mode, size: number, points: readonly Point[]): void {
  const fill = filling(pixels, mode);
  const spans = new Merged(pixels.height, fill);
  points.forEach((point, i) => capsule(disc(points[Math.max(0, i - 1)] ?? point, size), disc(point, size), pixels.height, spans.add));
  spans.flush();
}

function disc(point: Point, size: number): Disc {
  return { x: point.x, y: point.y, radius: (size / 2) * point.pressure };
}

/** Neighbouring capsules of a stroke overlap nearly everywhere: each row keeps its last span open while the next ones touch it. */
class Merged {
  readonly #from: Int32Array;
  readonly #to: Int32Array;
  #top: number;
  #bottom = 0;

  constructor(height: number, readonly fill: Row) {
    this.#from = new Int32Array(height);
    this.#to = new Int32Array(height);
    this.#top = height;
  }

  readonly add: Row = (y, from, to) => {
    const openFrom = this.#from[y] ?? 0;
    const openTo = this.#to[y] ?? 0;
    this.#top = Math.min(this.#top, y);
    this.#bottom = Math.max(this.#bottom, y + 1);
    const touches = openTo > openFrom && from <= openTo && to >= openFrom;
    if (!touches) this.fill(y, openFrom, openTo);
    this.#from[y] = touches ? Math.min(from, openFrom) : from;
    this.#to[y] = touches ? Math.max(to, openTo) : to;
  };

  flush(): void {
    for (let y = this.#top; y < this.#bottom; y++) this.fill(y, this.#from[y] ?? 0, this.#to[y] ?? 0);
  }
}
