// The page begins: the work of last time comes back, and is saved from now on.
import { ApiError, api } from "../../api/client";
import { resilient } from "../../api/connection";
import { fileOf } from "../../media";
import { get, set, updatePicture } from "../../store";
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

/** Brings the work back, goes on with a run, and saves from then on. */
export async function begin(): Promise<void> {
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
