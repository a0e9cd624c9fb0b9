import type { Place } from "./edits";
import type { Finger, Gestures } from "./gestures";

/** What the events are turned into, beside gestures. */
export interface Target {
  readonly gestures: Gestures;
  /** A pointer without a button; null: none is over the host. */
  hover(finger: Finger | null): void;
  zoomAt(at: Place, factor: number): void;
  /** Alt+wheel: more than 1 is larger. */
  resize(factor: number): void;
  /** The Space key goes down or up. */
  space(held: boolean): void;
  /** Milliseconds that the events took. */
  spent(time: number): void;
}

/** Where Space and presses have a meaning of their own. */
const BUSY = "input, textarea, select, button, a, label, summary, [contenteditable], [role=slider], [role=dialog], [draggable=true]";

/** Listens to the pointer, the wheel and the Space key, and tells the target. */
export class Pointers {
  readonly #off = new AbortController();
  /** The last place of a press that began beside the host: it paints from the edge when it comes in. */
  #outside: Finger | null = null;
  #over = false;
  #space = false;
  #spaceUsed = false;

  constructor(readonly root: HTMLElement, readonly target: Target) {
    const on = <K extends keyof WindowEventMap>(where: EventTarget, name: K, act: (event: WindowEventMap[K]) => void, active = false): void =>
      where.addEventListener(name, (event) => this.#timed(() => act(event as WindowEventMap[K])), { signal: this.#off.signal, passive: !active });
    on(root, "pointerdown", (event) => this.#down(event), true);
    // On the window: captured pointers end up here too, and those that could not be captured as well.
    on(window, "pointermove", (event) => this.#move(event));
    on(window, "pointerup", (event) => this.#up(event));
    on(window, "pointercancel", (event) => this.target.gestures.cancel(this.#finger(event)));
    on(window, "pointerdown", (event) => this.#downOutside(event));
    on(root, "pointerleave", () => this.#leave());
    on(root, "wheel", (event) => this.#wheel(event), true);
    on(root, "contextmenu", (event) => event.preventDefault(), true);
    on(window, "keydown", (event) => this.#keyDown(event), true);
    on(window, "keyup", (event) => this.#keyUp(event), true);
    on(window, "blur", () => this.#setSpace(false));
  }

  destroy(): void {
    this.#off.abort();
  }

  #timed(act: () => void): void {
    const start = performance.now();
    act();
    this.target.spent(performance.now() - start);
  }

  #finger(event: PointerEvent): Finger {
    const kind = event.pointerType === "pen" || event.pointerType === "touch" ? event.pointerType : "mouse";
    const { pointerId: id, pressure, button, buttons, shiftKey: shift, altKey: alt } = event;
    return { id, kind, screen: this.#place(event), pressure, button, buttons, shift, alt };
  }

  /** CSS pixels from the host's corner, also within a page that is scaled by CSS. */
  #place(event: MouseEvent): Place {
    const box = this.root.getBoundingClientRect();
    const scale = box.width / this.root.offsetWidth || 1;
    return { x: (event.clientX - box.left) / scale, y: (event.clientY - box.top) / scale };
  }

  #down(event: PointerEvent): void {
    this.#outside = null;
    if (this.#space) this.#spaceUsed = true;
    if (!this.target.gestures.down(this.#finger(event))) return;
    event.preventDefault(); // no autoscroll by the middle button, no selecting of text
    this.#capture(event.pointerId);
  }

  /** The pointer reports to us wherever it goes. Events made by a script have no pointer to capture. */
  #capture(id: number): void {
    try {
      this.root.setPointerCapture(id);
    } catch {
      return;
    }
  }

  #downOutside(event: PointerEvent): void {
    const element = event.target instanceof Element ? event.target : null;
    if (!element || this.root.contains(element) || element.closest(BUSY) || event.pointerType === "touch") return;
    this.#outside = this.#finger(event);
  }

  #move(event: PointerEvent): void {
    const { gestures } = this.target;
    const inside = event.target instanceof Node && this.root.contains(event.target);
    const finger = this.#finger(event);
    if (finger.kind === "pen") gestures.penSeen();
    if (this.#outside && gestures.idle) this.#comeIn(this.#outside, finger, inside);
    if (gestures.idle && finger.buttons === 0 && finger.kind !== "touch") this.#hover(inside ? finger : null);
    if (gestures.idle) return;
    const events = event.getCoalescedEvents?.() ?? [];
    gestures.move(events.length ? events.map((each) => this.#finger(each)) : [finger]);
    if (finger.kind !== "touch") this.#hover(finger);
  }

  #comeIn(from: Finger, finger: Finger, inside: boolean): void {
    this.#outside = finger.buttons & 1 && finger.id === from.id ? finger : null;
    if (!inside || !this.#outside) return;
    this.#outside = null;
    if (this.target.gestures.down({ ...from, button: 0 })) this.#capture(finger.id);
  }

  #up(event: PointerEvent): void {
    this.#outside = null;
    this.target.gestures.up(this.#finger(event));
  }

  #leave(): void {
    if (this.target.gestures.idle) this.#hover(null);
  }

  #hover(finger: Finger | null): void {
    if (!finger && !this.#over) return;
    this.#over = finger !== null;
    this.target.hover(finger);
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    // Lines and pages count as so many pixels; with Alt or Shift some systems turn the wheel sideways.
    const unit = [1, 16, 400][event.deltaMode] ?? 1;
    const turned = (event.deltaY || event.deltaX) * unit;
    if (turned === 0) return;
    // A pinch on a trackpad arrives as a wheel with Ctrl, in small steps.
    const factor = Math.exp(-Math.max(-240, Math.min(240, turned)) * (event.ctrlKey ? 0.01 : 0.002));
    if (event.altKey) this.target.resize(factor);
    else this.target.zoomAt(this.#place(event), factor);
  }

  #keyDown(event: KeyboardEvent): void {
    if (event.code !== "Space" || event.ctrlKey || event.metaKey || event.altKey) return;
    const element = event.target instanceof Element ? event.target : null;
    if (element?.closest("input:not([type=range]), textarea, select, [contenteditable]")) return;
    // Space on a button presses it, unless it is used to drag meanwhile (keyUp); elsewhere it would scroll the page.
    if (!element?.closest(BUSY)) event.preventDefault();
    if (this.#over) this.#setSpace(true);
  }

  #keyUp(event: KeyboardEvent): void {
    if (event.code !== "Space") return;
    if (this.#spaceUsed) event.preventDefault();
    this.#setSpace(false);
  }

  #setSpace(held: boolean): void {
    if (held === this.#space) return;
    this.#space = held;
    this.#spaceUsed = false;
    this.target.space(held);
  }
}
