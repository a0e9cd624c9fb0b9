import type { Place } from "./edits";
import type { Spot, Tool } from "./tools/tool";

/** A pointer event as far as gestures need it; `screen` in CSS pixels from the host's corner. */
export type Finger = {
  id: number;
  kind: "mouse" | "pen" | "touch";
  screen: Place;
  /** As the browser reports it; only a pen's counts. */
  pressure: number;
  button: number;
  buttons: number;
  shift: boolean;
  alt: boolean;
};

export type Pair = readonly [Place, Place];

/** What gestures need of the stage. */
export interface Surface {
  /** Which tool a press belongs to; null: none, the press is ignored. */
  choose(finger: Finger): Tool | null;
  readonly pan: Tool;
  spot(finger: Finger): Spot;
  /** Two fingers moved: what was under them stays under them. */
  pinch(from: Pair, to: Pair): void;
}

/** A pen that was not seen for so many milliseconds was laid aside. */
const PEN_MS = 10_000;

type State =
  | { name: "idle" }
  | { name: "tool"; tool: Tool; id: number; touch: boolean }
  | { name: "pinch"; ids: readonly [number, number] };

/**
 * Decides which pointer does what: one gesture at a time. Two fingers zoom and pan and never paint: what the first began
 * is taken back. While a pen is in use, fingers only pan, so that a resting palm paints nothing.
 */
export class Gestures {
  #penAt = -Infinity;
  #state: State = { name: "idle" };
  /** Fingers on the screen, by their last place. */
  readonly #fingers = new Map<number, Finger>();

  constructor(readonly surface: Surface) {}

  /** Whether a pen was seen a moment ago. */
  get penMode(): boolean {
    return performance.now() - this.#penAt < PEN_MS;
  }

  penSeen(): void {
    this.#penAt = performance.now();
  }

  get idle(): boolean {
    return this.#state.name === "idle";
  }

  /** The tool whose gesture is under way. */
  get tool(): Tool | null {
    return this.#state.name === "tool" ? this.#state.tool : null;
  }

  /** Returns whether the press belongs to a gesture. */
  down(finger: Finger): boolean {
    if (finger.kind === "pen") this.#penDown();
    if (finger.kind === "touch") this.#fingers.set(finger.id, finger);
    if (finger.kind === "touch" && this.#pairUp()) return true;
    if (!this.idle) return false;
    const tool = this.surface.choose(finger);
    if (tool) this.#begin(tool, finger);
    return tool !== null;
  }

  /** The places of one pointer since the last call, oldest first. */
  move(trail: readonly Finger[]): void {
    const last = trail.at(-1);
    if (!last) return;
    const state = this.#state;
    if (state.name === "pinch") return this.#pinch(state.ids, last);
    if (this.#fingers.has(last.id)) this.#fingers.set(last.id, last);
    if (state.name !== "tool" || state.id !== last.id) return;
    // The button was released where no event reached us (a dialog, another window): the gesture ended there.
    if (last.kind === "mouse" && last.buttons === 0) return this.up(last);
    state.tool.move(trail.map((finger) => this.surface.spot(finger)));
  }

  up(finger: Finger): void {
    this.#fingers.delete(finger.id);
    const state = this.#state;
    if (state.name === "tool" && state.id === finger.id) {
      this.#state = { name: "idle" };
      state.tool.up(this.surface.spot(finger));
    }
    if (state.name === "pinch" && state.ids.includes(finger.id)) this.#unpair(state.ids, finger.id);
  }

  /** The browser took the pointer away: the gesture is dropped. */
  cancel(finger: Finger): void {
    this.#fingers.delete(finger.id);
    const state = this.#state;
    if (state.name === "tool" && state.id === finger.id) this.drop();
    if (state.name === "pinch" && state.ids.includes(finger.id)) this.#unpair(state.ids, finger.id);
  }

  /** Takes back what is under way; false if nothing is. */
  drop(): boolean {
    const { tool } = this;
    if (!tool) return false;
    this.#state = { name: "idle" };
    tool.cancel();
    return true;
  }

  #begin(tool: Tool, finger: Finger): void {
    this.#state = { name: "tool", tool, id: finger.id, touch: finger.kind === "touch" };
    tool.down(this.surface.spot(finger));
  }

  #penDown(): void {
    this.penSeen();
    if (this.#state.name === "tool" && this.#state.touch) this.drop();
    if (this.#state.name === "pinch") this.#state = { name: "idle" };
  }

  /** Two fingers down, and nothing but a finger's gesture in their way: they zoom. */
  #pairUp(): boolean {
    const [a, b, third] = [...this.#fingers.keys()];
    if (a === undefined || b === undefined || third !== undefined) return false;
    if (this.#state.name === "tool" && !this.#state.touch) return false;
    this.drop();
    this.#state = { name: "pinch", ids: [a, b] };
    return true;
  }

  #pinch(ids: readonly [number, number], moved: Finger): void {
    const pair = (): Pair | null => {
      const [a, b] = [this.#fingers.get(ids[0]), this.#fingers.get(ids[1])];
      return a && b ? [a.screen, b.screen] : null;
    };
    const from = pair();
    if (this.#fingers.has(moved.id)) this.#fingers.set(moved.id, moved);
    const to = pair();
    if (from && to && ids.includes(moved.id)) this.surface.pinch(from, to);
  }

  /** One finger of two is lifted: the other goes on panning, whatever the tool. */
  #unpair(ids: readonly [number, number], lifted: number): void {
    const rest = this.#fingers.get(ids[0] === lifted ? ids[1] : ids[0]);
    this.#state = { name: "idle" };
    if (rest) this.#begin(this.surface.pan, rest);
  }
}

/** The factor of the radius: a mouse or a finger always paints the full size, a pen 30 % to 100 %. */
export function pressureFactor(finger: Finger): number {
  if (finger.kind !== "pen") return 1;
  return 0.3 + 0.7 * Math.min(1, Math.max(0, finger.pressure));
}
