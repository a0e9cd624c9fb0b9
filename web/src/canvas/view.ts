import type { Place } from "./edits";

/**
 * Where the picture lies in the host. Screen places are CSS pixels from the host's upper left corner.
 *
 * `scale` is CSS pixels per picture pixel: 100 % is one picture pixel per CSS pixel, whatever the screen's density.
 * It goes from 25 % to 800 %, and down to what `fit` needs.
 */
export class View {
  scale = 1;
  /** The picture's upper left corner on the screen. */
  x = 0;
  y = 0;
  /** True from `fit` until the next zoom or pan: a host that changes its size fits again. */
  fitted = true;
  #host = { width: 0, height: 0 };
  #picture = { width: 0, height: 0 };

  static readonly SMALLEST = 0.25;
  static readonly LARGEST = 8;

  toPicture(screen: Place): Place {
    return { x: (screen.x - this.x) / this.scale, y: (screen.y - this.y) / this.scale };
  }

  toScreen(picture: Place): Place {
    return { x: picture.x * this.scale + this.x, y: picture.y * this.scale + this.y };
  }

  /** Zooms by `factor`; what lies under the screen place stays there. */
  zoomAt(screen: Place, factor: number): void {
    const under = this.toPicture(screen);
    this.scale = Math.min(View.LARGEST, Math.max(this.smallest(), this.scale * factor));
    this.x = screen.x - under.x * this.scale;
    this.y = screen.y - under.y * this.scale;
    this.fitted = false;
    this.#keepInSight();
  }

  /** Moves the picture by CSS pixels. */
  pan(dx: number, dy: number): void {
    this.x += dx;
    this.y += dy;
    this.fitted = false;
    this.#keepInSight();
  }

  /** The whole picture, centred. */
  fit(): void {
    this.scale = this.#fitting();
    this.#centre();
    this.fitted = true;
  }

  /** 100 %, about the middle of the host. */
  actual(): void {
    this.zoomAt({ x: this.#host.width / 2, y: this.#host.height / 2 }, 1 / this.scale);
  }

  /** The smallest scale that zooming reaches. */
  smallest(): number {
    return Math.min(View.SMALLEST, this.#fitting());
  }

  /** Called by the stage: a new picture is fitted. */
  setPicture(width: number, height: number): void {
    this.#picture = { width, height };
    this.fit();
  }

  /** Called by the stage: what was in the middle of the host stays in the middle. */
  setHost(width: number, height: number): void {
    const before = this.#host;
    this.#host = { width, height };
    if (this.fitted) return this.fit();
    this.x += (width - before.width) / 2;
    this.y += (height - before.height) / 2;
    this.#keepInSight();
  }

  #fitting(): number {
    const { width, height } = this.#picture;
    if (!width || !height || !this.#host.width || !this.#host.height) return 1;
    const margin = Math.min(16, this.#host.width / 8, this.#host.height / 8);
    const free = { width: this.#host.width - 2 * margin, height: this.#host.height - 2 * margin };
    return Math.min(View.LARGEST, free.width / width, free.height / height);
  }

  #centre(): void {
    this.x = (this.#host.width - this.#picture.width * this.scale) / 2;
    this.y = (this.#host.height - this.#picture.height * this.scale) / 2;
  }

  /** A picture that left the host could not be dragged back. */
  #keepInSight(): void {
    this.x = keep(this.x, this.#picture.width * this.scale, this.#host.width);
    this.y = keep(this.y, this.#picture.height * this.scale, this.#host.height);
  }
}

function keep(start: number, length: number, host: number): number {
  const seen = Math.min(24, length, host);
  return Math.min(host - seen, Math.max(seen - length, start));
}
