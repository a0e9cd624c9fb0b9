import type { Ground, Tool } from "./tool";

/** Drags the line between input and result. */
export function line(ground: Ground): Tool {
  return {
    cursor: "ew-resize",
    down(at) {
      ground.compare(at.screen.x);
    },
    move(trail) {
      const last = trail.at(-1);
      if (last) ground.compare(last.screen.x);
    },
    up() {
      // The line stays where it was dragged.
    },
    cancel() {
      // It also stays where it is: nothing is lost.
    },
  };
}
