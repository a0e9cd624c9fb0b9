// Habit 3: no stroke is lost, wherever it begins and ends. How fluent it is, `benchmarks/web_painting.py` measures.
import type { Place } from "./harness/editor";
import { faults } from "./harness/shapes";
import { expect, test } from "./harness/test";

test("a stroke is the band that the pointer went along @dense", async ({ editor }) => {
  await editor.open("small.png");
  const way: Place[] = [[40, 40], [280, 60], [200, 200], [60, 180], [160, 110]];
  await editor.paint(way, 22);
  expect(faults(await editor.mask(), way, 22)).toEqual({ missing: 0, extra: 0 });
  await editor.use("eraser");
  await editor.paint([[40, 40], [280, 60]], 40);
  const left = await editor.mask();
  expect(left.bytes.subarray(0, 320 * 40).every((byte) => byte === 0)).toBe(true);
  expect(left.bytes.some((byte) => byte === 1)).toBe(true);
});

test("a stroke released outside the canvas or the window ends and stays", async ({ editor }) => {
  await editor.open("small.png");
  const { mouse } = editor.page;
  await editor.brush(20);
  for (const [index, [x, y]] of ([[640, 8], [-300, 400], [560, 900]] as const).entries()) {
    await editor.hover([160, 120]);
    await mouse.down();
    await mouse.move(x, y, { steps: 5 });
    await mouse.up();
    await expect.poll(async () => (await editor.edits()).length).toBe(index + 1);
    const before = await editor.digest();
    await editor.hover([100, 40]); // no button is down: nothing is painted
    await editor.hover([120, 60]);
    expect(await editor.digest()).toBe(before);
  }
  const mask = await editor.mask();
  expect(mask.bytes.subarray(0, 320).includes(1), "painted up to the upper edge").toBe(true);
  expect(mask.bytes.filter((_, place) => place % 320 === 0).includes(1), "painted up to the left edge").toBe(true);
  expect(mask.bytes.subarray(239 * 320).includes(1), "painted up to the lower edge").toBe(true);
});

test("a stroke that enters from outside paints from the edge", async ({ editor }) => {
  await editor.open("small.png");
  await editor.brush(20);
  await editor.drag([[-25, 120], [60, 120]]);
  const mask = await editor.mask();
  expect(faults(mask, [[-25, 120], [60, 120]], 20)).toEqual({ missing: 0, extra: 0 });
  expect(mask.bytes[120 * 320]).toBe(1);
});

test("two hundred moves leave no gap", async ({ editor }) => {
  await editor.open("small.png");
  const way: Place[] = Array.from({ length: 200 }, (_, step) => [160 + step * 0.6 * Math.cos(step / 9), 120 + step * 0.5 * Math.sin(step / 9)]);
  await editor.brush(8);
  const points = await Promise.all(way.map((place) => editor.at(place)));
  for (const [step, { x, y }] of points.entries()) {
    await editor.page.mouse.move(x, y);
    if (step === 0) await editor.page.mouse.down();
  }
  await editor.page.mouse.up();
  expect(faults(await editor.mask(), way, 8)).toEqual({ missing: 0, extra: 0 });
});

test("rectangle and lasso paint and take away", async ({ editor }) => {
  await editor.open("small.png");
  await editor.use("rectangle");
  await editor.drag([[20, 30], [120, 90]]);
  let mask = await editor.mask();
  expect(mask.bytes.reduce((sum, byte) => sum + byte, 0)).toBeCloseTo(100 * 60, -3);
  for (const [x, y] of [[22, 32], [118, 88]] as const) expect(mask.bytes[y * 320 + x]).toBe(1);
  for (const [x, y] of [[18, 28], [122, 92]] as const) expect(mask.bytes[y * 320 + x]).toBe(0);
  await editor.page.keyboard.press("x");
  await editor.use("lasso");
  await editor.drag([[20, 30], [120, 30], [20, 90], [20, 30]]);
  mask = await editor.mask();
  expect(mask.bytes[40 * 320 + 30], "taken away").toBe(0);
  expect(mask.bytes[85 * 320 + 110], "kept").toBe(1);
});
