import type { Box, Edit, Mode, Place, SelectPoint } from "./edits";
import type { StageEvents, ToolName } from "./events";
import { Gestures, pressureFactor, type Finger, type Pair, type Surface } from "./gestures";
import type { Layers } from "./layers";
import { drawLine, drawPoints } from "./marks";
import type { Live, Mask } from "./mask";
import { Pointers, type Target } from "./pointers";
import { sight, type Scene } from "./scene";
import { brush } from "./tools/brush";
import { eraser } from "./tools/eraser";
import { lasso } from "./tools/lasso";
import { line } from "./tools/line";
import { pan } from "./tools/pan";
import { rectangle } from "./tools/rectangle";
import { select } from "./tools/select";
import type { Ground, Spot, Tool } from "./tools/tool";
import type { View } from "./view";

/** What the hands need of the stage. */
export interface Board {
  readonly layers: Layers;
  readonly view: View;
  readonly scene: Scene;
  readonly events: StageEvents;
  mask(): Mask | null;
  /** The mask changed within the box. */
  edited(box: Box | null): void;
  /** The view changed. */
  moved(): void;
  /** What the tool layer shows changed. */
  redraw(): void;
  spent(time: number): void;
}

const TOOLS = { brush, eraser, rectangle, lasso, select, pan };

/** A press this near to the line of a comparison drags it, in CSS pixels. */
const NEAR_LINE = 22;

/** Pointers, gestures and tools: everything that a hand does to the stage. */
export class Hands {
  readonly gestures: Gestures;
  points: SelectPoint[] = [];
  mode: Mode = "paint";
  size = 40;
  readonly #pointers: Pointers;
  readonly #pan: Tool;
  readonly #line: Tool;
  #tools: Record<ToolName, Tool>;
  #tool: ToolName = "brush";
  #live: Live | null = null;
  #hovering: Finger | null = null;
  #space = false;
  #drawn = false;

  constructor(readonly board: Board) {
    const ground = this.#ground();
    this.#pan = pan(ground);
    this.#line = line(ground);
    this.#tools = this.#newTools();
    this.gestures = new Gestures(this.#surface());
    this.#pointers = new Pointers(board.layers.root, this.#target());
    this.#showCursor();
  }

  setTool(tool: ToolName): void {
    if (tool === this.#tool) return;
    this.gestures.drop();
    this.#tools[this.#tool].hover?.(null);
    this.#tool = tool;
    this.changed();
  }

  /** Nothing of the picture before remains: no gesture, no points, no end of a last stroke. */
  reset(): void {
    this.gestures.drop();
    this.#live = null;
    this.points = [];
    this.#tools = this.#newTools();
    this.changed();
  }

  /** Something changed that decides what a press would do or how large the ring is. */
  changed(): void {
    this.#showCursor();
    this.board.redraw();
  }

  /** Where the pointer is, in native pixels. */
  place(): Place | null {
    return this.#hovering && this.board.scene.picture ? this.board.view.toPicture(this.#hovering.screen) : null;
  }

  /** Draws the tool layer, and moves the ring. */
  draw(): void {
    const { layers, view, scene } = this.board;
    const { context, canvas } = layers.tools;
    const ring = this.#ringed() ? this.#hovering : null;
    layers.showRing(ring && ring.screen, this.size * view.scale);
    if (this.#drawn) {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
    }
    context.setTransform(layers.ratio.x, 0, 0, layers.ratio.y, 0, 0);
    const x = scene.line(view, layers.width);
    if (x !== null) drawLine(context, x, layers.height);
    drawPoints(context, view, this.points);
    const outlined = this.#tools[this.#tool].draw?.(context, view) ?? false;
    this.#drawn = outlined || x !== null || this.points.length > 0;
  }

  destroy(): void {
    this.#tools[this.#tool].hover?.(null);
    this.#pointers.destroy();
  }

  #newTools(): Record<ToolName, Tool> {
    const ground = this.#ground();
    return {
      brush: TOOLS.brush(ground), eraser: TOOLS.eraser(ground), rectangle: TOOLS.rectangle(ground),
      lasso: TOOLS.lasso(ground), select: TOOLS.select(ground), pan: TOOLS.pan(ground),
    };
  }

  #ringed(): boolean {
    return this.#hovering?.kind !== "touch" && this.#wouldUse(this.#hovering)?.cursor === "none";
  }

  /** The tool under way, or the one that a press here would take. */
  #wouldUse(finger: Finger | null): Tool | null {
    return this.gestures.tool ?? (finger ? this.#choose({ ...finger, button: 0 }) : null);
  }

  #showCursor(): void {
    const tool = this.#wouldUse(this.#hovering);
    const held = tool?.cursor === "grab" && this.gestures.tool !== null;
    // A ring of a few pixels is not found again: the arrow's cross helps.
    const tiny = tool?.cursor === "none" && this.size * this.board.view.scale < 6;
    this.board.layers.root.style.cursor = held ? "grabbing" : tiny ? "crosshair" : tool?.cursor ?? "default";
  }

  #choose(finger: Finger): Tool | null {
    const { scene, view, layers } = this.board;
    if (!scene.picture || finger.button > 1) return null;
    if (finger.button === 1 || this.#space) return this.#pan;
    if (finger.kind === "touch" && this.gestures.penMode) return this.#pan;
    if (scene.compare === null) return this.#tools[this.#tool];
    const x = scene.line(view, layers.width);
    return x !== null && Math.abs(finger.screen.x - x) <= NEAR_LINE ? this.#line : this.#pan;
  }

  #spot(finger: Finger): Spot {
    const { x, y } = this.board.view.toPicture(finger.screen);
    return { picture: { x, y, pressure: pressureFactor(finger) }, screen: finger.screen, shift: finger.shift, alt: finger.alt };
  }

  #surface(): Surface {
    return {
      pan: this.#pan,
      choose: (finger) => this.#choose(finger),
      spot: (finger) => this.#spot(finger),
      pinch: (from, to) => this.#pinch(from, to),
    };
  }

  #pinch(from: Pair, to: Pair): void {
    const spread = ([a, b]: Pair): number => Math.hypot(a.x - b.x, a.y - b.y);
    const middle = ([a, b]: Pair): Place => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
    const [start, end] = [middle(from), middle(to)];
    this.board.view.pan(end.x - start.x, end.y - start.y);
    this.board.view.zoomAt(end, Math.max(1, spread(to)) / Math.max(1, spread(from)));
    this.board.moved();
  }

  #target(): Target {
    const { board } = this;
    return {
      gestures: this.gestures,
      hover: (finger) => {
        this.#hovering = finger;
        if (this.gestures.idle) this.#tools[this.#tool].hover?.(finger && board.scene.picture ? this.#spot(finger) : null);
        this.changed();
      },
      zoomAt: (at, factor) => {
        if (!board.scene.picture) return;
        board.view.zoomAt(at, factor);
        board.moved();
      },
      resize: (factor) => {
        // At least one pixel more or less, so that small brushes change too.
        const step = factor > 1 ? Math.ceil : Math.floor;
        board.events.size?.(Math.max(1, step(this.size * factor)));
      },
      space: (held) => {
        this.#space = held;
        this.changed();
      },
      spent: (time) => board.spent(time),
    };
  }

  #ground(): Ground {
    const { board } = this;
    return {
      mode: () => this.mode,
      scale: () => board.view.scale,
      begin: (mode) => {
        this.#live = board.mask()?.begin(mode, this.size) ?? null;
      },
      extend: (points) => board.edited(this.#live?.extend(points) ?? null),
      finish: () => {
        const edit = this.#live?.finish();
        this.#live = null;
        if (edit) board.events.edit(edit);
      },
      drop: () => {
        board.edited(this.#live?.drop() ?? null);
        this.#live = null;
      },
      commit: (edit) => this.#commit(edit),
      pan: (dx, dy) => {
        board.view.pan(dx, dy);
        board.moved();
      },
      select: (place, positive) => {
        this.points = [...this.points, { ...place, positive }];
        board.redraw();
        board.events.select?.(this.points);
      },
      rest: (place) => board.events.hover?.(place),
      compare: (x) => {
        const { from, to } = sight(board.scene.picture?.width ?? 0, board.view, board.layers.width);
        if (to > from) board.events.compare?.(Math.min(1, Math.max(0, (x - from) / (to - from))));
      },
      redraw: () => board.redraw(),
    };
  }

  #commit(edit: Edit): void {
    const { board } = this;
    board.edited(board.mask()?.apply(edit) ?? null);
    board.events.edit(edit);
  }
}
