// Pictures in memory, outside the store: files, decoded pictures, patches of results, previews.
import { useSyncExternalStore } from "react";
import { api } from "./api/client";
import { resilient } from "./api/connection";
import type { Box, Preview, ResultInfo } from "./api/types";

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
const holes = new Map<string, ImageBitmap>();

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
      if (!file) throw new Error("no file");
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

/** Lets go of what nothing refers to any more. */
export function keepOnly(keys: ReadonlySet<string>): void {
  for (const key of [...bitmaps.keys(), ...files.keys()]) {
    if (keys.has(key)) continue;
    files.delete(key);
    bitmaps.delete(key);
    settled.delete(key);
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
  list.set(`${left},${top},${side}`, { box: { left, top, width: side, height: side }, image });
  glimpses.set(key, list);
  changed();
}

export const previewsNow = (run: string, variation: number): Glimpse[] => [...(glimpses.get(name(run, variation))?.values() ?? [])];

/** Lets go of the results and previews of all other runs. */
export function keepRun(run: string | null): void {
  for (const all of [patches, pending, glimpses, holes]) {
    for (const key of all.keys()) if (run === null || !key.startsWith(run)) all.delete(key);
  }
  changed();
}

/** The shape of a run's hole, opaque within its box. */
export function putHole(run: string, mask: { bytes: Uint8Array; width: number }, box: Box): void {
  const image = new ImageData(box.width, box.height);
  for (let y = 0; y < box.height; y += 1) {
    const row = (box.top + y) * mask.width + box.left;
    for (let x = 0; x < box.width; x += 1) image.data[(y * box.width + x) * 4 + 3] = mask.bytes[row + x] ? 255 : 0;
  }
  void createImageBitmap(image).then((hole) => {
    holes.set(run, hole);
    changed();
  });
}

export const holeNow = (run: string): ImageBitmap | null => holes.get(run) ?? null;
