import { describe, expect, it } from "vitest";
import { Mask } from "./mask";
import { dice, randomEdit } from "./testing";
import { sample, tint, type Mapping } from "./tint";

const LOOK = { inside: 1, edge: 2, halo: 3 };

function drawn(mask: Mask, map: Mapping, width: number, height: number, rim: number, left = 0, top = 0): Uint32Array {
  const out = new Uint32Array(width * height);
  tint(mask, map, { left, top, width, height }, { ...LOOK, rim }, out);
  return out;
}

function someMask(seed: number): Mask {
  const mask = new Mask(37, 29);
  const random = dice(seed);
  for (let i = 0; i < 6; i++) mask.apply(randomEdit(random, 37, 29));
  return mask;
}

describe("tint", () => {
  it.each([1, 2, 3])("with a rim of %d tells inside, edge and halo apart by the neighbours", (rim) => {
    for (const seed of [1, 2, 3, 4]) {
      const mask = someMask(seed);
      const map = { stepX: 0.4, stepY: 0.3, startX: -3.3, startY: -2.1 };
      const [width, height] = [113, 117];
      const covered = (x: number, y: number): boolean => {
        const [px, py] = [Math.floor((x + 0.5) * map.stepX + map.startX), Math.floor((y + 0.5) * map.stepY + map.startY)];
        return px >= 0 && py >= 0 && px < 37 && py < 29 && mask.bytes[py * 37 + px] === 1;
      };
      const expected = Uint32Array.from({ length: width * height }, (_, i) => {
        const [x, y] = [i % width, Math.floor(i / width)];
        const around = [covered(x - rim, y), covered(x + rim, y), covered(x, y - rim), covered(x, y + rim)];
        if (covered(x, y)) return around.every(Boolean) ? LOOK.inside : LOOK.edge;
        return around.some(Boolean) ? LOOK.halo : 0;
      });
      expect(drawn(mask, map, width, height, rim).every((value, i) => value === expected[i])).toBe(true);
    }
  });

  it("a part drawn alone looks as it does in the whole", () => {
    const mask = someMask(7);
    const map = { stepX: 0.5, stepY: 0.5, startX: 0.2, startY: 0.1 };
    const whole = drawn(mask, map, 90, 70, 1);
    const part = drawn(mask, map, 31, 23, 1, 17, 11);
    expect(part.every((value, i) => value === whole[(11 + Math.floor(i / 31)) * 90 + 17 + (i % 31)])).toBe(true);
  });

  it("a stroke as thin as half a screen pixel is still seen", () => {
    const mask = new Mask(400, 400);
    mask.apply({ kind: "rectangle", mode: "paint", left: 0, top: 201, right: 400, bottom: 203 });
    const seen = sample(mask, { stepX: 4, stepY: 4, startX: 0, startY: 0 }, { left: 0, top: 0, width: 100, height: 100 });
    expect(seen.reduce((sum, value) => sum + value, 0)).toBe(100);
  });
});
