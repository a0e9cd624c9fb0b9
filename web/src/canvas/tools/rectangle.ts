import type { Place } from "../edits";
import { outline } from "./outline";
import type { Ground, Spot, Tool } from "./tool";

/** Drags a rectangle of whole pixels; with Shift, a square. */
export function rectangle(ground: Ground): Tool {
  let start: Place | null = null;
  let end: Place = { x: 0, y: 0 };

  const drag = (at: Spot | undefined): void => {
    if (!start || !at) return;
    end = at.shift ? squared(start, whole(at.picture)) : whole(at.picture);
    ground.redraw();
  };
  const stop = (): void => {
    start = null;
    ground.redraw();
  };

  return {
    cursor: "crosshair",
    down(at) {
      start = end = whole(at.picture);
    },
    move(trail) {
      drag(trail.at(-1));
    },
    up(at) {
      drag(at);
      const [a, b] = [start, end];
      stop();
      if (!a || a.x === b.x || a.y === b.y) return;
      const [left, right] = [Math.min(a.x, b.x), Math.max(a.x, b.x)];
      const [top, bottom] = [Math.min(a.y, b.y), Math.max(a.y, b.y)];
      ground.commit({ kind: "rectangle", mode: ground.mode(), left, top, right, bottom });
    },
    cancel: stop,
    draw(context, view) {
      if (!start) return false;
      const [a, b] = [view.toScreen(start), view.toScreen(end)];
      context.beginPath();
      context.rect(a.x, a.y, b.x - a.x, b.y - a.y);
      outline(context);
      return true;
    },
  };
}

function whole(place: Place): Place {
  return { x: Math.round(place.x), y: Math.round(place.y) };
}

/** The longer side counts for both. */
function squared(start: Place, end: Place): Place {
  const side = Math.max(Math.abs(end.x - start.x), Math.abs(end.y - start.y));
  return { x: start.x + side * (end.x < start.x ? -1 : 1), y: start.y + side * (end.y < start.y ? -1 : 1) };
}
