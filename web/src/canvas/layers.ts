/** The canvases in the host, one above the other, and the ring of the brush. Sized in the screen's own pixels. */
export class Layers {
  readonly root = document.createElement("div");
  readonly picture = layer();
  readonly overlay = layer();
  readonly tools = layer();
  readonly ring = document.createElement("div");
  /** Size of the host in CSS pixels. */
  width = 0;
  height = 0;
  /** The overlay has a pixel for so many of the screen's: a dense screen would show no difference, but a slower one. */
  #coarse = 1;
  /** The density at the last measuring. */
  #known = devicePixelRatio;
  readonly #observer = new ResizeObserver((entries) => this.#measure(entries.at(-1)));
  #density: MediaQueryList | null = null;

  /** `resized` is called after every change of the size or of the screen's density. */
  constructor(host: HTMLElement, readonly resized: () => void) {
    if (getComputedStyle(host).position === "static") host.style.position = "relative";
    // What the browser would do with fingers and long presses would tear strokes apart.
    style(this.root, { position: "absolute", inset: "0", overflow: "hidden", touchAction: "none", userSelect: "none" });
    this.root.style.setProperty("-webkit-touch-callout", "none");
    this.picture.canvas.setAttribute("role", "img");
    for (const hidden of [this.overlay.canvas, this.tools.canvas, this.ring]) hidden.setAttribute("aria-hidden", "true");
    style(this.ring, {
      position: "absolute", left: "0", top: "0", borderRadius: "50%", boxSizing: "border-box", display: "none",
      border: "1.5px solid white", boxShadow: "0 0 0 1px rgb(0 0 0 / 0.7), inset 0 0 0 1px rgb(0 0 0 / 0.7)", pointerEvents: "none",
    });
    this.ring.dataset["ring"] = "";
    this.root.append(this.picture.canvas, this.overlay.canvas, this.tools.canvas, this.ring);
    host.append(this.root);
    this.#fit();
    this.#watch();
  }

  /** For a change of the density that no event told of. */
  check(): void {
    if (devicePixelRatio !== this.#known) this.#measure();
  }

  /** Screen pixels per CSS pixel, along and down: what rounding the size left of the density. */
  get ratio(): { x: number; y: number } {
    const { canvas } = this.picture;
    return { x: this.width ? canvas.width / this.width : 1, y: this.height ? canvas.height / this.height : 1 };
  }

  /** The same for the overlay. */
  get overlayRatio(): { x: number; y: number } {
    const { x, y } = this.ratio;
    return { x: x / this.#coarse, y: y / this.#coarse };
  }

  /** Shows the ring about a place on the screen (CSS pixels), or hides it. */
  showRing(at: { x: number; y: number } | null, diameter: number): void {
    this.ring.style.display = at ? "block" : "none";
    if (!at) return;
    const size = `${diameter}px`;
    const transform = `translate(${at.x - diameter / 2}px, ${at.y - diameter / 2}px)`;
    style(this.ring, { width: size, height: size, transform });
  }

  destroy(): void {
    this.#observer.disconnect();
    this.#density?.removeEventListener("change", this.#denser);
    this.root.remove();
  }

  #watch(): void {
    try {
      this.#observer.observe(this.root, { box: "device-pixel-content-box" });
    } catch {
      this.#observer.observe(this.root); // Safari knows only CSS pixels
    }
    this.#denser();
  }

  /** A query holds for one density: after each change another one is needed. */
  readonly #denser = (): void => {
    this.#density?.removeEventListener("change", this.#denser);
    if (this.#density) this.#measure();
    this.#density = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    this.#density.addEventListener("change", this.#denser);
  };

  #measure(entry?: ResizeObserverEntry): void {
    if (this.#fit(entry)) this.resized();
  }

  /** Gives the canvases the size of the host; false if they have it. */
  #fit(entry?: ResizeObserverEntry): boolean {
    this.#known = devicePixelRatio;
    const { width, height } = this.root.getBoundingClientRect();
    const exact = entry?.devicePixelContentBoxSize?.[0];
    const pixels = {
      width: agreed(exact?.inlineSize, width * devicePixelRatio),
      height: agreed(exact?.blockSize, height * devicePixelRatio),
    };
    const { canvas } = this.picture;
    if (width === this.width && height === this.height && canvas.width === pixels.width && canvas.height === pixels.height) return false;
    [this.width, this.height] = [width, height];
    for (const { canvas } of [this.picture, this.tools]) Object.assign(canvas, pixels);
    this.#fitOverlay(pixels);
    return true;
  }

  #fitOverlay(pixels: { width: number; height: number }): void {
    this.#coarse = Math.max(1, Math.floor(devicePixelRatio));
    const { canvas } = this.overlay;
    canvas.width = Math.ceil(pixels.width / this.#coarse);
    canvas.height = Math.ceil(pixels.height / this.#coarse);
    const { x, y } = this.overlayRatio;
    style(canvas, { width: `${canvas.width / x}px`, height: `${canvas.height / y}px`, imageRendering: "pixelated" });
  }
}

/** What the browser says, unless it is not about this screen: an emulated density changes the ratio, but not the size it reports. */
function agreed(reported: number | undefined, expected: number): number {
  return reported !== undefined && Math.abs(reported - expected) <= 1 ? reported : Math.round(expected);
}

export type Layer = { canvas: HTMLCanvasElement; context: CanvasRenderingContext2D };

function layer(): Layer {
  const canvas = document.createElement("canvas");
  style(canvas, { position: "absolute", inset: "0", width: "100%", height: "100%", display: "block" });
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser has no 2-D canvas");
  return { canvas, context };
}

function style(element: HTMLElement, rules: Partial<CSSStyleDeclaration>): void {
  Object.assign(element.style, rules);
}
