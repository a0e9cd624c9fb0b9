import { describe, expect, it } from "vitest";
import { dice } from "./testing";
import { View } from "./view";

function view(width = 6000, height = 4000, host = { width: 1200, height: 740 }): View {
  const made = new View();
  made.setHost(host.width, host.height);
  made.setPicture(width, height);
  return made;
}

const near = (a: { x: number; y: number }, b: { x: number; y: number }): void => {
  expect(a.x).toBeCloseTo(b.x, 6);
  expect(a.y).toBeCloseTo(b.y, 6);
};

describe("view", () => {
  it("fits the whole picture, centred, also below 25 %", () => {
    const v = view();
    expect(v.scale).toBeLessThan(0.25);
    const [a, b] = [v.toScreen({ x: 0, y: 0 }), v.toScreen({ x: 6000, y: 4000 })];
    expect(Math.min(a.x, a.y)).toBeGreaterThanOrEqual(0);
    expect(b.x).toBeLessThanOrEqual(1200);
    expect(b.y).toBeLessThanOrEqual(740);
    expect(a.x + b.x).toBeCloseTo(1200);
    expect(a.y + b.y).toBeCloseTo(740);
  });

  it("maps there and back", () => {
    const v = view();
    v.zoomAt({ x: 317.25, y: 411.5 }, 3.7);
    near(v.toPicture(v.toScreen({ x: 1234.5, y: 99.25 })), { x: 1234.5, y: 99.25 });
  });

  it("keeps what is under the pointer there, through many zooms", () => {
    const v = view();
    const pointer = { x: 700.5, y: 250.25 };
    const under = v.toPicture(pointer);
    const random = dice(1);
    for (let i = 0; i < 200; i++) {
      v.zoomAt(pointer, Math.exp(random() - 0.5));
      near(v.toPicture(pointer), under);
    }
  });

  it("zooms from 25 % to 800 %, and no smaller than what fits", () => {
    const small = view(800, 600);
    small.zoomAt({ x: 600, y: 370 }, 1e-6);
    expect(small.scale).toBe(0.25);
    small.zoomAt({ x: 600, y: 370 }, 1e6);
    expect(small.scale).toBe(8);
    const large = view();
    const fitting = large.scale;
    large.zoomAt({ x: 600, y: 370 }, 1e-6);
    expect(large.scale).toBe(fitting);
  });

  it("at 100 % one pixel of the picture is one CSS pixel, and the middle stays", () => {
    const v = view();
    const middle = v.toPicture({ x: 600, y: 370 });
    v.actual();
    expect(v.scale).toBe(1);
    near(v.toPicture({ x: 600, y: 370 }), middle);
  });

  it("never loses the picture", () => {
    const v = view(300, 200);
    v.pan(-1e5, 1e5);
    expect(v.toScreen({ x: 300, y: 200 }).x).toBeGreaterThan(0);
    expect(v.toScreen({ x: 0, y: 0 }).y).toBeLessThan(740);
  });

  it("fits again when the host changes its size, unless somebody zoomed: then the middle stays", () => {
    const v = view();
    v.setHost(600, 400);
    expect(v.toScreen({ x: 6000, y: 0 }).x).toBeLessThanOrEqual(600);
    v.zoomAt({ x: 300, y: 200 }, 4);
    const middle = v.toPicture({ x: 300, y: 200 });
    v.setHost(900, 500);
    near(v.toPicture({ x: 450, y: 250 }), middle);
  });

  it.each([[0, 0, 0, 0], [0, 0, 800, 600], [800, 600, 0, 0], [1, 1, 3, 2], [9000, 1, 10, 10]])(
    "has numbers for a picture of %d x %d in a host of %d x %d", (width, height, hostWidth, hostHeight) => {
      const v = view(width, height, { width: hostWidth, height: hostHeight });
      v.zoomAt({ x: 1, y: 1 }, 2);
      v.pan(5, 5);
      v.fit();
      v.actual();
      expect([v.scale, v.x, v.y].every(Number.isFinite)).toBe(true);
      expect(v.scale).toBeGreaterThan(0);
    });
});
