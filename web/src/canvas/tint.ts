import { intersection, padded } from "./box";
import type { Box } from "./edits";

/** From the pixels of the screen (device pixels of the canvas) to the picture's: `(pixel + 0.5) * step + start`. */
export type Mapping = { stepX: number; stepY: number; startX: number; startY: number };

/** Colours as 0xAABBGGRR, not premultiplied: within the mask, on its inner rim, and just outside; `rim` in screen pixels. */
export type Look = { inside: number; edge: number; halo: number; rim: number };

type Pixels = { bytes: Uint8Array; width: number; height: number };

/** Screen pixels handled at once. */
const STRIP = 1 << 18;

/** Where a box of the picture lies on the screen, with a margin for the rim. */
export function onScreen(box: Box, map: Mapping, margin: number): Box {
  const left = Math.floor((box.left - map.startX) / map.stepX) - margin;
  const top = Math.floor((box.top - map.startY) / map.stepY) - margin;
  const right = Math.ceil((box.left + box.width - map.startX) / map.stepX) + margin;
  const bottom = Math.ceil((box.top + box.height - map.startY) / map.stepY) + margin;
  return { left, top, width: right - left, height: bottom - top };
}

/** Replaces the window of the canvas by how the mask looks there. */
export function paintMask(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D, mask: Pixels & { bounds(): Box | null },
  map: Mapping, window: Box, look: Look,
): void {
  const bounds = mask.bounds();
  const area = bounds && intersection(window, onScreen(bounds, map, look.rim + 1));
  if (!area) return;
  const rows = Math.max(1, Math.floor(STRIP / area.width));
  for (let top = area.top; top < area.top + area.height; top += rows) {
    const strip = { ...area, top, height: Math.min(rows, area.top + area.height - top) };
    const image = context.createImageData(strip.width, strip.height);
    tint(mask, map, strip, look, new Uint32Array(image.data.buffer));
    context.putImageData(image, strip.left, strip.top);
  }
}

/** Colours one strip of the screen. Tells inside, rim and halo apart by the neighbours `rim` pixels away. */
export function tint(mask: Pixels, map: Mapping, strip: Box, look: Look, out: Uint32Array): void {
  const { rim } = look;
  const seen = sample(mask, map, padded(strip, rim));
  const stride = strip.width + 2 * rim;
  for (let y = 0, to = 0; y < strip.height; y++) {
    let at = (y + rim) * stride + rim;
    for (let x = 0; x < strip.width; x++, at++, to++) {
      const [west, east] = [seen[at - rim], seen[at + rim]];
      const [north, south] = [seen[at - rim * stride], seen[at + rim * stride]];
      if (seen[at]) out[to] = west && east && north && south ? look.inside : look.edge;
      else if (west || east || north || south) out[to] = look.halo;
    }
  }
}

/**
 * Which screen pixels of the window the mask covers, 0 or 1. Where the screen has fewer pixels than the picture, four
 * places are looked at and one is enough: thin strokes stay visible.
 */
export function sample(mask: Pixels, map: Mapping, window: Box): Uint8Array {
  const places = map.stepX > 1.5 ? [0.25, 0.75] : [0.5];
  const seen = new Uint8Array(window.width * window.height);
  for (const shiftX of places) {
    const columns = Int32Array.from({ length: window.width }, (_, x) => {
      const column = Math.floor((window.left + x + shiftX) * map.stepX + map.startX);
      return column >= 0 && column < mask.width ? column : -1;
    });
    for (const shiftY of places) sampleRows(mask, map, window, columns, shiftY, seen);
  }
  return seen;
}

function sampleRows(mask: Pixels, map: Mapping, window: Box, columns: Int32Array, shiftY: number, seen: Uint8Array): void {
  const from = columns.findIndex((column) => column >= 0);
  const to = columns.findLastIndex((column) => column >= 0) + 1;
  if (from < 0) return;
  for (let y = 0; y < window.height; y++) {
    const row = Math.floor((window.top + y + shiftY) * map.stepY + map.startY);
    if (row < 0 || row >= mask.height) continue;
    const start = row * mask.width;
    for (let x = from, at = y * window.width + from; x < to; x++, at++) {
      if (mask.bytes[start + (columns[x] ?? 0)]) seen[at] = 1;
    }
  }
}
