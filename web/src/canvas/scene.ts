import { intersection } from "./box";
import type { Box } from "./edits";
import type { Layers } from "./layers";
import { Pyramid } from "./pyramid";
import type { Compare, Hole, Patch, Preview } from "./events";
import { onScreen, paintMask, type Look, type Mapping } from "./tint";
import type { View } from "./view";

/** The hole without a look: what is opaque is in it. */
const SOLID: Look = { inside: 0xff000000, edge: 0xff000000, halo: 0, rim: 1 };

/** The lowest layer: the picture, previews within the hole, a result at its place, or the comparison of both. */
export class Scene {
  previews: readonly Preview[] = [];
  /** Where the run paints that the previews are of. */
  hole: Hole | null = null;
  compare: Compare = null;
  #picture: Pyramid | null = null;
  #result: { left: number; top: number; pyramid: Pyramid } | null = null;
  /** Where previews are cut to the shape of the hole. */
  readonly #cut = document.createElement("canvas");

  /** `changed` is called when a finer or coarser level is ready to be drawn. */
  constructor(readonly changed: () => void) {}

  get picture(): ImageBitmap | null {
    return this.#picture?.picture ?? null;
  }

  setPicture(picture: ImageBitmap | null): void {
    this.#picture?.close();
    this.#picture = picture && new Pyramid(picture, this.changed);
    this.setResult(null);
    this.previews = [];
    this.hole = null;
  }

  setResult(patch: Patch | null): void {
    this.#result?.pyramid.close();
    this.#result = patch && { left: patch.left, top: patch.top, pyramid: new Pyramid(patch.image, this.changed) };
  }

  get hasResult(): boolean {
    return this.#result !== null;
  }

  /** Where the line of the comparison stands on the screen, CSS pixels; null if none is shown. */
  line(view: View, width: number): number | null {
    if (typeof this.compare !== "number" || !this.picture) return null;
    const { from, to } = sight(this.picture.width, view, width);
    return from + (to - from) * this.compare;
  }

  draw(layers: Layers, view: View): void {
    const { context, canvas } = layers.picture;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.#picture || !canvas.width || !canvas.height) return;
    place(context, layers, view);
    this.#drawPicture(context, layers, view);
    if (this.compare === "input") return;
    context.save();
    this.#clipLine(context, layers, view);
    if (this.hole && this.previews.length) this.#drawPreviews(layers, view, this.hole);
    if (this.#result) this.#drawResult(context, layers, view, this.#result);
    context.restore();
  }

  #drawPicture(context: CanvasRenderingContext2D, layers: Layers, view: View): void {
    const { picture } = this;
    const visible = picture && seen(layers, view, { left: 0, top: 0, width: picture.width, height: picture.height });
    if (visible) this.#picture?.draw(context, visible, view.scale * layers.ratio.x);
  }

  #drawResult(
    context: CanvasRenderingContext2D, layers: Layers, view: View, result: { left: number; top: number; pyramid: Pyramid },
  ): void {
    const { left, top, pyramid } = result;
    const visible = seen(layers, view, { left, top, width: pyramid.picture.width, height: pyramid.picture.height });
    if (!visible) return;
    this.#clear(context, layers, view, visible);
    context.translate(left, top);
    pyramid.draw(context, { ...visible, left: visible.left - left, top: visible.top - top }, view.scale * layers.ratio.x);
  }

  /** What is transparent in a result must not show the picture below. Whole screen pixels only: no seam at the edges. */
  #clear(context: CanvasRenderingContext2D, { ratio }: Layers, view: View, box: Box): void {
    const [from, to] = [view.toScreen({ x: box.left, y: box.top }), view.toScreen({ x: box.left + box.width, y: box.top + box.height })];
    const [left, top] = [Math.ceil(from.x * ratio.x), Math.ceil(from.y * ratio.y)];
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(left, top, Math.max(0, Math.floor(to.x * ratio.x) - left), Math.max(0, Math.floor(to.y * ratio.y) - top));
    context.restore();
  }

  #clipLine(context: CanvasRenderingContext2D, layers: Layers, view: View): void {
    const x = this.line(view, layers.width);
    if (x === null) return;
    const line = view.toPicture({ x, y: 0 }).x;
    context.beginPath();
    context.rect(line, -1e6, 2e6, 2e6);
    context.clip();
  }

  /** The hole is filled, then overpainted where it is opaque: first by the picture, for a part without a preview. */
  #drawPreviews(layers: Layers, view: View, hole: Hole): void {
    const { canvas, context } = layers.picture;
    const cut = this.#cut.getContext("2d");
    const screen = { left: 0, top: 0, width: canvas.width, height: canvas.height };
    const map = mapping(layers.ratio, view);
    const window = intersection(screen, onScreen(hole, map, 1));
    if (!cut || !window) return;
    if (this.#cut.width !== canvas.width) this.#cut.width = canvas.width;
    if (this.#cut.height !== canvas.height) this.#cut.height = canvas.height;
    cut.setTransform(1, 0, 0, 1, 0, 0);
    cut.clearRect(0, 0, canvas.width, canvas.height);
    const { bytes, width: across, height: down } = hole;
    const shape = { bytes, width: across, height: down, bounds: () => ({ left: 0, top: 0, width: across, height: down }) };
    paintMask(cut, shape, { ...map, startX: map.startX - hole.left, startY: map.startY - hole.top }, window, SOLID);
    cut.globalCompositeOperation = "source-atop";
    place(cut, layers, view);
    this.#drawPicture(cut, layers, view);
    for (const { left, top, side, image } of this.previews) cut.drawImage(image, left, top, side, side);
    cut.globalCompositeOperation = "source-over";
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    const { left, top, width, height } = window;
    context.drawImage(this.#cut, left, top, width, height, left, top, width, height);
    context.restore();
  }
}

/** One unit becomes a pixel of the picture. Above 200 % its pixels are shown as squares. */
function place(context: CanvasRenderingContext2D, layers: Layers, view: View): void {
  const { ratio } = layers;
  context.setTransform(view.scale * ratio.x, 0, 0, view.scale * ratio.y, view.x * ratio.x, view.y * ratio.y);
  context.imageSmoothingEnabled = view.scale <= 2;
}

/** The part of a box of the picture that lies in the host, out to whole pixels. */
function seen(layers: Layers, view: View, box: Box): Box | null {
  const a = view.toPicture({ x: 0, y: 0 });
  const b = view.toPicture({ x: layers.width, y: layers.height });
  const [left, top] = [Math.floor(a.x) - 1, Math.floor(a.y) - 1];
  return intersection(box, { left, top, width: Math.ceil(b.x) + 1 - left, height: Math.ceil(b.y) + 1 - top });
}

/** From where to where the picture is in sight along the host, in CSS pixels. */
export function sight(pictureWidth: number, view: View, width: number): { from: number; to: number } {
  return { from: Math.max(0, view.x), to: Math.min(width, view.x + pictureWidth * view.scale) };
}

export function mapping(ratio: { x: number; y: number }, view: View): Mapping {
  return {
    stepX: 1 / (view.scale * ratio.x), stepY: 1 / (view.scale * ratio.y), startX: -view.x / view.scale, startY: -view.y / view.scale,
  };
}
