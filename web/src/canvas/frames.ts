/** How many durations are kept. */
const KEPT = 600;

/** One drawing a frame, however often it is asked for, and how long each took: the drawing and the events before it. */
export class Frames {
  readonly durations: number[] = [];
  #asked = 0;
  #spent = 0;

  constructor(readonly draw: () => void) {}

  request(): void {
    if (!this.#asked) this.#asked = requestAnimationFrame(() => this.#run());
  }

  /** Draws at once: a canvas that changed its size is empty, and would be for one frame. */
  now(): void {
    cancelAnimationFrame(this.#asked);
    this.#run();
  }

  /** Work that was done for the coming frame outside of it, in milliseconds. */
  spent(time: number): void {
    this.#spent += time;
  }

  stop(): void {
    cancelAnimationFrame(this.#asked);
  }

  #run(): void {
    this.#asked = 0;
    const start = performance.now();
    this.draw();
    this.durations.push(performance.now() - start + this.#spent);
    if (this.durations.length > KEPT) this.durations.shift();
    this.#spent = 0;
  }
}
