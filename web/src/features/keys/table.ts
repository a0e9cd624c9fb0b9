// The keyboard shortcuts: one table for the handler and for the sheet.
import { stage } from "../../stage";
import { announce, basePicture, fits, get, redo, set, undo } from "../../store";
import type { State } from "../../store";
import { cancel, generate } from "../generate/generate";
import { clear, grow, growStep, invert } from "../mask/mask";
import { openFrom, pick } from "../open/open";
import { ACCEPT } from "../open/limits";
import { accept, saveable, walk } from "../results/results";
import { addSelection, forget } from "../select/select";
import { strings } from "../../strings";

export const isMac = (): boolean => /Mac|iP(hone|ad|od)/.test(navigator.platform);

export const resize = (factor: number): void =>
  set(({ size }) => {
    const next = Math.round(size * factor);
    return { size: Math.max(1, Math.min(500, next === size ? size + Math.sign(factor - 1) : next)) };
  });

const tool = (name: State["tool"]) => () => set({ tool: name });

export const toggleSlider = (): void => {
  const { compare, shown } = get();
  if (shown !== null) set({ compare: typeof compare === "number" ? null : 0.5 });
};

/** Esc: the nearest thing that can be left. */
export function escape(): boolean {
  const { selection, run, compare } = get();
  if (stage()?.cancel()) return true;
  if (selection) forget();
  else if (run && ["sending", "queued", "running"].includes(run.state)) cancel();
  else if (compare !== null) set({ compare: null });
  else return false;
  return true;
}

/** Single keys; with Ctrl or Cmd in `commands`. */
export const single: Record<string, () => void> = {
  b: tool("brush"),
  e: tool("eraser"),
  r: tool("rectangle"),
  l: tool("lasso"),
  s: tool("select"),
  h: tool("pan"),
  x: () => set(({ subtract }) => ({ subtract: !subtract })),
  "[": () => resize(1 / 1.2),
  "]": () => resize(1.2),
  "0": () => stage()?.fit(),
  "1": () => stage()?.actual(),
  "+": () => stage()?.zoom(1.25),
  "=": () => stage()?.zoom(1.25),
  "-": () => stage()?.zoom(0.8),
  i: () => get().base && invert(),
  delete: clear,
  backspace: clear,
  ">": () => grow(growStep(basePicture(get()))),
  "<": () => grow(-growStep(basePicture(get()))),
  g: () => void generate(),
  u: () => void accept(),
  v: toggleSlider,
  "?": () => set({ dialog: "shortcuts" }),
};

export const commands: Record<string, () => void> = {
  z: undo,
  "shift+z": redo,
  y: redo,
  enter: () => void generate(),
  o: () => pick(ACCEPT, (files) => void openFrom(files)),
  s: () => (saveable(get()) ? set({ dialog: "download" }) : announce(strings.results.nothingToSave)),
};

/** Arrow keys: through the results where there are any, else the picture moves. */
export function arrow(key: string, shift: boolean): boolean {
  const along = { arrowleft: [1, 0], arrowright: [-1, 0], arrowup: [0, 1], arrowdown: [0, -1] }[key];
  if (!along) return false;
  if (!shift && fits(get()) && along[0]) {
    walk(along[0] > 0 ? -1 : 1);
    return true;
  }
  const here = stage();
  if (!here || get().base === null) return false;
  here.view.pan((along[0] ?? 0) * 48, (along[1] ?? 0) * 48);
  here.zoom(1);
  return true;
}

export const enter = (): boolean => {
  if (!get().selection) return false;
  addSelection();
  return true;
};
