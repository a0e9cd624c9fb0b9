import { expect, it } from "vitest";
import { Mask } from "../../canvas";
import { extendMask, extendProblem } from "./extend";

it("moves the old mask and paints the new margins", () => {
  const old = new Mask(3, 2);
  old.apply({ kind: "rectangle", mode: "paint", left: 1, top: 0, right: 2, bottom: 1 });
  const mask = extendMask(old, { top: 1, right: 0, bottom: 0, left: 2 });
  expect([mask.width, mask.height]).toEqual([5, 3]);
  expect([...mask.bytes]).toEqual([1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 0, 0]);
  expect(Mask.fromRuns(extendMask(old, { top: 1, right: 0, bottom: 0, left: 2 }).toRuns(), 5, 3).bytes).toEqual(mask.bytes);
});

it("says why a canvas cannot be extended so", () => {
  expect(extendProblem(100, 100, { top: 0, right: 0, bottom: 0, left: 0 })).toMatch(/margin/);
  expect(extendProblem(100, 100, { top: 0, right: 16_300, bottom: 0, left: 0 })).toMatch(/16384 pixels a side/);
  expect(extendProblem(10_000, 4_000, { top: 1_100, right: 0, bottom: 0, left: 0 })).toMatch(/50 megapixels/);
  expect(extendProblem(100, 100, { top: 1, right: 0, bottom: 0, left: 0 })).toBeNull();
});
