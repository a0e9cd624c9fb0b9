// What is in a picture file: pixels, colour profile, EXIF, XMP.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { PNG } from "pngjs";
import { PYTHON, ROOT } from "./server";

const FOLDER = join(ROOT, "web/node_modules/.cache/e2e");

export function makePictures(): void {
  execFileSync(PYTHON, [join(ROOT, "web/e2e/harness/pictures.py"), FOLDER]);
}

/** Path of a test picture; `pictures.py` says what each shows. */
export const picture = (name: string): string => join(FOLDER, name);

export interface Pixels {
  width: number;
  height: number;
  /** RGBA, row by row. */
  data: Uint8Array;
}

export const decode = (file: string | Buffer): Pixels => PNG.sync.read(typeof file === "string" ? readFileSync(file) : file);

/** One byte a pixel: 1 where two pictures of the same size differ. */
export function difference(one: Pixels, other: Pixels): Uint8Array {
  if (one.width !== other.width || one.height !== other.height) throw new Error("pictures of different sizes");
  const changed = new Uint8Array(one.width * one.height);
  for (let place = 0; place < one.data.length; place += 1) {
    if (one.data[place] !== other.data[place]) changed[place >> 2] = 1;
  }
  return changed;
}

export const count = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => sum + byte, 0);

/** How many pixels are 1 in the first and 0 in the second. */
export const outside = (bytes: Uint8Array, mask: Uint8Array): number =>
  bytes.reduce((sum, byte, place) => sum + (byte === 1 && mask[place] === 0 ? 1 : 0), 0);

export interface Metadata {
  icc: Buffer | null;
  exif: Buffer | null;
  xmp: string | null;
}

/** What a PNG, JPEG or WebP file holds beside its pixels. */
export function metadata(file: Buffer): Metadata {
  if (file.readUInt32BE(0) === 0x89504e47) return ofPng(file);
  return file.toString("latin1", 0, 4) === "RIFF" ? ofWebp(file) : ofJpeg(file);
}

function ofPng(file: Buffer): Metadata {
  const found: Metadata = { icc: null, exif: null, xmp: null };
  for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at)) {
    const kind = file.toString("latin1", at + 4, at + 8);
    const body = file.subarray(at + 8, at + 8 + file.readUInt32BE(at));
    if (kind === "iCCP") found.icc = inflateSync(body.subarray(body.indexOf(0) + 2));
    if (kind === "eXIf") found.exif = body;
    if (kind === "iTXt" && body.toString("latin1").startsWith("XML:com.adobe.xmp\0")) found.xmp = body.toString("utf8");
  }
  return found;
}

function ofJpeg(file: Buffer): Metadata {
  const found: Metadata = { icc: null, exif: null, xmp: null };
  for (let at = 2; file[at] === 0xff && file[at + 1] !== 0xda; at += 2 + file.readUInt16BE(at + 2)) {
    const body = file.subarray(at + 4, at + 2 + file.readUInt16BE(at + 2));
    const head = body.toString("latin1", 0, 40);
    if (head.startsWith("ICC_PROFILE\0")) found.icc = Buffer.concat([found.icc ?? Buffer.alloc(0), body.subarray(14)]);
    if (head.startsWith("Exif\0")) found.exif = body;
    if (head.startsWith("http://ns.adobe.com/xap/1.0/\0")) found.xmp = body.toString("utf8");
  }
  return found;
}

function ofWebp(file: Buffer): Metadata {
  const found: Metadata = { icc: null, exif: null, xmp: null };
  for (let at = 12; at < file.length; ) {
    const size = file.readUInt32LE(at + 4);
    const body = file.subarray(at + 8, at + 8 + size);
    const kind = file.toString("latin1", at, at + 4);
    if (kind === "ICCP") found.icc = body;
    if (kind === "EXIF") found.exif = body;
    if (kind === "XMP ") found.xmp = body.toString("utf8");
    at += 8 + size + (size % 2);
  }
  return found;
}
