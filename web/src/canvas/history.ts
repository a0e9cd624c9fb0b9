import { union } from "./box";
import { draw } from "./draw";
import type { Box, Edit } from "./edits";
import type { Change, Pixels } from "./pixels";

/** An edit and what it flipped; null if that was forgotten to save memory. */
type Step = { edit: Edit; change: Change | null };

/**
 * The edits that the pixels show, each with the runs it flipped: a step back or forth costs what it changes on the
 * screen, not what it took to draw.
 */
export class History {
  #done: Step[] = [];
  /** Undone steps, the next to be redone last. */
  #ahead: Step[] = [];

  /** @param budget How many numbers the remembered runs may hold together (4 bytes each). */
  constructor(readonly pixels: Pixels, readonly budget = 32_000_000) {}

  /** Goes to the state that the list describes; returns what may look different. */
  go(edits: readonly Edit[]): Box | null {
    let same = 0;
    while (same < edits.length && this.#done[same]?.edit === edits[same]) same++;
    let changed: Box | null = null;
    while (this.#done.length > same) {
      const box = this.#back();
      if (box === "forgotten") return union(this.#restart(), this.go(edits));
      changed = union(changed, box);
    }
    for (const edit of edits.slice(same)) changed = union(changed, this.#forth(edit));
    return changed;
  }

  /** Adds an edit that was drawn already, stroke by stroke. */
  add(edit: Edit): Change {
    const change = this.pixels.take();
    this.#done.push({ edit, change });
    this.#ahead = [];
    this.#forget();
    return change;
  }

  #back(): Box | null | "forgotten" {
    const step = this.#done.at(-1);
    if (!step?.change) return "forgotten";
    this.#done.pop();
    this.pixels.undo(step.change);
    this.#ahead.push(step);
    return step.change.box;
  }

  #forth(edit: Edit): Box | null {
    const step = this.#ahead.at(-1);
    if (step?.edit === edit && step.change) {
      this.#ahead.pop();
      this.#done.push(step);
      this.pixels.redo(step.change);
      return step.change.box;
    }
    draw(this.pixels, edit);
    return this.add(edit).box;
  }

  #restart(): Box | null {
    draw(this.pixels, { kind: "clear" });
    this.#done = [];
    this.#ahead = [];
    return this.pixels.take().box;
  }

  /** The oldest go first: they are the last that anyone steps back to. */
  #forget(): void {
    const size = (step: Step): number => (step.change && step.change.flips !== "all" ? step.change.flips.length : 0);
    let total = this.#done.reduce((sum, step) => sum + size(step), 0);
    for (const step of this.#done.slice(0, -1)) {
      if (total <= this.budget) return;
      total -= size(step);
      step.change = null;
    }
  }
}
