// Select by click: the server proposes, Enter adds, Esc forgets.
import { api } from "../../api/client";
import type { SelectionPoint } from "../../api/types";
import { Mask } from "../../canvas";
import { stage } from "../../stage";
import { alert, announce, edit, get, set } from "../../store";
import { strings } from "../../strings";
import { withPicture } from "../open/upload";

let asking: AbortController | null = null;
let proposal: Mask | null = null;

/** All clicks so far; the newest last. */
export async function select(points: readonly SelectionPoint[]): Promise<void> {
  const { base } = get();
  const picture = base ? get().pictures[base] : undefined;
  if (!base || !picture) return;
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  set((state) => ({ selection: { points: [...points], busy: true, count: state.selection?.count ?? 0 } }));
  const clicks = points.map((point) => ({
    x: Math.min(picture.width - 1, Math.max(0, Math.floor(point.x))),
    y: Math.min(picture.height - 1, Math.max(0, Math.floor(point.y))),
    positive: point.positive,
  }));
  try {
    const png = await withPicture(base, (id) => api.select(id, clicks, mine.signal));
    const mask = await Mask.fromPng(png);
    if (mine.signal.aborted || get().base !== base) return;
    proposal = mask;
    stage()?.setSelection(mask);
    set({ selection: { points: [...points], busy: false, count: mask.count } });
    announce(mask.count > 0 ? strings.select.proposed : strings.select.nothing);
  } catch (error) {
    if (mine.signal.aborted) return;
    forget();
    alert(error instanceof Error ? error.message : String(error));
  }
}

/** The proposal becomes part of the mask. */
export function addSelection(): void {
  const { selection } = get();
  if (!selection || selection.busy || !proposal) return;
  const runs = proposal.toRuns();
  const { count } = proposal;
  forget();
  if (count === 0) return;
  edit({ kind: "bitmap", mode: "paint", runs });
  announce(strings.select.added);
}

export function forget(): void {
  asking?.abort();
  asking = null;
  proposal = null;
  stage()?.setSelection(null);
  if (get().selection) set({ selection: null });
}

/** Chooses whether clicks, rectangle and lasso add or take away. */
export const setSubtract = (subtract: boolean): void => set({ subtract });
