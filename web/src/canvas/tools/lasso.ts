import type { Point } from "../edits";
import { outline } from "./outline";
import type { Ground, Tool } from "./tool";

/** Draws around an area; the end is joined to the start. */
export function lasso(ground: Ground): Tool {
  let points: Point[] = [];

  const add = (point: Point): void => {
    const last = points.at(-1);
    const near = Math.max(0.25, 1 / ground.scale());
    if (!last || Math.hypot(last.x - point.x, last.y - point.y) >= near) points.push({ ...point, pressure: 1 });
  };
  const stop = (): void => {
    points = [];
    ground.redraw();
  };

  return {
    cursor: "crosshair",
    down(at) {
      points = [];
      add(at.picture);
    },
    move(trail) {
      for (const spot of trail) add(spot.picture);
      ground.redraw();
    },
    up(at) {
      add(at.picture);
      const drawn = points;
      stop();
      if (drawn.length >= 3) ground.commit({ kind: "lasso", mode: ground.mode(), points: drawn });
    },
    cancel: stop,
    draw(context, view) {
      if (points.length < 2) return false;
      context.beginPath();
      for (const point of points) {
        const { x, y } = view.toScreen(point);
        context.lineTo(x, y);
      }
      outline(context);
      return true;
    },
  };
}
