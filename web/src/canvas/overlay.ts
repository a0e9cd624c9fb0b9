import { intersection, padded } from "./box";
import type { Box } from "./edits";
import type { Layers } from "./layers";
import type { Mask } from "./mask";
import { mapping } from "./scene";
import { onScreen, paintMask, type Look, type Mapping } from "./tint";
import type { View } from "./view";

type Colours = Omit<Look, "rim">;

/** A white rim and a dark one around it are seen on every picture; the tint between says what is inside. */
const TINT: Colours = { inside: 0x735a1eff, edge: 0xf2ffffff, halo: 0xa6000000 };
const OUTLINE: Colours = { ...TINT, inside: 0 };
const SELECTION: Colours = { inside: 0x80ff8c00, edge: 0xf2ffffff, halo: 0xd9a04000 };

/** The middle layer: the mask, and a selection not yet added to it. */
export class Overlay {
  style: "tint" | "outline" | "none" = "tint";
  selection: Mask | null = null;
  readonly #scratch = document.createElement("canvas");

  /** Draws again what lies in the dirty box of the picture; null: everything. */
  draw(layers: Layers, view: View, mask: Mask | null, dirty: Box | null): void {
    const { context, canvas } = layers.overlay;
    const ratio = layers.overlayRatio;
    const map = mapping(ratio, view);
    const rim = Math.max(1, Math.round(ratio.x));
    const screen = { left: 0, top: 0, width: canvas.width, height: canvas.height };
    const window = dirty ? intersection(screen, onScreen(dirty, map, rim + 2)) : screen;
    if (!window) return;
    context.clearRect(window.left, window.top, window.width, window.height);
    const colours = this.style === "outline" ? OUTLINE : TINT;
    if (mask && this.style !== "none") paintMask(context, mask, map, window, { ...colours, rim });
    if (this.selection) this.#drawSelection(context, this.selection, map, window, rim);
  }

  /** By way of another canvas: pixels that are put replace what is there. */
  #drawSelection(context: CanvasRenderingContext2D, selection: Mask, map: Mapping, window: Box, rim: number): void {
    const bounds = selection.bounds();
    const area = bounds && intersection(window, padded(onScreen(bounds, map, rim), 2));
    const scratch = this.#scratch.getContext("2d");
    if (!area || !scratch) return;
    [this.#scratch.width, this.#scratch.height] = [area.width, area.height];
    const moved = { ...map, startX: map.startX + area.left * map.stepX, startY: map.startY + area.top * map.stepY };
    paintMask(scratch, selection, moved, { ...area, left: 0, top: 0 }, { ...SELECTION, rim });
    context.drawImage(this.#scratch, area.left, area.top);
  }
}
