// Outpainting: a larger canvas, whose new margins become the hole.
import { api } from "../../api/client";
import { resilient } from "../../api/connection";
import type { Margins } from "../../api/types";
import { Mask } from "../../canvas";
import { decode, putPicture } from "../../media";
import { stage } from "../../stage";
import { alert, announce, basePicture, get, newKey, rebase, set } from "../../store";
import { strings } from "../../strings";
import { sizeProblem } from "../open/limits";
import { withPicture } from "../open/upload";

/** Pixels that the model sees around the seam of old and new, so that the seam is painted too. */
export const extent = (width: number, height: number, margins: Margins) => ({
  width: width + margins.left + margins.right,
  height: height + margins.top + margins.bottom,
});

export function extendProblem(width: number, height: number, margins: Margins): string | null {
  const size = extent(width, height, margins);
  if (size.width === width && size.height === height) return strings.extend.nothing;
  return sizeProblem(size.width, size.height);
}

/** The old mask in its new place, and the margins painted. */
export function extendMask(old: Mask, margins: Margins): Mask {
  const size = extent(old.width, old.height, margins);
  const mask = new Mask(size.width, size.height);
  mask.bytes.fill(1);
  for (let y = 0; y < old.height; y += 1) {
    const row = old.bytes.subarray(y * old.width, (y + 1) * old.width);
    mask.bytes.set(row, (y + margins.top) * size.width + margins.left);
  }
  return mask;
}

export async function extend(margins: Margins): Promise<void> {
  const state = get();
  const picture = basePicture(state);
  const old = stage()?.mask;
  if (!picture || !old) return;
  set({ busy: strings.extend.working, dialog: null });
  try {
    const info = await withPicture(picture.key, (id) => api.extended(id, margins));
    const blob = await resilient(() => api.image(info.id));
    const bitmap = await decode(blob);
    if (get().base !== picture.key) return; // replaced meanwhile
    const runs = extendMask(old, margins).toRuns();
    const key = newKey();
    putPicture(key, blob, bitmap);
    const { width, height, alpha } = info;
    const larger = { key, id: info.id, name: picture.name, width, height, alpha, origin: null };
    set((now) => ({ pictures: { ...now.pictures, [key]: larger } }));
    rebase(key, [{ kind: "bitmap", mode: "replace", runs }]);
    announce(strings.extend.done(info.width, info.height));
  } catch (error) {
    alert(error instanceof Error ? error.message : String(error));
  } finally {
    set({ busy: null });
  }
}
