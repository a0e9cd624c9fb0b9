import { PNG } from "pngjs";
import { describe, expect, it } from "vitest";
import type { Box, Edit, Point } from "./edits";
import { Mask } from "./mask";
import { white } from "./png";
import { dice, randomEdit, same } from "./testing";

const [WIDTH, HEIGHT] = [61, 43];

function fresh(edits: readonly Edit[]): Mask {
  const mask = new Mask(WIDTH, HEIGHT);
  mask.replay(edits);
  return mask;
}

function bruteBounds(mask: Mask): Box | null {
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
  mask.bytes.forEach((value, i) => {
    if (!value) return;
    const [x, y] = [i % mask.width, Math.floor(i / mask.width)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  });
  return right < 0 ? null : { left, top, width: right + 1 - left, height: bottom + 1 - top };
}

function expectSame(mask: Mask, other: Mask): void {
  expect(same(mask.bytes, other.bytes)).toBe(true);
  expect(mask.count).toBe(other.bytes.reduce((sum, value) => sum + value, 0));
  expect(mask.bounds()).toEqual(bruteBounds(other));
}

const point = (x: number, y: number, pressure = 1): Point => ({ x, y, pressure });

describe("edits", () => {
  it("a dab sets the pixels whose centre is within half its size", () => {
    const mask = fresh([{ kind: "stroke", mode: "paint", size: 6, points: [point(10.5, 10.5)] }]);
    mask.bytes.forEach((value, i) => {
      const distance = Math.hypot((i % WIDTH) - 10, Math.floor(i / WIDTH) - 10);
      expect(value).toBe(Number(distance <= 3));
    });
  });

  it("pressure is a factor of the radius", () => {
    const half = fresh([{ kind: "stroke", mode: "paint", size: 12, points: [point(20, 20, 0.5)] }]);
    expect(half.bytes).toEqual(fresh([{ kind: "stroke", mode: "paint", size: 6, points: [point(20, 20)] }]).bytes);
  });

  it("bitmaps add, take away or replace, and runs come back as they were", () => {
    const random = dice(5);
    const old = Uint8Array.from({ length: WIDTH * HEIGHT }, () => Number(random() < 0.5));
    const other = Uint8Array.from({ length: WIDTH * HEIGHT }, () => Number(random() < 0.1));
    const of = (bytes: Uint8Array): Mask => {
      const mask = new Mask(WIDTH, HEIGHT);
      mask.bytes.set(bytes);
      return mask;
    };
    const [a, b] = [of(old).toRuns(), of(other).toRuns()];
    expect(Mask.fromRuns(a, WIDTH, HEIGHT).bytes).toEqual(old);
    const after = (mode: "paint" | "erase" | "replace"): Uint8Array =>
      fresh([{ kind: "bitmap", mode: "paint", runs: a }, { kind: "bitmap", mode, runs: b }]).bytes;
    expect(after("paint")).toEqual(old.map((value, i) => value | (other[i] ?? 0)));
    expect(after("erase")).toEqual(old.map((value, i) => value & ~(other[i] ?? 0)));
    expect(after("replace")).toEqual(other);
  });

  it("an empty and a full mask have runs too", () => {
    expect(new Mask(3, 2).toRuns()).toEqual([6]);
    expect(fresh([{ kind: "invert" }]).toRuns()).toEqual([0, WIDTH * HEIGHT]);
  });

  it.each([1, 2, 2.5, 3, 7, 100])("growing by %d and shrinking equal brute force", (by) => {
    const random = dice(by * 10);
    for (const share of [0.002, 0.5, 0.998]) {
      const bytes = Uint8Array.from({ length: WIDTH * HEIGHT }, () => Number(random() < share));
      const grown = (pixels: number): Uint8Array => {
        const start = new Mask(WIDTH, HEIGHT);
        start.bytes.set(bytes);
        return fresh([{ kind: "bitmap", mode: "paint", runs: start.toRuns() }, { kind: "grow", pixels }]).bytes;
      };
      const near = (value: number) => (_: number, i: number): boolean => bytes.some((other, j) =>
        other === value && ((i % WIDTH) - (j % WIDTH)) ** 2 + (Math.floor(i / WIDTH) - Math.floor(j / WIDTH)) ** 2 <= by * by);
      expect(grown(by)).toEqual(bytes.map((old, i) => (old || near(1)(old, i) ? 1 : 0)));
      expect(grown(-by)).toEqual(bytes.map((old, i) => (old && !near(0)(old, i) ? 1 : 0)));
    }
  });
});

describe("replay", () => {
  it("walks back and forth through random edits, byte-equal to a fresh replay", () => {
    for (const seed of [1, 2, 3]) {
      const random = dice(seed);
      const edits = Array.from({ length: 60 }, () => randomEdit(random, WIDTH, HEIGHT));
      const mask = new Mask(WIDTH, HEIGHT);
      let length = 0;
      for (let step = 0; step < 150; step++) {
        length = random() < 0.3 ? Math.floor(random() * 61) : Math.max(0, Math.min(60, length + (random() < 0.5 ? -1 : 1)));
        mask.replay(edits.slice(0, length));
        expectSame(mask, fresh(edits.slice(0, length)));
      }
    }
  });

  it("a new edit after an undo takes the place of the old ones", () => {
    const random = dice(9);
    const edits = Array.from({ length: 12 }, () => randomEdit(random, WIDTH, HEIGHT));
    const mask = fresh(edits);
    const others = [...edits.slice(0, 5), ...edits.slice(8, 10)];
    mask.replay(others);
    expectSame(mask, fresh(others));
    mask.replay(edits);
    expectSame(mask, fresh(edits));
  });

  it("equal edits that are other objects (read from storage) give the same bytes", () => {
    const random = dice(11);
    const edits = Array.from({ length: 15 }, () => randomEdit(random, WIDTH, HEIGHT));
    const mask = fresh(edits);
    mask.replay(structuredClone(edits).slice(0, 9));
    expectSame(mask, fresh(edits.slice(0, 9)));
  });

  it("the box it returns holds everything that changed", () => {
    const random = dice(12);
    const edits = Array.from({ length: 40 }, () => randomEdit(random, WIDTH, HEIGHT));
    const mask = new Mask(WIDTH, HEIGHT);
    for (let step = 0; step < 80; step++) {
      const before = mask.bytes.slice();
      const box = mask.replay(edits.slice(0, Math.floor(random() * 41)));
      const outside = (x: number, y: number): boolean =>
        !box || x < box.left || x >= box.left + box.width || y < box.top || y >= box.top + box.height;
      const missed = mask.bytes.findIndex((value, i) => value !== before[i] && outside(i % WIDTH, Math.floor(i / WIDTH)));
      expect(missed).toBe(-1);
    }
  });
});

describe("a stroke under way", () => {
  const old: Edit = { kind: "rectangle", mode: "paint", left: 2, top: 2, right: 30, bottom: 20 };
  const points = [point(5, 5), point(25, 9, 0.6), point(28, 33), point(8, 30, 0.3)];

  it("looks like the edit that it becomes", () => {
    const mask = fresh([old]);
    const live = mask.begin("erase", 9);
    live.extend(points.slice(0, 1));
    live.extend(points.slice(1, 3));
    live.extend(points.slice(3));
    const shown = mask.bytes.slice();
    const edit = live.finish();
    expect(edit).toEqual({ kind: "stroke", mode: "erase", size: 9, points });
    expect(mask.bytes).toEqual(shown);
    expect(mask.replay([old, edit])).toBeNull();
    expectSame(mask, fresh([old, edit]));
    mask.replay([old]);
    expectSame(mask, fresh([old]));
  });

  it("leaves nothing behind when it is dropped", () => {
    const mask = fresh([old]);
    const live = mask.begin("erase", 9);
    live.extend(points);
    live.drop();
    expectSame(mask, fresh([old]));
  });

  it("stays on top when the edits below it change", () => {
    const other: Edit = { kind: "invert" };
    const mask = fresh([old, other]);
    const live = mask.begin("paint", 7);
    live.extend(points.slice(0, 2));
    mask.replay([old]);
    live.extend(points.slice(2));
    expectSame(mask, fresh([old, live.finish()]));
  });
});

describe("png", () => {
  it.each([[1, 1], [8, 3], [9, 5], [61, 43], [2003, 701]])("of %d x %d is 1-bit grey and decodes to the mask", async (width, height) => {
    const random = dice(width);
    const mask = new Mask(width, height);
    for (let i = 0; i < 12; i++) mask.apply(randomEdit(random, width, height));
    const file = Buffer.from(await (await mask.toPng()).arrayBuffer());
    expect([file[24], file[25]]).toEqual([1, 0]); // bit depth, colour type
    const decoded = PNG.sync.read(file);
    expect([decoded.width, decoded.height]).toEqual([width, height]);
    const equal = mask.bytes.every((value, i) => decoded.data[4 * i] === 255 * value && decoded.data[4 * i + 3] === 255);
    expect(equal).toBe(true);
  });

  it("reads colours by luma over black, as the server does", () => {
    const rgba = Uint8ClampedArray.of(
      128, 128, 128, 255, 127, 127, 127, 255, 255, 255, 255, 128, 255, 255, 255, 127, 255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255,
    );
    const out = new Uint8Array(7);
    white(rgba, out);
    expect([...out]).toEqual([1, 0, 1, 0, 0, 1, 0]);
  });
});
