import type { Mode, Point } from "../edits";
import type { Ground, Tool } from "./tool";

/** Paints a stroke. With Shift, a straight line from where the last stroke ended. */
export function brush(ground: Ground): Tool {
  return strokes(ground, "paint");
}

/** What brush and eraser share: the whole gesture, but for the mode. */
export function strokes(ground: Ground, mode: Mode): Tool {
  let last: Point | null = null;
  let before: Point | null = null;

  const extend = (points: readonly Point[]): void => {
    const kept: Point[] = [];
    for (const point of points) {
      if (last && !apart(last, point, ground.scale())) continue;
      kept.push(point);
      last = point;
    }
    if (kept.length) ground.extend(kept);
  };

  return {
    cursor: "none",
    down(at) {
      const start = at.shift && last ? [last, at.picture] : [at.picture];
      before = last;
      last = at.picture;
      ground.begin(mode);
      ground.extend(start);
    },
    move(trail) {
      extend(trail.map((spot) => spot.picture));
    },
    up(at) {
      // A pen that is lifted reports no pressure: the end has that of the last point.
      extend([{ ...at.picture, pressure: last?.pressure ?? 1 }]);
      ground.finish();
    },
    cancel() {
      last = before;
      ground.drop();
    },
  };
}

/** Points nearer than half a CSS pixel (or a quarter of a pixel of the picture) show no difference but cost time. */
function apart(a: Point, b: Point, scale: number): boolean {
  const near = Math.max(0.25, 0.5 / scale);
  return Math.hypot(a.x - b.x, a.y - b.y) >= near || Math.abs(a.pressure - b.pressure) > 0.02;
}
