// Between the store and the stage: what changes here is shown there.
import { Stage } from "../../canvas";
import { bitmapNow, bitmapOf, holeNow, keepDecoded, onMedia, patchNow, previewsNow } from "../../media";
import { isLive } from "../../run";
import { setStage } from "../../stage";
import { alert, basePicture, edit, fits, get, nearby, set, useStore } from "../../store";
import type { State } from "../../store";
import { strings } from "../../strings";
import type { ViewPlace } from "../save/autosave";
import { forget, select } from "../select/select";

let wanted: ViewPlace | null = null;
/** The view to take up when the restored picture is there. */
export const wantView = (place: ViewPlace | null): void => {
  wanted = place;
};

function place(stage: Stage, view: ViewPlace): void {
  if (view.fitted) return stage.fit();
  Object.assign(stage.view, { scale: view.scale, x: view.x, y: view.y, fitted: false });
  stage.zoom(1);
}

/** Puts a stage into the host and keeps it up to date; returns how to take it away. */
export function bind(host: HTMLElement): () => void {
  let base: string | null = null;
  let size = "";
  let disposed = false;

  const stage = new Stage(host, {
    edit: (one) => edit(one),
    view: (view) => {
      if (view.scale !== get().scale) set({ scale: view.scale });
    },
    select: (points) => void select(points),
    size: (pixels) => set({ size: Math.max(1, Math.min(500, Math.round(pixels))) }),
    compare: (position) => set({ compare: position }),
  });

  let result: ImageBitmap | null = null;
  let glimpses: readonly ImageBitmap[] = [];
  const showRun = (state: State) => {
    const { run, shown } = state;
    const patch = run && shown !== null && fits(state) ? patchNow(run.key, shown) : null;
    if ((patch?.image ?? null) !== result) {
      result = patch?.image ?? null;
      stage.setResult(patch && { left: patch.left, top: patch.top, image: patch.image });
    }
    const live = run && isLive(run) && shown !== null && !patch && run.base === state.base;
    const previews = live ? previewsNow(run.key, shown) : [];
    const images = previews.map((one) => one.image);
    if (images.length === glimpses.length && images.every((image, index) => image === glimpses[index])) return;
    glimpses = images;
    const list = previews.map(({ box, image }) => ({ left: box.left, top: box.top, side: box.width, image }));
    stage.setPreview(list.length > 0 ? list : null, run && holeNow(run.key));
  };

  const showDocument = (state: State) => {
    stage.setEdits(state.edits);
    const painted = stage.mask?.count ?? 0;
    if (painted !== state.painted) set({ painted });
    const picture = basePicture(state);
    if (!picture) return;
    const share = strings.mask.share(painted, picture.width * picture.height);
    stage.setLabel(strings.view.canvas(picture.name, picture.width, picture.height, share));
  };

  /** A new base: the view stays if the picture has the same size (a result was taken), else it is fitted. */
  const showPicture = (state: State) => {
    base = state.base;
    forget();
    const picture = basePicture(state);
    if (!picture) {
      stage.setPicture(null);
      return;
    }
    const now = bitmapNow(picture.key);
    if (now) return putPicture(now);
    bitmapOf(picture.key, picture.id)
      .then((bitmap) => {
        if (!disposed && get().base === picture.key) putPicture(bitmap);
      })
      .catch((error: unknown) => alert(error instanceof Error ? error.message : String(error)));
  };

  const putPicture = (bitmap: ImageBitmap) => {
    const { scale, x, y, fitted } = stage.view;
    const same = size === `${bitmap.width}x${bitmap.height}`;
    size = `${bitmap.width}x${bitmap.height}`;
    stage.setPicture(bitmap);
    if (wanted) place(stage, wanted);
    else if (same) place(stage, { scale, x, y, fitted });
    wanted = null;
    result = null;
    glimpses = [];
    stage.setResult(null);
    stage.setPreview(null, null);
    showDocument(get());
    showRun(get());
  };

  const update = (state: State, before: State | null) => {
    const changed = <K extends keyof State>(...names: K[]) => !before || names.some((name) => state[name] !== before[name]);
    if (changed("tool")) stage.setTool(state.tool);
    if (changed("subtract")) stage.setMode(state.subtract ? "erase" : "paint");
    if (changed("size")) stage.setSize(state.size);
    if (state.base !== base) showPicture(state);
    else if (changed("edits")) showDocument(state);
    if (changed("run", "shown", "base")) showRun(state);
    if (changed("compare")) stage.setCompare(state.compare);
    if (changed("tool") && before && state.tool !== "select" && state.selection) forget();
    if (before?.selection && !state.selection) forget(); // its points and its proposal go too
    if (changed("base") || state.run?.base !== before?.run?.base) queueMicrotask(() => keepDecoded(nearby())); // the history follows the store
  };

  update(get(), null);
  setStage(stage);
  const stops = [useStore.subscribe(update), onMedia(() => showRun(get()))];
  return () => {
    disposed = true;
    for (const stop of stops) stop();
    setStage(null);
    stage.destroy();
  };
}
