// The state of the page. `base` and `edits` are the document: only they can be undone.
import { temporal } from "zundo";
import { create } from "zustand";
import type { Margins, Sampler, SelectionPoint } from "./api/types";
import type { Edit, ToolName } from "./canvas";
import type { Run } from "./run";

/** A picture that the document can be based on; its bytes lie in media.ts. */
export interface Picture {
  key: string;
  /** The server's name for it, once it has one. */
  id: string | null;
  name: string;
  width: number;
  height: number;
  alpha: boolean;
  /** The result it was made of. */
  origin: { run: string; job: string; variation: number } | null;
}

export interface Document {
  base: string | null;
  edits: readonly Edit[];
}

export interface Settings {
  model: string | null;
  variations: number;
  sampler: Sampler | null;
  seed: number | null;
  locked: boolean;
  context: number | null;
  feather: number;
  detail: boolean;
}

export interface Selection {
  points: SelectionPoint[];
  busy: boolean;
  /** How many pixels the preview covers. */
  count: number;
}

export type Dialog = "shortcuts" | "extend" | "download" | "panel" | null;
export type Theme = "system" | "light" | "dark";
export type Compare = null | "input" | number;

export interface Alert {
  id: number;
  text: string;
}

export interface State extends Document {
  pictures: Record<string, Picture>;
  settings: Settings;
  tool: ToolName;
  size: number;
  subtract: boolean;
  /** Painted pixels; null until known. */
  painted: number;
  scale: number;
  run: Run | null;
  /** The variation on the canvas; null: the input and the mask. */
  shown: number | null;
  compare: Compare;
  selection: Selection | null;
  dialog: Dialog;
  /** A question before the work is replaced. */
  question: ((replace: boolean) => void) | null;
  alerts: Alert[];
  announcement: string;
  busy: string | null;
  away: boolean;
  /** Whether the browser keeps the work for the next visit. */
  stored: boolean;
  /** Whether the work as it stands has been saved as a file, or there is none. */
  saved: boolean;
  restored: boolean;
  theme: Theme;
  singleKeys: boolean;
}

export const NOTHING: Margins = { top: 0, right: 0, bottom: 0, left: 0 };
export const UNDO_STEPS = 500;

const remembered = (key: string): string | null =>
  typeof localStorage === "undefined" ? null : localStorage.getItem(`ediffuser.${key}`);

const initial: State = {
  base: null,
  edits: [],
  pictures: {},
  settings: { model: null, variations: 4, sampler: null, seed: null, locked: false, context: null, feather: 0, detail: true },
  tool: "brush",
  size: 48,
  subtract: false,
  painted: 0,
  scale: 1,
  run: null,
  shown: null,
  compare: null,
  selection: null,
  dialog: null,
  question: null,
  alerts: [],
  announcement: "",
  busy: null,
  away: false,
  stored: true,
  saved: true,
  restored: false,
  theme: (remembered("theme") as Theme | null) ?? "system",
  singleKeys: remembered("singleKeys") !== "no",
};

export const useStore = create<State>()(
  temporal(() => initial, {
    partialize: ({ base, edits }): Document => ({ base, edits }),
    equality: (past, now) => past.base === now.base && past.edits === now.edits,
    limit: UNDO_STEPS,
  }),
);

export const get = useStore.getState;
export const set = useStore.setState;
export const history = useStore.temporal;

let counter = 0;
/** Unguessable enough for names within this browser; works without a secure context. */
export function newKey(): string {
  const random = crypto.getRandomValues(new Uint32Array(4));
  counter += 1;
  return `${Array.from(random, (word) => word.toString(36)).join("")}${counter.toString(36)}`;
}

export function edit(...edits: Edit[]): void {
  if (get().base === null) return;
  set((state) => ({ edits: [...state.edits, ...edits], shown: null, compare: null, saved: false }));
}

/** A new base picture, as one step that can be undone. */
export function rebase(base: string, edits: readonly Edit[]): void {
  set({ base, edits, shown: null, compare: null, selection: null, saved: false });
}

export function undo(): void {
  if (history.getState().pastStates.length === 0) return;
  history.getState().undo();
  set({ shown: null, compare: null, selection: null, saved: false });
}

export function redo(): void {
  if (history.getState().futureStates.length === 0) return;
  history.getState().redo();
  set({ shown: null, compare: null, selection: null, saved: false });
}

export function configure(settings: Partial<Settings>): void {
  set((state) => ({ settings: { ...state.settings, ...settings } }));
}

export function updatePicture(key: string, change: Partial<Picture>): void {
  set((state) => {
    const picture = state.pictures[key];
    return picture ? { pictures: { ...state.pictures, [key]: { ...picture, ...change } } } : {};
  });
}

export function alert(text: string): void {
  counter += 1;
  const id = counter;
  set((state) => ({ alerts: [...state.alerts.filter((one) => one.text !== text), { id, text }].slice(-3) }));
}

export function dismiss(id: number): void {
  set((state) => ({ alerts: state.alerts.filter((one) => one.id !== id) }));
}

export const announce = (announcement: string): void => set({ announcement });

export function prefer(choice: { theme?: Theme; singleKeys?: boolean }): void {
  set(choice);
  if (choice.theme) localStorage.setItem("ediffuser.theme", choice.theme);
  if (choice.singleKeys !== undefined) localStorage.setItem("ediffuser.singleKeys", choice.singleKeys ? "yes" : "no");
}

/** The picture that is edited. */
export const basePicture = (state: State): Picture | null => (state.base ? (state.pictures[state.base] ?? null) : null);

/** The pictures that undo, redo and the results may show next. */
export function nearby(): Set<string> {
  const { base, run } = get();
  const { pastStates, futureStates } = history.getState();
  const next = [pastStates, futureStates].map((states) => states.findLast((one) => one.base !== base)?.base);
  return new Set([base, run?.base, ...next].filter((key) => typeof key === "string"));
}

/** Whether the results of the run lie on the picture that is edited. */
export function fits(state: State): boolean {
  const { run } = state;
  if (!run || !state.base) return false;
  return run.base === state.base || basePicture(state)?.origin?.run === run.key;
}
