import type { Box } from "./edits";
import { pause } from "./pause";

/** Below this many pixels a level is drawn fast enough. */
const SMALL = 1_500_000;
/** Pixels of a new level that are made between two pauses. */
const STRIP = 1 << 18;

/** A picture and its halves, quarters, ...: a frame never shrinks more than twice, however large the photo. */
export class Pyramid {
  readonly #levels: ImageBitmap[];
  #gone = false;

  /** The picture stays the caller's; the smaller levels are made here, one after the other, and `ready` tells of each. */
  constructor(readonly picture: ImageBitmap, ready: () => void) {
    this.#levels = [picture];
    void this.#build(ready);
  }

  async #build(ready: () => void): Promise<void> {
    for (let last = this.picture; last.width * last.height > SMALL; ) {
      const next = await this.#halved(last);
      if (!next) return;
      this.#levels.push(next);
      last = next;
      ready();
    }
  }

  /** Strip by strip: halving 24 megapixels at once would hold up the page. Null if nobody waits for it any more. */
  async #halved(source: ImageBitmap): Promise<ImageBitmap | null> {
    const [width, height] = [source.width >> 1, source.height >> 1];
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    const rows = Math.max(1, Math.floor(STRIP / width));
    for (let top = 0; top < height; top += rows) {
      await pause();
      if (this.#gone || source.width === 0) return null;
      const count = Math.min(rows, height - top);
      context?.drawImage(source, 0, 2 * top, 2 * width, 2 * count, 0, top, width, count);
    }
    return canvas.transferToImageBitmap();
  }

  /** Draws the visible part; the context's unit is a pixel of the picture, `scale` says how many of the screen's that is. */
  draw(context: CanvasRenderingContext2D, visible: Box, scale: number): void {
    const finest = this.#levels.findLastIndex((_, i) => 1 >= scale * 2 ** i);
    const depth = Math.max(0, finest);
    const level = this.#levels[depth];
    if (!level?.width) return; // the caller closed it
    // Until a level of the right size is ready, the picture is drawn roughly: smoothing would look at all of its pixels.
    if (scale * 2 ** depth < 0.4) context.imageSmoothingEnabled = false;
    const { left, top, width, height } = visible;
    const part = 2 ** -depth;
    context.drawImage(level, left * part, top * part, width * part, height * part, left, top, width, height);
  }

  close(): void {
    this.#gone = true;
    for (const level of this.#levels.slice(1)) level.close();
  }
}
