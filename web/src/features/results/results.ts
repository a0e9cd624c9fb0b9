// Look at the results, take one, save one.
import { api } from "../../api/client";
import { resilient } from "../../api/connection";
import type { FileFormat } from "../../api/types";
import { bitmapOf, patchNow, putPicture } from "../../media";
import { alert, announce, basePicture, fits, get, history, newKey, rebase, set, undo } from "../../store";
import type { State } from "../../store";
import { strings } from "../../strings";
import { fetchFile } from "../open/open";
import { track } from "../open/upload";
import { savedName } from "./names";

export function show(variation: number | null): void {
  set({ shown: variation, compare: null });
  const { run } = get();
  if (run && variation !== null) announce(strings.results.shows(variation + 1, run.slots.length));
  else announce(strings.results.showsInput);
}

/** Walks the strip: the input, then the variations. */
export function walk(by: 1 | -1): void {
  const { run, shown } = get();
  if (!run || !fits(get())) return;
  const stops = [null, ...run.slots.map((slot) => slot.variation)];
  const next = stops[stops.indexOf(shown) + by];
  if (next !== undefined) show(next);
}

/** The result on the canvas becomes the picture that is edited. One step, which can be undone. */
export async function accept(): Promise<void> {
  const { run, shown } = get();
  const picture = basePicture(get());
  if (!run?.job || !run.image || shown === null || !picture || !fits(get())) return;
  const before = get().pictures[run.base];
  if (!before || !patchNow(run.key, shown)) return;
  const under = await bitmapOf(before.key, before.id);
  const patch = patchNow(run.key, shown);
  if (!patch) return;
  const canvas = new OffscreenCanvas(under.width, under.height);
  const context = canvas.getContext("2d");
  if (!context) return;
  context.drawImage(under, 0, 0);
  context.clearRect(patch.left, patch.top, patch.image.width, patch.image.height);
  context.drawImage(patch.image, patch.left, patch.top);
  const key = newKey();
  putPicture(key, null, canvas.transferToImageBitmap());
  const origin = { run: run.key, job: run.job, variation: shown };
  set((state) => ({ pictures: { ...state.pictures, [key]: { ...picture, key, id: null, origin } } }));
  rebase(key, []);
  announce(strings.results.accepted(shown + 1));
  const { job, image } = run;
  try {
    const id = await track(key, resilient(() => api.composed(image, job, shown)));
    fetchFile(key, id);
  } catch (error) {
    while (get().base === key && history.getState().pastStates.length > 0) undo(); // strokes on it, then itself
    alert(error instanceof Error ? error.message : String(error));
  }
}

/** What a download would save: the result on the canvas, else the result that the picture was made of. */
export function saveable(state: State): { job: string; variation: number; seed: number | null } | null {
  const { run, shown } = state;
  const result = run && shown !== null && fits(state) ? run.slots[shown]?.result : null;
  if (run?.job && result) return { job: run.job, variation: result.variation, seed: result.seed };
  const origin = basePicture(state)?.origin;
  return origin ? { job: origin.job, variation: origin.variation, seed: null } : null;
}

export function saveBlob(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export async function download(format: FileFormat, quality: number): Promise<boolean> {
  const what = saveable(get());
  if (!what) return false;
  try {
    const path = `jobs/${what.job}/results/${what.variation}`;
    const { blob, name } = await resilient(() => api.file(path, format, quality));
    const given = name ?? `ediffuser-${what.seed ?? what.job}-${what.variation}.${format === "jpeg" ? "jpg" : format}`;
    saveBlob(blob, savedName(basePicture(get())?.name ?? "", given));
    set({ saved: true });
    announce(strings.download.saved);
    return true;
  } catch (error) {
    alert(error instanceof Error ? error.message : String(error));
    return false;
  }
}

