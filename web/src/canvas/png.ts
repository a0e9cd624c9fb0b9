import { pause } from "./pause";

/** Pixels that are handled between two pauses: a few milliseconds of work. */
const STRIP = 1 << 20;

/** A mask (bytes 0 or 1) as a 1-bit grey PNG, 1 = white. Written here because a canvas only writes 32 bits a pixel. */
export async function toPng(mask: Uint8Array, width: number, height: number): Promise<Blob> {
  const zipped = await deflated(await packed(mask.slice(), width, height));
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 1); // bits a pixel; then grey, deflate, the usual filters, not interlaced: all 0
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  const parts = [signature, chunk("IHDR", new Uint8Array(header.buffer)), chunk("IDAT", zipped), chunk("IEND", new Uint8Array())];
  return new Blob(parts, { type: "image/png" });
}

type Bytes = Uint8Array<ArrayBuffer>;

/** Rows of a filter byte (none) and eight pixels a byte, the leftmost in the highest bit. */
async function packed(mask: Uint8Array, width: number, height: number): Promise<Bytes> {
  const stride = 1 + Math.ceil(width / 8);
  const rows = new Uint8Array(stride * height);
  const row = new Uint8Array(8 * (stride - 1)); // with room for the last byte's missing pixels
  const perStrip = Math.max(1, Math.floor(STRIP / width));
  for (let y = 0; y < height; y++) {
    row.set(mask.subarray(y * width, (y + 1) * width));
    packRow(new Uint32Array(row.buffer), rows, y * stride + 1);
    if ((y + 1) % perStrip === 0) await pause();
  }
  return rows;
}

/** Four pixels in a word: the product moves the lowest bit of its four bytes side by side into the highest byte. */
function packRow(words: Uint32Array, out: Uint8Array, start: number): void {
  for (let i = 0, at = start; i < words.length; i += 2, at++) {
    const first = words[i] as number;
    const second = words[i + 1] as number;
    if (first | second) out[at] = ((Math.imul(first, 0x08040201) >>> 20) & 0xf0) | (Math.imul(second, 0x08040201) >>> 24);
  }
}

async function deflated(bytes: Bytes): Promise<Bytes> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function chunk(name: string, data: Bytes): Bytes {
  const out = new Uint8Array(data.length + 12);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = name.charCodeAt(i);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc(out.subarray(4, 8 + data.length)));
  return out;
}

/** CRC-32 of ISO 3309, as the PNG specification has it (annex D). */
function crc(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (TABLE[(sum ^ byte) & 0xff] ?? 0) ^ (sum >>> 8);
  return ~sum >>> 0;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** A decoded picture file as mask bytes, strip by strip: the pixels of 24 megapixels at once would be 96 MB. */
export async function fromPicture(blob: Blob): Promise<{ bytes: Uint8Array; width: number; height: number }> {
  const picture = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { width, height } = picture;
  const bytes = new Uint8Array(width * height);
  const rows = Math.min(height, Math.max(1, Math.floor(STRIP / width)));
  const canvas = new OffscreenCanvas(width, rows);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let top = 0; context && top < height; top += rows) {
    const count = Math.min(rows, height - top);
    context.clearRect(0, 0, width, rows);
    context.drawImage(picture, 0, top, width, count, 0, 0, width, count);
    white(context.getImageData(0, 0, width, count).data, bytes.subarray(top * width));
    await pause();
  }
  picture.close();
  return { bytes, width, height };
}

/** The server's rule, in whole numbers: 299 R + 587 G + 114 B, times alpha, is at least 128 (of 255). */
export function white(rgba: Uint8ClampedArray, out: Uint8Array): void {
  for (let at = 0, i = 0; at < rgba.length; at += 4, i++) {
    const luma = 299 * (rgba[at] ?? 0) + 587 * (rgba[at + 1] ?? 0) + 114 * (rgba[at + 2] ?? 0);
    out[i] = luma * (rgba[at + 3] ?? 0) >= 128_000 * 255 ? 1 : 0;
  }
}
