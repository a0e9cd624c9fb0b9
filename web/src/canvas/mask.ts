import type { Box, Edit } from "./edits";

/** A hole: one byte a pixel (1 = to be painted), at the picture's native resolution, row by row. */
export class Mask {
  readonly bytes: Uint8Array;
  /** How many pixels are painted. */
  count = 0;

  constructor(readonly width: number, readonly height: number) {
    this.bytes = new Uint8Array(width * height);
  }

  /** Applies one edit on top of the others; returns the box that may have changed, null if nothing did. */
  apply(_edit: Edit): Box | null { throw new Error("not written yet"); }

  /** Makes the mask what the list says. Steps back and forth from the list shown before: undo and redo are cheap. */
  replay(_edits: readonly Edit[]): Box | null { throw new Error("not written yet"); }

  /** The smallest box around the painted pixels; null if there are none. */
  bounds(): Box | null { throw new Error("not written yet"); }

  /** Run lengths over the whole picture, starting with 0s: what a `bitmap` edit holds. */
  toRuns(): number[] { throw new Error("not written yet"); }

  static fromRuns(_runs: readonly number[], _width: number, _height: number): Mask { throw new Error("not written yet"); }

  /** 1-bit grey PNG, white = painted. */
  toPng(): Promise<Blob> { throw new Error("not written yet"); }

  /** Any picture file the browser decodes: painted where its luma over black is at least 128. */
  static fromPng(_blob: Blob): Promise<Mask> { throw new Error("not written yet"); }
}
