import type { Edit, Mode, Place, Point } from "../edits";
import type { View } from "../view";

/** Where the pointer is, in the picture (native pixels) and on the screen (CSS pixels from the host's corner). */
export type Spot = { picture: Point; screen: Place; shift: boolean; alt: boolean };

/** A state machine for one kind of gesture. `down` begins it, `up` or `cancel` ends it, `hover` comes between gestures. */
export interface Tool {
  /** A CSS cursor; "none" where the ring is shown instead. */
  readonly cursor: string;
  down(at: Spot): void;
  /** Every place since the last call, oldest first, at least one. */
  move(trail: readonly Spot[]): void;
  up(at: Spot): void;
  /** As if the gesture had never begun. */
  cancel(): void;
  /** The pointer moves without a button; null when it left. */
  hover?(at: Spot | null): void;
  /** Draws what the tool shows beside the mask; 1 unit is a CSS pixel. Returns whether there was anything. */
  draw?(context: CanvasRenderingContext2D, view: View): boolean;
}

/** What a tool may do to the stage. */
export interface Ground {
  /** What rectangle, lasso and select do: add or take away. */
  mode(): Mode;
  scale(): number;
  /** A stroke of the present size that is shown while it grows. */
  begin(mode: Mode): void;
  extend(points: readonly Point[]): void;
  finish(): void;
  drop(): void;
  /** A complete edit that is not a stroke. */
  commit(edit: Edit): void;
  /** CSS pixels. */
  pan(dx: number, dy: number): void;
  select(place: Place, positive: boolean): void;
  rest(place: Place | null): void;
  /** The line of the comparison was dragged to this place on the screen. */
  compare(x: number): void;
  /** What `draw` shows has changed. */
  redraw(): void;
}
