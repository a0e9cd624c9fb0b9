// A picture comes in: shown at once from the file, sent in the background.
import { api } from "../../api/client";
import { resilient } from "../../api/connection";
import { decode, fileOf, keepOnly, putFile, putPicture } from "../../media";
import { alert, announce, get, history, newKey, set, updatePicture } from "../../store";
import type { Picture, State } from "../../store";
import { strings } from "../../strings";
import { abandon, leave, resume } from "../generate/generate";
import { fileProblem, sizeProblem } from "./limits";
import { track } from "./upload";

/** Asks before unsaved work is replaced. */
async function mayReplace(): Promise<boolean> {
  const { base, saved } = get();
  if (base === null || saved) return true;
  return new Promise((resolve) => {
    set({
      question: (replace) => {
        set({ question: null });
        resolve(replace);
      },
    });
  });
}

type Work = Pick<State, "base" | "edits" | "pictures" | "run" | "shown" | "saved"> & {
  past: ReturnType<typeof history.getState>["pastStates"];
  future: ReturnType<typeof history.getState>["futureStates"];
};

function remember(): Work {
  const { base, edits, pictures, run, shown, saved } = get();
  const { pastStates: past, futureStates: future } = history.getState();
  return { base, edits, pictures, run, shown, saved, past, future };
}

function putBack({ past, future, ...work }: Work): void {
  history.getState().pause();
  set(work);
  history.getState().resume();
  history.setState({ pastStates: past, futureStates: future });
  void resume();
}

function begin(picture: Picture): void {
  history.getState().pause();
  set({
    base: picture.key, edits: [], pictures: { ...get().pictures, [picture.key]: picture }, run: null, shown: null, compare: null,
    selection: null, saved: true, alerts: [], dialog: null,
  });
  history.getState().resume();
  history.getState().clear();
  announce(strings.open.opened(picture.name, picture.width, picture.height));
}

/** Once the server has agreed, what came before is let go. */
function settle(key: string, before: Work): void {
  abandon(before.run);
  const picture = get().pictures[key];
  if (!picture || get().base !== key || history.getState().pastStates.length > 0) return;
  keepOnly(new Set([key]));
  set({ pictures: { [key]: picture } });
}

export async function openFile(file: Blob, name: string): Promise<void> {
  const problem = fileProblem(file);
  if (problem) return alert(problem);
  set({ busy: strings.open.reading });
  try {
    const bitmap = await decode(file).catch(() => null);
    const tooLarge = bitmap && sizeProblem(bitmap.width, bitmap.height);
    if (tooLarge) return alert(tooLarge);
    if (!(await mayReplace())) return;
    await take(file, name, bitmap);
  } catch (error) {
    alert(error instanceof Error ? error.message : String(error));
  } finally {
    set({ busy: null });
  }
}

async function take(file: Blob, name: string, bitmap: ImageBitmap | null): Promise<void> {
  const key = newKey();
  const picture = { key, id: null, name, alpha: false, origin: null };
  if (!bitmap) {
    // The browser cannot read it; perhaps the server can, or it says why not.
    const info = await resilient(() => api.upload(file));
    const shown = await resilient(() => api.image(info.id));
    putPicture(key, file, await decode(shown));
    leave();
    const before = remember();
    begin({ ...picture, id: info.id, width: info.width, height: info.height, alpha: info.alpha });
    settle(key, before);
    return;
  }
  leave();
  const before = remember();
  putPicture(key, file, bitmap);
  begin({ ...picture, width: bitmap.width, height: bitmap.height });
  set({ busy: null });
  const upload = resilient(() => api.upload(file));
  track(key, upload)
    .then(async () => {
      const info = await upload;
      if (info.width !== bitmap.width || info.height !== bitmap.height) await adopt(key, info.id);
      settle(key, before);
    })
    .catch((error: unknown) => {
      if (get().base === key) putBack(before);
      else abandon(before.run);
      alert(error instanceof Error ? error.message : String(error));
    });
}

/** The server reads the file differently: its pixels count. */
async function adopt(key: string, id: string): Promise<void> {
  const bitmap = await decode(await resilient(() => api.image(id)));
  putPicture(key, fileOf(key), bitmap);
  updatePicture(key, { width: bitmap.width, height: bitmap.height });
  if (get().base !== key) return;
  history.getState().pause();
  set({ base: null });
  set({ base: key, edits: [] });
  history.getState().resume();
}

/** A picture that the server made (a result, a larger canvas): its file is fetched for the day the server forgets it. */
export function fetchFile(key: string, id: string): void {
  void resilient(() => api.image(id))
    .then((blob) => {
      putFile(key, blob);
      updatePicture(key, {}); // tells the autosave
    })
    .catch(() => undefined);
}

export async function openSample(name: string): Promise<void> {
  try {
    const response = await fetch(new URL(`samples/${name}.jpg`, document.baseURI));
    if (!response.ok) throw new Error(strings.errors.away);
    await openFile(await response.blob(), `${name}.jpg`);
  } catch {
    alert(strings.errors.away);
  }
}

/** The picture among files that were dropped, picked or pasted. */
export async function openFrom(files: ArrayLike<File> | null | undefined): Promise<void> {
  const all = Array.from(files ?? []);
  const file = all.find((one) => one.type.startsWith("image/")) ?? all[0];
  if (file) await openFile(file, file.name);
  else alert(strings.errors.noPicture);
}

export async function pasteFromClipboard(): Promise<void> {
  try {
    for (const item of await navigator.clipboard.read()) {
      const type = item.types.find((one) => one.startsWith("image/"));
      if (type) return await openFile(await item.getType(type), strings.open.pasted);
    }
    alert(strings.errors.noPictureInClipboard);
  } catch {
    alert(strings.errors.clipboard);
  }
}

export function pick(accept: string, taken: (files: FileList | null) => void): void {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = accept;
  input.onchange = () => taken(input.files);
  input.click();
}
