// The page begins: the work of last time comes back, and is saved from now on.
import { ApiError, api } from "../../api/client";
import { resilient } from "../../api/connection";
import { fileOf } from "../../media";
import { alert, announce, get, set, updatePicture } from "../../store";
import { strings } from "../../strings";
import { wantView } from "../canvas/bind";
import { resume } from "../generate/generate";
import { idOf } from "../open/upload";
import { autosave, restore } from "./autosave";
import { claim, claimLater } from "./ownership";

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

/** Brings the work back, goes on with a run, and saves from then on. A tab that begins late may have work of its own. */
async function start(): Promise<void> {
  const own = get().base !== null;
  try {
    await restore(wantView);
  } catch {
    // A browser that stores nothing: start empty.
  }
  set({ restored: true });
  autosave();
  if (own || get().base === null) return;
  void resume();
  void greet();
}

/** A second tab starts empty and keeps nothing, until the first is closed. */
export async function begin(): Promise<void> {
  if (await claim()) return start();
  set({ restored: true, stored: false });
  alert(strings.errors.secondTab);
  await claimLater();
  set(({ alerts }) => ({ alerts: alerts.filter((one) => one.text !== strings.errors.secondTab), stored: true }));
  announce(strings.save.takenOver);
  await start();
}
