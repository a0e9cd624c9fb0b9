import { union } from "./box";
import { stroke } from "./draw";
import type { Box, Edit, Mode, Point } from "./edits";
import { History } from "./history";
import { Pixels } from "./pixels";
import { fromPicture, toPng } from "./png";
import { toRuns } from "./runs";

/** A hole: one byte a pixel (1 = to be painted), at the picture's native resolution, row by row. */
export class Mask {
  readonly #pixels: Pixels;
  readonly #history: History;
  #edits: readonly Edit[] = [];
  #live: Live | null = null;

  constructor(readonly width: number, readonly height: number) {
    this.#pixels = new Pixels(width, height);
    this.#history = new History(this.#pixels);
  }

  /** Read only. */
  get bytes(): Uint8Array {
    return this.#pixels.bytes;
  }

  /** How many pixels are painted. */
  get count(): number {
    return this.#pixels.count;
  }

  /** Applies one edit on top of the others; returns the box that may have changed, null if nothing did. */
  apply(edit: Edit): Box | null {
    return this.replay([...this.#edits, edit]);
  }

  /**
   * Makes the mask what the list says; returns the box that may have changed. Steps back and forth from the list shown
   * before, as far as it holds the same objects: undo and redo are cheap. A stroke under way stays on top.
   */
  replay(edits: readonly Edit[]): Box | null {
    if (edits.length === this.#edits.length && edits.every((edit, i) => edit === this.#edits[i])) return null;
    const live = this.#live;
    const lifted = live?.lift() ?? null;
    const changed = this.#history.go(edits);
    this.#edits = edits;
    return union(union(lifted, changed), live?.lay() ?? null);
  }

  /** Begins a stroke that is shown while it grows. One at a time. */
  begin(mode: Mode, size: number): Live {
    this.#live?.drop();
    const end = (edit: Edit | null): void => {
      this.#live = null;
      if (!edit) return;
      this.#history.add(edit);
      this.#edits = [...this.#edits, edit];
    };
    this.#live = new Live(this.#pixels, mode, size, end);
    return this.#live;
  }

  /** The smallest box around the painted pixels; null if there are none. */
  bounds(): Box | null {
    return this.#pixels.bounds();
  }

  /** Run lengths over the whole picture, starting with 0s: what a `bitmap` edit holds. */
  toRuns(): number[] {
    return toRuns(this.bytes);
  }

  static fromRuns(runs: number[], width: number, height: number): Mask {
    const mask = new Mask(width, height);
    mask.apply({ kind: "bitmap", mode: "paint", runs });
    return mask;
  }

  /** 1-bit grey PNG, white = painted. The mask may be edited meanwhile. */
  toPng(): Promise<Blob> {
    return toPng(this.bytes, this.width, this.height);
  }

  /**
   * Any picture file that the browser decodes, upright: painted where its luma, laid on black, is at least 128.
   *
   * @throws DOMException if the browser cannot decode it.
   */
  static async fromPng(blob: Blob): Promise<Mask> {
    const { bytes, width, height } = await fromPicture(blob);
    return Mask.fromRuns(toRuns(bytes), width, height);
  }
}

/** A stroke under way, already in the pixels. */
export class Live {
  #points: Point[] = [];

  constructor(
    readonly pixels: Pixels,
    readonly mode: Mode,
    readonly size: number,
    readonly end: (edit: Edit | null) => void,
  ) {}

  get points(): readonly Point[] {
    return this.#points;
  }

  /** Goes on to the points; returns the box that may have changed. */
  extend(points: readonly Point[]): Box | null {
    const last = this.#points.slice(-1);
    this.#points.push(...points);
    return this.#draw([...last, ...points]);
  }

  /** The stroke is complete and the newest edit of the mask. */
  finish(): Edit {
    const edit: Edit = { kind: "stroke", mode: this.mode, size: this.size, points: this.#points };
    this.end(edit);
    return edit;
  }

  /** As if it had never begun; returns the box that may have changed. */
  drop(): Box | null {
    const box = this.lift();
    this.#points = [];
    this.end(null);
    return box;
  }

  /** Takes it out of the pixels for a moment, and lays it on them again. */
  lift(): Box | null {
    const change = this.pixels.take();
    this.pixels.undo(change);
    return change.box;
  }

  lay(): Box | null {
    return this.#draw(this.#points);
  }

  #draw(points: readonly Point[]): Box | null {
    stroke(this.pixels, this.mode, this.size, points);
    return this.#around(points);
  }

  #around(points: readonly Point[]): Box | null {
    let box: Box | null = null;
    for (const { x, y, pressure } of points) {
      const radius = (this.size / 2) * pressure + 1;
      const [left, top] = [Math.floor(x - radius), Math.floor(y - radius)];
      box = union(box, { left, top, width: Math.ceil(x + radius) - left, height: Math.ceil(y + radius) - top });
    }
    return box;
  }
}
