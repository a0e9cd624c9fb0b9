import type { Box } from "./edits";
import { pause } from "./pause";

/** Below this many pixels a level is drawn fast enough. */
const SMALL = 1_500_000;

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
      await pause();
      if (this.#gone) return;
      const next = await halved(last).catch(() => null);
      if (!next) return;
      if (this.#gone) return next.close();
      this.#levels.push(next);
      last = next;
      ready();
    }
  }

  /** Draws the visible part; the context's unit is a pixel of the picture, `scale` says how many of the screen's that is. */
  draw(context: CanvasRenderingContext2D, visible: Box, scale: number): void {
    const level = this.#levels.findLast((each) => each.width >= this.picture.width * scale) ?? this.picture;
    if (level.width === 0) return; // the caller closed it
    const [fx, fy] = [level.width / this.picture.width, level.height / this.picture.height];
    const { left, top, width, height } = visible;
    context.drawImage(level, left * fx, top * fy, width * fx, height * fy, left, top, width, height);
  }

  close(): void {
    this.#gone = true;
    for (const level of this.#levels.slice(1)) level.close();
  }
}

function halved(picture: ImageBitmap): Promise<ImageBitmap> {
  const [resizeWidth, resizeHeight] = [Math.ceil(picture.width / 2), Math.ceil(picture.height / 2)];
  return createImageBitmap(picture, { resizeWidth, resizeHeight, resizeQuality: "low" });
}
