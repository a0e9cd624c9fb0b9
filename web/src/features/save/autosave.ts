// Everything that a reload must bring back, in IndexedDB, 300 ms after a change.
import { createStore, get as read, keys, setMany, delMany, set as write } from "idb-keyval";
import type { UseStore } from "idb-keyval";
import { fileOf, patchBlobs, putFile, putPatch } from "../../media";
import type { Run } from "../../run";
import { stage } from "../../stage";
import { alert, get, history, set, useStore } from "../../store";
import type { Document, Picture, Settings, State } from "../../store";
import { strings } from "../../strings";

export const DELAY = 300;

export interface ViewPlace {
  scale: number;
  x: number;
  y: number;
  fitted: boolean;
}

export interface Saved extends Document {
  version: 1;
  past: Document[];
  future: Document[];
  pictures: Record<string, Picture>;
  settings: Settings;
  tool: State["tool"];
  size: number;
  run: Run | null;
  shown: number | null;
  saved: boolean;
  view: ViewPlace | null;
}

let database: UseStore | null = null;
const db = (): UseStore => (database ??= createStore("ediffuser", "work"));

const fileKey = (key: string) => `file:${key}`;
const patchKey = (name: string) => `patch:${name}`;

export function snapshot(): Saved {
  const { base, edits, pictures, settings, tool, size, run, shown, saved } = get();
  const { pastStates, futureStates } = history.getState();
  const view = stage()?.view;
  const place = view ? { scale: view.scale, x: view.x, y: view.y, fitted: view.fitted } : null;
  const past = pastStates as Document[];
  const future = futureStates as Document[];
  return { version: 1, base, edits, past, future, pictures, settings, tool, size, run, shown, saved, view: place };
}

function referred(work: Saved): Set<string> {
  const bases = [work.base, work.run?.base, ...work.past.map((one) => one.base), ...work.future.map((one) => one.base)];
  return new Set(bases.filter((key) => typeof key === "string"));
}

const written = new Map<string, Blob>();

/** Writes what has changed, and throws away files that nothing refers to. Rejects if there was no room for everything. */
export async function save(): Promise<void> {
  const work = snapshot();
  const alive = referred(work);
  const blobs: [string, Blob][] = [];
  for (const key of alive) {
    const file = fileOf(key);
    if (file) blobs.push([fileKey(key), file]);
  }
  for (const [name, blob] of patchBlobs()) blobs.push([patchKey(name), blob]);
  const fresh = blobs.filter(([key, blob]) => written.get(key) !== blob);
  const [filed] = await Promise.allSettled([writeFiles(fresh)]);
  await write("work", work, db());
  const needed = new Set(["work", ...blobs.map(([key]) => key), ...[...alive].map(fileKey)]);
  const stale = (await keys<string>(db())).filter((key) => !needed.has(key));
  if (stale.length > 0) await delMany(stale, db());
  for (const key of stale) written.delete(key);
  if (filed.status === "rejected") throw filed.reason;
}

async function writeFiles(files: [string, Blob][]): Promise<void> {
  if (files.length > 0) await setMany(files, db());
  for (const [key, blob] of files) written.set(key, blob);
}

/** Puts the work back into the store; `prepare` hears of the view before. */
export async function restore(prepare: (view: ViewPlace | null) => void = () => undefined): Promise<void> {
  const work = await read<Saved>("work", db());
  if (work?.version !== 1 || !work.base || get().base !== null) return;
  for (const key of referred(work)) {
    const file = await read<Blob>(fileKey(key), db());
    if (!file) continue;
    putFile(key, file);
    written.set(fileKey(key), file);
  }
  const found = newestUsable(work);
  if (!found) return;
  await restorePatches(work.run);
  if (get().base !== null) return; // a picture was opened meanwhile
  const { base: key, edits, past, future } = found;
  const { pictures, settings, tool, size, run, shown, saved, view } = work;
  prepare(view);
  history.getState().pause();
  // Work that was kept before a setting existed has it as a new page would.
  set({ base: key, edits, pictures, settings: { ...get().settings, ...settings }, tool, size, run, shown, saved });
  history.getState().resume();
  history.setState({ pastStates: past, futureStates: future });
}

/** The work, or what it was before a picture that neither lies here nor has come to the server yet. */
function newestUsable({ base, edits, past, future, pictures }: Saved): Pick<Saved, "base" | "edits" | "past" | "future"> | null {
  const usable = (key: string | null) => key !== null && Boolean(fileOf(key) ?? pictures[key]?.id);
  if (usable(base)) return { base, edits, past, future };
  const last = past.findLastIndex((document) => usable(document.base));
  const document = past[last];
  return document ? { ...document, past: past.slice(0, last), future: [] } : null;
}

async function restorePatches(run: Run | null): Promise<void> {
  for (const slot of run?.slots ?? []) {
    if (!run || !slot.result) continue;
    const name = patchKey(`${run.key}/${slot.variation}`);
    const blob = await read<Blob>(name, db());
    if (!blob) continue;
    written.set(name, blob);
    await putPatch(run.key, slot.variation, slot.result.box, blob).catch(() => undefined);
  }
}

const watched = (state: State) =>
  [state.base, state.edits, state.pictures, state.settings, state.tool, state.size, state.run?.job, state.run?.state,
    state.run?.slots.map((slot) => slot.result !== null).join(), state.shown, state.saved, state.scale] as const;

function tell(stored: boolean): void {
  if (get().stored && !stored) alert(strings.errors.notStored);
  if (get().stored !== stored) set({ stored });
}

/** Saves after each change, and at once when the page is left. */
export function autosave(delay = DELAY): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<void> = Promise.resolve();
  let before = watched(get());
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    running = running.then(save).then(() => tell(true), () => tell(false)); // a full or forbidden disk must not stop the work
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(flush, delay);
  };
  const stop = [
    useStore.subscribe((state) => {
      const now = watched(state);
      if (now.some((value, index) => value !== before[index])) later();
      before = now;
    }),
  ];
  if (get().base !== null) later(); // what a tab has that was not the first is nowhere yet
  const leave = () => {
    if (document.visibilityState === "hidden" && get().base !== null) flush();
  };
  if (typeof document !== "undefined") {
    document.addEventListener("visibilitychange", leave);
    window.addEventListener("pagehide", leave);
  }
  return () => {
    clearTimeout(timer);
    for (const end of stop) end();
    if (typeof document === "undefined") return;
    document.removeEventListener("visibilitychange", leave);
    window.removeEventListener("pagehide", leave);
  };
}
