import { describe, expect, it } from "vitest";
import type { Place } from "./edits";
import { capsule, polygon, rectangle, type Disc, type Row } from "./scanline";
import { dice, same } from "./testing";

const [WIDTH, HEIGHT] = [40, 30];

/** The rows as bytes, clipped as the mask clips them. */
function painted(shape: (row: Row) => void): Uint8Array {
  const bytes = new Uint8Array(WIDTH * HEIGHT);
  shape((y, from, to) => {
    if (y < 0 || y >= HEIGHT) throw new Error(`row ${y} is not in the picture`);
    if (to > 0 && from < WIDTH) bytes.fill(1, y * WIDTH + Math.max(0, from), y * WIDTH + Math.min(WIDTH, to));
  });
  return bytes;
}

function brute(inside: (x: number, y: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: WIDTH * HEIGHT }, (_, i) => Number(inside((i % WIDTH) + 0.5, Math.floor(i / WIDTH) + 0.5)));
}

/** Distance to the chain of discs along the segment, negative inside; found by trying many of them. */
function gap(a: Disc, b: Disc, x: number, y: number): number {
  let least = Infinity;
  for (let step = 0; step <= 400; step++) {
    const t = step / 400;
    const centre = Math.hypot(x - (a.x + t * (b.x - a.x)), y - (a.y + t * (b.y - a.y)));
    least = Math.min(least, centre - (a.radius + t * (b.radius - a.radius)));
  }
  return least;
}

describe("capsule", () => {
  it("is a disc where both ends are one: the centres within the radius, the rim counted in", () => {
    const disc = { x: 10.5, y: 12.5, radius: 5 };
    const bytes = painted((row) => capsule(disc, disc, HEIGHT, row));
    expect(bytes).toEqual(brute((x, y) => (x - 10.5) ** 2 + (y - 12.5) ** 2 <= 25));
    expect(bytes[12 * WIDTH + 5]).toBe(1);
    expect(bytes[8 * WIDTH + 7]).toBe(1); // 3, 4, 5
  });

  it("paints one pixel with a brush of one pixel, wherever in the pixel it is", () => {
    const disc = { x: 7.5, y: 3.5, radius: 0.5 };
    expect(painted((row) => capsule(disc, disc, HEIGHT, row)).reduce((a, b) => a + b)).toBe(1);
  });

  it("equals brute force for random discs, in and beyond the picture", () => {
    const random = dice(1);
    for (let i = 0; i < 300; i++) {
      const disc = { x: random() * 60 - 10, y: random() * 50 - 10, radius: random() * 12 };
      const bytes = painted((row) => capsule(disc, disc, HEIGHT, row));
      expect(same(bytes, brute((x, y) => (x - disc.x) ** 2 + (y - disc.y) ** 2 <= disc.radius ** 2))).toBe(true);
    }
  });

  it("equals the union of the discs on the way, for random ends and radii", () => {
    const random = dice(2);
    for (let i = 0; i < 25; i++) {
      const end = (): Disc => ({ x: random() * 50 - 5, y: random() * 40 - 5, radius: random() * 8 });
      const [a, b] = [end(), end()];
      const bytes = painted((row) => capsule(a, b, HEIGHT, row));
      // The trial discs are a seventh of a pixel apart: nearer than a hundredth to the rim they prove nothing.
      const wrong = bytes.findIndex((value, at) => {
        const distance = gap(a, b, (at % WIDTH) + 0.5, Math.floor(at / WIDTH) + 0.5);
        return Math.abs(distance) > 0.01 && value !== Number(distance < 0);
      });
      expect(wrong).toBe(-1);
    }
  });

  it("is the larger disc where it holds the smaller one", () => {
    const [a, b] = [{ x: 12, y: 12, radius: 8 }, { x: 13, y: 12, radius: 2 }];
    const bytes = painted((row) => capsule(a, b, HEIGHT, row));
    expect(bytes).toEqual(painted((row) => capsule(a, a, HEIGHT, row)));
    expect(bytes).toEqual(painted((row) => capsule(b, a, HEIGHT, row)));
  });
});

describe("polygon", () => {
  /** Counts crossings to the right of the place. */
  const evenOdd = (places: Place[]) => (x: number, y: number): boolean =>
    places.reduce((inside, a, i) => {
      const b = places[(i + 1) % places.length] as Place;
      const crosses = a.y > y !== b.y > y && x < a.x + ((y - a.y) / (b.y - a.y)) * (b.x - a.x);
      return crosses ? !inside : inside;
    }, false);

  it("equals brute force for random polygons that cross themselves", () => {
    const random = dice(3);
    for (let i = 0; i < 200; i++) {
      const places = Array.from({ length: 3 + Math.floor(random() * 8) }, () => ({ x: random() * 60 - 10, y: random() * 50 - 10 }));
      expect(same(painted((row) => polygon(places, HEIGHT, row)), brute(evenOdd(places)))).toBe(true);
    }
  });

  it("counts every pixel once where two polygons share a side", () => {
    const left = [{ x: 0, y: 0 }, { x: 13.5, y: 0 }, { x: 20.5, y: 30 }, { x: 0, y: 30 }];
    const right = [{ x: 13.5, y: 0 }, { x: 40, y: 0 }, { x: 40, y: 30 }, { x: 20.5, y: 30 }];
    const [a, b] = [left, right].map((places) => painted((row) => polygon(places, HEIGHT, row)));
    a?.forEach((value, i) => expect(value + (b?.[i] ?? 0)).toBe(1));
  });
});

it("a rectangle holds the pixels whose centres it holds, whichever corner came first", () => {
  const inside = brute((x, y) => x > 3.2 && x < 17.8 && y > 4.5 && y < 9.4);
  expect(painted((row) => rectangle(3.2, 4.6, 17.8, 9.4, HEIGHT, row))).toEqual(inside);
  expect(painted((row) => rectangle(17.8, 9.4, 3.2, 4.6, HEIGHT, row))).toEqual(inside);
});
