import { union } from "./box";
import type { Box, Edit, Mode } from "./edits";
import type { Compare, Hole, MaskStyle, Patch, Preview, StageEvents, ToolName } from "./events";
import { Frames } from "./frames";
import { Hands, type Board } from "./hands";
import { Layers } from "./layers";
import { Mask } from "./mask";
import { Overlay } from "./overlay";
import { Scene } from "./scene";
import { View } from "./view";

/** Owns the canvases in a host element, the pointer handling and the drawing. Works without a picture and in a host without a size. */
export class Stage {
  readonly view = new View();
  /** The hole as shown; null without a picture. Read only. */
  mask: Mask | null = null;
  readonly #layers: Layers;
  readonly #scene = new Scene(() => this.#moved(false));
  readonly #overlay = new Overlay();
  readonly #hands: Hands;
  readonly #frames = new Frames(() => this.#draw());
  #maskStyle: MaskStyle = "auto";
  /** Since the last result or first preview: what is painted then must be seen. */
  #editedSince = false;
  #dirty: { scene: boolean; overlay: "all" | Box | null; view: boolean } = { scene: true, overlay: "all", view: false };

  constructor(host: HTMLElement, readonly events: StageEvents) {
    this.#layers = new Layers(host, () => this.#resized());
    this.#hands = new Hands(this.#board());
    this.#resized();
  }

  /** Milliseconds of work of each of the last 600 frames, with that of the events before it. */
  get frames(): readonly number[] {
    return this.#frames.durations;
  }

  /** Shows a picture (fitted, with an empty mask) or none. The bitmap stays the caller's, who may close it after the next call. */
  setPicture(picture: ImageBitmap | null): void {
    this.#hands.reset();
    this.#scene.setPicture(picture);
    this.mask = picture && new Mask(picture.width, picture.height);
    this.#overlay.selection = null;
    this.#editedSince = false;
    this.view.setPicture(picture?.width ?? 0, picture?.height ?? 0);
    this.#moved();
  }

  /** The document. Cheap when the list is longer or shorter by a few edits than the one before (same objects). */
  setEdits(edits: readonly Edit[]): void {
    this.#edited(this.mask?.replay(edits) ?? null);
  }

  setTool(tool: ToolName): void {
    this.#hands.setTool(tool);
  }

  /** What rectangle, lasso and select do: add or take away. Brush and eraser have their own mode. */
  setMode(mode: Mode): void {
    this.#hands.mode = mode;
  }

  /** Diameter of brush and eraser in native pixels, at least 1. A stroke under way keeps its size. */
  setSize(pixels: number): void {
    this.#hands.size = Math.max(1, pixels);
    this.#hands.changed();
  }

  /** `hole` is the run's own, whatever is painted since; without it nothing is shown. */
  setPreview(list: readonly Preview[] | null, hole: Hole | null): void {
    if (!this.#scene.previews.length) this.#editedSince = false;
    this.#scene.previews = list ?? [];
    this.#scene.hole = hole;
    this.#moved(false);
  }

  /** The patch lies over the picture, whole: outside the hole it shows what the picture shows. */
  setResult(patch: Patch | null): void {
    this.#scene.setResult(patch);
    this.#editedSince = false;
    this.#moved(false);
  }

  /** While comparing nothing can be painted: a press drags the line or the picture. */
  setCompare(compare: Compare): void {
    if (compare !== null && this.#scene.compare === null) this.#hands.gestures.drop();
    this.#scene.compare = compare;
    this.#hands.changed();
    this.#moved(false);
  }

  /** A selection not yet added; null also forgets the clicked points. */
  setSelection(mask: Mask | null): void {
    this.#overlay.selection = mask;
    if (!mask) this.#hands.points = [];
    this.#dirty.overlay = "all";
    this.#redraw();
  }

  setMaskStyle(style: MaskStyle): void {
    this.#maskStyle = style;
    this.#moved(false);
  }

  /** What a screen reader says of the canvas. */
  setLabel(label: string): void {
    this.#layers.picture.canvas.setAttribute("aria-label", label);
  }

  /** The whole picture, as large as it fits. */
  fit(): void {
    this.view.fit();
    this.#moved();
  }

  /** 100 %: one pixel of the picture is one CSS pixel. */
  actual(): void {
    this.view.actual();
    this.#moved();
  }

  /** Zooms about the middle of the host. */
  zoom(factor: number): void {
    this.view.zoomAt({ x: this.#layers.width / 2, y: this.#layers.height / 2 }, factor);
    this.#moved();
  }

  /** Takes back a stroke or shape under way (Escape); false if there is none. */
  cancel(): boolean {
    return this.#hands.gestures.drop();
  }

  /** Removes the canvases and every listener. */
  destroy(): void {
    this.#frames.stop();
    this.#hands.destroy();
    this.#scene.setPicture(null);
    this.#layers.destroy();
  }

  #board(): Board {
    return {
      layers: this.#layers, view: this.view, scene: this.#scene, events: this.events,
      mask: () => this.mask,
      edited: (box) => this.#edited(box),
      moved: () => this.#moved(),
      redraw: () => this.#redraw(),
      spent: (time) => this.#frames.spent(time),
    };
  }

  #resized(): void {
    this.view.setHost(this.#layers.width, this.#layers.height);
    this.#moved();
    this.#frames.now();
  }

  #edited(box: Box | null): void {
    if (!box) return;
    const style = this.#style();
    this.#editedSince = true;
    const { overlay } = this.#dirty;
    this.#dirty.overlay = overlay === "all" || style !== this.#style() ? "all" : union(overlay, box);
    this.#redraw();
  }

  /** Everything is drawn again; `view` tells the page too. */
  #moved(view = true): void {
    this.#dirty = { scene: true, overlay: "all", view: this.#dirty.view || view };
    this.#redraw();
  }

  #redraw(): void {
    this.#frames.request();
  }

  #style(): "tint" | "outline" | "none" {
    if (this.#scene.compare !== null) return "none";
    if (this.#maskStyle !== "auto") return this.#maskStyle;
    if (this.#editedSince) return "tint";
    return this.#scene.hasResult ? "none" : this.#scene.previews.length ? "outline" : "tint";
  }

  #draw(): void {
    this.#layers.check();
    const { scene, overlay, view } = this.#dirty;
    this.#dirty = { scene: false, overlay: null, view: false };
    this.#overlay.style = this.#style();
    if (scene) this.#scene.draw(this.#layers, this.view);
    if (overlay) this.#overlay.draw(this.#layers, this.view, this.mask, overlay === "all" ? null : overlay);
    this.#hands.draw();
    if (view) this.events.view?.(this.view);
    this.#tellCursor();
  }

  #told: string | null = null;

  #tellCursor(): void {
    const place = this.#hands.place();
    const text = place && `${place.x} ${place.y}`;
    if (text !== this.#told) this.events.cursor?.(place);
    this.#told = text;
  }
}
