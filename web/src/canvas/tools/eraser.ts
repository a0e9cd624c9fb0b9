import { strokes } from "./brush";
import type { Ground, Tool } from "./tool";

/** Takes the mask away along a stroke. */
export function eraser(ground: Ground): Tool {
  return strokes(ground, "erase");
}
