// Pictures in memory, outside the store: files, decoded pictures, patches of results, previews.
import { useSyncExternalStore } from "react";
import { api } from "./api/client";
import { resilient } from "./api/connection";
import type { Box, Preview, ResultInfo } from "./api/types";
import type { Hole } from "./canvas";
import { strings } from "./strings";

export interface Patch {
  blob: Blob;
  image: ImageBitmap;
  left: number;
  top: number;
}
export interface Glimpse {
  box: Box;
  image: ImageBitmap;
}

const files = new Map<string, Blob>();
const bitmaps = new Map<string, Promise<ImageBitmap>>();
const patches = new Map<string, Patch>();
const pending = new Map<string, Promise<Patch>>();
const glimpses = new Map<string, Map<string, Glimpse>>();
const holes = new Map<string, Hole>();
const shapes = new Map<string, ImageBitmap>();

let version = 0;
const listeners = new Set<() => void>();
const changed = () => {
  version += 1;
  listeners.forEach((listener) => listener());
};
const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const onMedia = subscribe;
/** Draws again when a picture has arrived. */
export const useMedia = (): number => useSyncExternalStore(subscribe, () => version);

/** Upright, as the server sees it. */
export const decode = (blob: Blob): Promise<ImageBitmap> => createImageBitmap(blob, { imageOrientation: "from-image" });

export function putPicture(key: string, blob: Blob | null, bitmap: ImageBitmap): void {
  if (blob) files.set(key, blob);
  bitmaps.set(key, Promise.resolve(bitmap));
  settled.set(key, bitmap);
  changed();
}

export function putFile(key: string, blob: Blob): void {
  files.set(key, blob);
}

const settled = new Map<string, ImageBitmap>();

export const fileOf = (key: string): Blob | null => files.get(key) ?? null;
export const bitmapNow = (key: string | null): ImageBitmap | null => (key ? (settled.get(key) ?? null) : null);

/** The decoded picture; from the server where there is no file here. */
export function bitmapOf(key: string, id: string | null): Promise<ImageBitmap> {
  let promise = bitmaps.get(key);
  if (!promise) {
    promise = (async () => {
      let file = files.get(key);
      if (!file && id) {
        file = await resilient(() => api.image(id));
        files.set(key, file);
      }
      if (!file) throw new Error(strings.errors.lostPicture);
      const bitmap = await decode(file);
      settled.set(key, bitmap);
      changed();
      return bitmap;
    })();
    bitmaps.set(key, promise);
    promise.catch(() => bitmaps.delete(key));
  }
  return promise;
}

function close(key: string): void {
  settled.get(key)?.close();
  settled.delete(key);
  bitmaps.delete(key);
}

/** Closes the decoded pictures that are not needed now, if their files are here to decode them again. */
export function keepDecoded(keys: ReadonlySet<string>): void {
  for (const key of settled.keys()) if (!keys.has(key) && files.has(key)) close(key);
}

/** Lets go of what nothing refers to any more. */
export function keepOnly(keys: ReadonlySet<string>): void {
  for (const key of [...bitmaps.keys(), ...files.keys()]) {
    if (keys.has(key)) continue;
    files.delete(key);
    close(key);
  }
}

const name = (run: string, variation: number) => `${run}/${variation}`;

export const patchNow = (run: string, variation: number): Patch | null => patches.get(name(run, variation)) ?? null;

export async function putPatch(run: string, variation: number, box: Box, blob: Blob): Promise<Patch> {
  const patch = { blob, image: await createImageBitmap(blob), left: box.left, top: box.top };
  patches.set(name(run, variation), patch);
  changed();
  return patch;
}

export function patchOf(run: string, result: ResultInfo): Promise<Patch> {
  const key = name(run, result.variation);
  const here = patches.get(key);
  if (here) return Promise.resolve(here);
  let promise = pending.get(key);
  if (!promise) {
    promise = resilient(() => api.patch(result.patch)).then((blob) => putPatch(run, result.variation, result.box, blob));
    pending.set(key, promise);
    promise.finally(() => pending.delete(key)).catch(() => undefined);
  }
  return promise;
}

export const patchBlobs = (): [string, Blob][] => [...patches].map(([key, patch]) => [key, patch.blob]);

/** A data: address, without fetch, which the page's own policy forbids for those. */
export function blobOf(data: string): Blob {
  const [head = "", body = ""] = data.split(",", 2);
  const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: /^data:([\w/+.-]+)/.exec(head)?.[1] ?? "image/webp" });
}

export async function putPreview(run: string, preview: Preview): Promise<void> {
  const { variation, left, top, side } = preview;
  const image = await createImageBitmap(blobOf(preview.image));
  const key = name(run, variation);
  const list = glimpses.get(key) ?? new Map<string, Glimpse>();
  const place = `${left},${top},${side}`;
  const before = list.get(place);
  list.set(place, { box: { left, top, width: side, height: side }, image });
  glimpses.set(key, list);
  changed();
  before?.image.close(); // by now nobody shows it
}

export const previewsNow = (run: string, variation: number): Glimpse[] => [...(glimpses.get(name(run, variation))?.values() ?? [])];

/** Takes out of a map what belongs to other runs. */
function others<T>(all: Map<string, T>, run: string | null): T[] {
  const gone = [...all].filter(([key]) => run === null || !key.startsWith(run));
  for (const [key] of gone) all.delete(key);
  return gone.map(([, one]) => one);
}

/** Lets go of the results and previews of all other runs. */
export function keepRun(run: string | null): void {
  for (const all of [pending, holes]) others<unknown>(all, run);
  const pictures = [...others(patches, run), ...others(glimpses, run).flatMap((list) => [...list.values()])].map((one) => one.image);
  pictures.push(...others(shapes, run));
  changed();
  for (const picture of pictures) picture.close(); // by now nobody shows them
}

/** Remembers a run's hole as it is now. */
export function putHole(run: string, mask: { bytes: Uint8Array; width: number }, box: Box): void {
  const bytes = new Uint8Array(box.width * box.height);
  const image = new ImageData(box.width, box.height);
  for (let y = 0; y < box.height; y += 1) {
    const row = (box.top + y) * mask.width + box.left;
    bytes.set(mask.bytes.subarray(row, row + box.width), y * box.width);
  }
  for (let at = 0; at < bytes.length; at += 1) image.data[4 * at + 3] = bytes[at] ? 255 : 0;
  holes.set(run, { ...box, bytes });
  void createImageBitmap(image).then((shape) => {
    shapes.set(run, shape);
    changed();
  });
}

export const holeNow = (run: string): Hole | null => holes.get(run) ?? null;
/** The same as a picture, opaque in the hole. */
export const shapeNow = (run: string): ImageBitmap | null => shapes.get(run) ?? null;
