// The page begins: the work of last time comes back, and is saved from now on.
import { ApiError, api } from "../../api/client";
import { resilient } from "../../api/connection";
import { fileOf } from "../../media";
import { alert, get, set, updatePicture } from "../../store";
import { strings } from "../../strings";
import { wantView } from "../canvas/bind";
import { resume } from "../generate/generate";
import { idOf } from "../open/upload";
import { autosave, restore } from "./autosave";

/** If the server has forgotten the picture, it gets it again before somebody waits for that. */
async function greet(): Promise<void> {
  const { base, pictures } = get();
  const picture = base ? pictures[base] : undefined;
  if (!picture) return;
  try {
    if (picture.id) {
      const { id } = picture;
      await resilient(() => api.image(id, "format=webp&max_side=8"));
    } else await idOf(picture.key);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404 || !fileOf(picture.key)) return;
    updatePicture(picture.key, { id: null });
    await idOf(picture.key).catch(() => undefined);
  }
}

const PATIENCE = 1000; // milliseconds; a page that is left gives its lock back a moment later

/** Whether the stored work belongs to this tab: it is held until the tab is closed. */
function owns(): Promise<boolean> {
  if (!("locks" in navigator)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const hold = () => {
      resolve(true);
      return new Promise<void>(() => undefined);
    };
    navigator.locks.request("ediffuser-work", { signal: AbortSignal.timeout(PATIENCE) }, hold).catch(() => resolve(false));
  });
}

/** Brings the work back, goes on with a run, and saves from then on. A second tab starts empty and keeps nothing. */
export async function begin(): Promise<void> {
  if (!(await owns())) {
    set({ restored: true });
    alert(strings.errors.secondTab);
    return;
  }
  try {
    await restore(wantView);
  } catch {
    // A browser that stores nothing: start empty.
  }
  set({ restored: true });
  autosave();
  if (get().base === null) return;
  void resume();
  void greet();
}
