import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Edit, Mode } from "../edits";
import { brush } from "./brush";
import { eraser } from "./eraser";
import { lasso } from "./lasso";
import { line } from "./line";
import { pan } from "./pan";
import { rectangle } from "./rectangle";
import { select } from "./select";
import type { Ground, Spot } from "./tool";

let log: unknown[][] = [];
let mode: Mode = "paint";

const ground: Ground = {
  mode: () => mode,
  scale: () => 0.5,
  begin: (mode) => log.push(["begin", mode]),
  extend: (points) => log.push(["extend", ...points.map((point) => point.x)]),
  finish: () => log.push(["finish"]),
  drop: () => log.push(["drop"]),
  commit: (edit) => log.push(["commit", edit]),
  pan: (dx, dy) => log.push(["pan", dx, dy]),
  select: (place, positive) => log.push(["select", place.x, positive]),
  rest: (place) => log.push(["rest", place?.x ?? null]),
  compare: (x) => log.push(["compare", x]),
  redraw: () => undefined,
};

beforeEach(() => {
  log = [];
  mode = "paint";
});

const spot = (x: number, y: number, more: Partial<Spot> = {}): Spot =>
  ({ picture: { x, y, pressure: 1 }, screen: { x: x / 2, y: y / 2 }, shift: false, alt: false, ...more });

describe("brush and eraser", () => {
  it("a click is a dab", () => {
    const tool = brush(ground);
    tool.down(spot(5, 5));
    tool.up(spot(5, 5));
    expect(log).toEqual([["begin", "paint"], ["extend", 5], ["finish"]]);
  });

  it("a stroke leaves out points that show no difference, never the last", () => {
    const tool = eraser(ground);
    tool.down(spot(5, 5));
    tool.move([spot(5.3, 5), spot(7, 5), spot(7.4, 5)]);
    tool.move([spot(7.6, 5)]);
    tool.up(spot(9, 5));
    expect(log).toEqual([["begin", "erase"], ["extend", 5], ["extend", 7], ["extend", 9], ["finish"]]);
  });

  it("a pen that is lifted without pressure ends as thick as it was", () => {
    const tool = brush({ ...ground, extend: (points) => log.push(points.map((point) => point.pressure)) });
    tool.down({ ...spot(5, 5), picture: { x: 5, y: 5, pressure: 0.8 } });
    tool.up({ ...spot(50, 5), picture: { x: 50, y: 5, pressure: 0.3 } });
    expect(log).toEqual([["begin", "paint"], [0.8], [0.8], ["finish"]]);
  });

  it("with Shift it goes straight from the end of the last stroke, not of a dropped one", () => {
    const tool = brush(ground);
    tool.down(spot(5, 5));
    tool.up(spot(20, 5));
    tool.down(spot(300, 5));
    tool.cancel();
    log = [];
    tool.down(spot(90, 40, { shift: true }));
    expect(log).toEqual([["begin", "paint"], ["extend", 20, 90]]);
  });
});

describe("rectangle", () => {
  const drag = (from: Spot, ...to: Spot[]): Edit | undefined => {
    const tool = rectangle(ground);
    tool.down(from);
    for (const at of to) tool.move([at]);
    tool.up(to.at(-1) ?? from);
    return log[0]?.[1] as Edit | undefined;
  };

  it("is whole pixels, from any corner, in the present mode", () => {
    mode = "erase";
    expect(drag(spot(30.4, 20.6), spot(50, 50), spot(10.2, 5.7)))
      .toEqual({ kind: "rectangle", mode: "erase", left: 10, top: 6, right: 30, bottom: 21 });
  });

  it("is a square with Shift", () => {
    expect(drag(spot(30, 20), spot(10, 25, { shift: true }))).toMatchObject({ left: 10, top: 20, right: 30, bottom: 40 });
  });

  it("is nothing without an area, or when cancelled", () => {
    expect(drag(spot(30, 20), spot(30.2, 60))).toBeUndefined();
    const tool = rectangle(ground);
    tool.down(spot(1, 1));
    tool.cancel();
    tool.up(spot(9, 9));
    expect(log).toEqual([]);
  });
});

describe("lasso", () => {
  it("is the polygon of its trail", () => {
    const tool = lasso(ground);
    tool.down(spot(0, 0));
    tool.move([spot(0.5, 0), spot(10, 0), spot(10, 10)]);
    tool.up(spot(0, 10));
    expect(log[0]?.[1]).toMatchObject({ kind: "lasso", mode: "paint", points: [{ x: 0 }, { x: 10, y: 0 }, { x: 10, y: 10 }, { x: 0, y: 10 }] });
  });

  it("is nothing with two points, or when cancelled", () => {
    const tool = lasso(ground);
    tool.down(spot(0, 0));
    tool.up(spot(9, 9));
    tool.down(spot(0, 0));
    tool.move([spot(10, 0), spot(10, 10)]);
    tool.cancel();
    tool.up(spot(0, 9));
    expect(log).toEqual([]);
  });
});

describe("select", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("a click adds; with Shift, with Alt or in the erasing mode it takes away", () => {
    const tool = select(ground);
    const click = (at: Spot): void => {
      tool.down(at);
      tool.up(at);
    };
    click(spot(10, 10));
    click(spot(20, 10, { shift: true }));
    click(spot(30, 10, { alt: true }));
    mode = "erase";
    click(spot(40, 10));
    expect(log).toEqual([["select", 10, true], ["select", 20, false], ["select", 30, false], ["select", 40, false]]);
  });

  it("a drag is no click", () => {
    const tool = select(ground);
    tool.down(spot(10, 10));
    tool.up(spot(60, 10));
    expect(log).toEqual([]);
  });

  it("tells where the pointer rests, and at once when it leaves", () => {
    const tool = select(ground);
    tool.hover?.(spot(10, 10));
    vi.advanceTimersByTime(100);
    tool.hover?.(spot(20, 10));
    vi.advanceTimersByTime(200);
    tool.hover?.(null);
    expect(log).toEqual([["rest", 20], ["rest", null]]);
  });
});

it("pan moves by the way on the screen", () => {
  const tool = pan(ground);
  tool.down(spot(10, 10));
  tool.move([spot(20, 10), spot(30, 20)]);
  tool.up(spot(30, 24));
  expect(log).toEqual([["pan", 10, 5], ["pan", 0, 2]]);
});

it("the line of the comparison follows the pointer", () => {
  const tool = line(ground);
  tool.down(spot(10, 10));
  tool.move([spot(20, 10), spot(30, 10)]);
  tool.up(spot(30, 10));
  expect(log).toEqual([["compare", 5], ["compare", 15]]);
});
