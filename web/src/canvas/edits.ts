/** A place in the picture. `x`, `y` in native pixels (pixel (0, 0) covers 0..1). `pressure` is the factor of the brush radius, 0..1. */
export type Point = { x: number; y: number; pressure: number };

/** A place without pressure: native pixels or CSS pixels, as the user of the type says. */
export type Place = { x: number; y: number };

/** Whole native pixels; the right and lower edges (`left + width`, `top + height`) are outside. */
export type Box = { left: number; top: number; width: number; height: number };

export type Mode = "paint" | "erase";

/** One entry of the document. Plain data (JSON), never changed after it was made: undo is a shorter list. */
export type Edit =
  | { kind: "stroke"; mode: Mode; size: number; points: Point[] }
  | { kind: "rectangle"; mode: Mode; left: number; top: number; right: number; bottom: number }
  | { kind: "lasso"; mode: Mode; points: Point[] }
  | { kind: "bitmap"; mode: Mode | "replace"; runs: number[] }
  | { kind: "grow"; pixels: number }
  | { kind: "invert" }
  | { kind: "clear" };

/** A click of the select tool, in native pixels: what belongs to the object (`positive`) and what does not. */
export type SelectPoint = { x: number; y: number; positive: boolean };
