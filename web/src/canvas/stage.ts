import type { Edit, Mode, Place, SelectPoint } from "./edits";
import type { Mask } from "./mask";
import { View } from "./view";

export type ToolName = "brush" | "eraser" | "rectangle" | "lasso" | "select" | "pan";

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

/** Owns the canvases in a host element, the pointer handling and the drawing. The host needs a size and `position` other than static. */
export class Stage {
  readonly view = new View();
  /** The hole as shown; null without a picture. Read only. */
  mask: Mask | null = null;
  /** Milliseconds of work of each of the last 600 frames. */
  readonly frames: number[] = [];

  constructor(_host: HTMLElement, _events: StageEvents) {}

  /** Shows a picture (fitted, with an empty mask) or none. The bitmap stays the caller's, who may close it after the next call. */
  setPicture(_picture: ImageBitmap | null): void {}
  /** The document. Cheap when the list is longer or shorter by a few edits than the one before (same objects). */
  setEdits(_edits: readonly Edit[]): void {}
  setTool(_tool: ToolName): void {}
  /** What rectangle, lasso and select do: add or take away. Brush and eraser have their own mode. */
  setMode(_mode: Mode): void {}
  /** Diameter of brush and eraser in native pixels, at least 1. */
  setSize(_pixels: number): void {}
  setPreview(_list: readonly Preview[] | null): void {}
  setResult(_patch: Patch | null): void {}
  setCompare(_compare: Compare): void {}
  /** A selection not yet added; null also forgets the clicked points. */
  setSelection(_mask: Mask | null): void {}
  setMaskStyle(_style: MaskStyle): void {}
  /** What a screen reader says of the canvas. */
  setLabel(_label: string): void {}

  /** Whole picture; 100 %; by a factor about the middle of the host. For buttons and keys. */
  fit(): void {}
  actual(): void {}
  zoom(_factor: number): void {}

  /** Removes the canvases and every listener. */
  destroy(): void {}
}
