import type { Place } from "../edits";
import type { Ground, Spot, Tool } from "./tool";

/** The pointer rests after this many milliseconds without motion. */
const REST = 150;
/** A press that moves farther than this many CSS pixels is not a click. */
const SLIP = 6;

/** Clicks on objects: with Shift or Alt, or in the erasing mode, on what does not belong to them. */
export function select(ground: Ground): Tool {
  let pressed: Spot | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const rest = (place: Place | null): void => {
    clearTimeout(timer);
    if (place) timer = setTimeout(() => ground.rest(place), REST);
    else ground.rest(null);
  };

  return {
    cursor: "crosshair",
    down(at) {
      clearTimeout(timer);
      pressed = at;
    },
    move() {
      // A selection has no trail.
    },
    up(at) {
      const start = pressed;
      pressed = null;
      if (!start || Math.hypot(at.screen.x - start.screen.x, at.screen.y - start.screen.y) > SLIP) return;
      const negative = start.shift || start.alt || ground.mode() === "erase";
      ground.select({ x: start.picture.x, y: start.picture.y }, !negative);
    },
    cancel() {
      pressed = null;
      clearTimeout(timer);
    },
    hover(at) {
      rest(at && { x: at.picture.x, y: at.picture.y });
    },
  };
}
