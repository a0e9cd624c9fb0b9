import type { Place } from "../edits";
import type { Ground, Tool } from "./tool";

/** Moves the picture with the pointer. What a cancelled gesture has moved stays moved. */
export function pan(ground: Ground): Tool {
  let last: Place | null = null;

  const go = (to: Place | undefined): void => {
    if (!last || !to) return;
    ground.pan(to.x - last.x, to.y - last.y);
    last = to;
  };

  return {
    cursor: "grab",
    down(at) {
      last = at.screen;
    },
    move(trail) {
      go(trail.at(-1)?.screen);
    },
    up(at) {
      go(at.screen);
      last = null;
    },
    cancel() {
      last = null;
    },
  };
}
