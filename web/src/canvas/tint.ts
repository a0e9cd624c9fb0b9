import { intersection } from "./box";
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

/** Colours one strip of the screen. Tells inside, rim and halo apart by the neighbours `rim` (at most 4) pixels away. */
export function tint(mask: Pixels, map: Mapping, strip: Box, look: Look, out: Uint32Array): void {
  const { rim, inside } = look;
  const stride = 4 * Math.ceil(strip.width / 4) + 8;
  const window = { left: strip.left - 4, top: strip.top - rim, width: stride, height: strip.height + 2 * rim };
  const seen = sample(mask, map, window);
  const four = new Uint32Array(seen.buffer);
  const words = stride / 4;
  const down = rim * words;
  for (let y = 0; y < strip.height; y++) {
    const to = y * strip.width;
    for (let x = 0; x < strip.width; x += 4) {
      // Four pixels at a time, for most are far from the rim.
      const at = (y + rim) * words + 1 + x / 4;
      const same = word(four, at);
      const even = same === word(four, at - 1) && same === word(four, at + 1)
        && same === word(four, at - down) && same === word(four, at + down);
      if (even && same === 0) continue;
      const end = Math.min(strip.width, x + 4);
      if (even && same === 0x01010101) for (let i = to + x; i < to + end; i++) out[i] = inside;
      else near(seen, stride, 4 * at, look, out, to + x, to + end);
    }
  }
}

/** Colours single pixels, from `at` in `seen`, by their four neighbours. */
function near(seen: Uint8Array, stride: number, at: number, look: Look, out: Uint32Array, from: number, to: number): void {
  const { rim, inside, edge, halo } = look;
  const down = rim * stride;
  for (let i = from; i < to; i++, at++) {
    const covered = byte(seen, at - rim) + byte(seen, at + rim) + byte(seen, at - down) + byte(seen, at + down);
    if (byte(seen, at)) out[i] = covered === 4 ? inside : edge;
    else if (covered) out[i] = halo;
  }
}

/** For places that are known to be inside. */
function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function word(words: Uint32Array | Int32Array, at: number): number {
  return words[at] as number;
}

/**
 * Which screen pixels of the window the mask covers, 0 or 1. Where the screen has fewer pixels than the picture, two
 * places on a diagonal are looked at and one is enough: thin strokes stay visible.
 */
export function sample(mask: Pixels, map: Mapping, window: Box): Uint8Array {
  const seen = new Uint8Array(window.width * window.height);
  for (const shift of map.stepX > 1.5 ? [0.25, 0.75] : [0.5]) {
    const columns = Int32Array.from({ length: window.width }, (_, x) => Math.floor((window.left + x + shift) * map.stepX + map.startX));
    const from = columns.findIndex((column) => column >= 0);
    const to = columns.findLastIndex((column) => column < mask.width) + 1;
    if (from >= 0) sampleRows(mask, map, window, { columns, from, to }, shift, seen);
  }
  return seen;
}

type Columns = { columns: Int32Array; from: number; to: number };

function sampleRows(mask: Pixels, map: Mapping, window: Box, { columns, from, to }: Columns, shift: number, seen: Uint8Array): void {
  let last = -1;
  for (let y = 0; y < window.height; y++) {
    const row = Math.floor((window.top + y + shift) * map.stepY + map.startY);
    if (row < 0 || row >= mask.height) continue;
    const start = y * window.width;
    // Magnified, several rows of the screen show the same row of the mask.
    if (row === last) seen.copyWithin(start, start - window.width, start);
    else for (let x = from; x < to; x++) seen[start + x] = byte(seen, start + x) | byte(mask.bytes, row * mask.width + word(columns, x));
    last = row;
  }
}

