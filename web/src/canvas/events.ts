import type { Box, Edit, Place, SelectPoint } from "./edits";
import type { View } from "./view";

export type ToolName = "brush" | "eraser" | "rectangle" | "lasso" | "select" | "pan";

/** What a run paints, within its bounding box: one byte a pixel, row by row. */
export type Hole = Box & { bytes: Uint8Array };

/** A square of native pixels that `image` covers; only what lies in the hole is shown. */
export type Preview = { left: number; top: number; side: number; image: CanvasImageSource };

/** A result at native resolution; its upper left corner lies at (`left`, `top`). */
export type Patch = { left: number; top: number; image: ImageBitmap };

/** "input" shows the input alone; a number 0..1 shows it left of a line across the part of the picture in sight. */
export type Compare = null | "input" | number;

/** How the mask is shown. "auto": tint; outline under a preview; nothing under a result until the next edit. */
export type MaskStyle = "auto" | "tint" | "outline" | "none";

export type StageEvents = {
  /** A gesture is complete. The stage shows it at once and expects it at the end of the next `setEdits`. */
  edit(edit: Edit): void;
  /** Zoom or place of the picture changed (at most once a frame). */
  view?(view: View): void;
  /** Every point of the present selection, the newest last. */
  select?(points: SelectPoint[]): void;
  /** The select tool rests over the picture (after 150 ms without motion): a guess may be shown with `setSelection`; null: it left. */
  hover?(place: Place | null): void;
  /** Where the pointer is, in native pixels; null when it leaves (at most once a frame). */
  cursor?(place: Place | null): void;
  /** Alt+wheel asks for this brush size, in native pixels. The page answers with `setSize`. */
  size?(pixels: number): void;
  /** The line of the comparison was dragged, 0..1. The page answers with `setCompare`. */
  compare?(position: number): void;
};
