// Habit 5: zoom and pan as in any editor.
import { strings } from "../src/strings";
import type { Editor, Place } from "./harness/editor";
import { expect, test } from "./harness/test";

/** How far, in CSS pixels, the place has moved on the screen. */
async function moved(editor: Editor, place: Place, from: { x: number; y: number }): Promise<number> {
  const now = await editor.at(place);
  return Math.hypot(now.x - from.x, now.y - from.y);
}

test("the wheel keeps the point under the pointer, from 25 to 800 % @dense", async ({ editor }) => {
  await editor.open("portrait.jpg");
  for (const place of [[100, 120], [400, 560]] as const) {
    await editor.page.keyboard.press("0");
    const near = await editor.at(place);
    const before = { x: Math.round(near.x), y: Math.round(near.y) }; // browsers tell whole CSS pixels of a wheel
    const under = await editor.under(before);
    await editor.page.mouse.move(before.x, before.y);
    const scales: number[] = [];
    for (const turn of [-1, 1]) {
      for (let notch = 0; notch < 40; notch += 1) {
        const { scale } = await editor.view();
        await editor.page.mouse.wheel(0, turn * 120);
        await editor.frame();
        const now = (await editor.view()).scale;
        if (Math.abs(now - scale) < 1e-6) break;
        scales.push(now);
        if (turn === -1) expect(await moved(editor, under, before), `at ${now}`).toBeLessThanOrEqual(2);
      }
    }
    expect(Math.max(...scales)).toBeCloseTo(8, 2);
    expect(Math.min(...scales)).toBeCloseTo(0.25, 2);
  }
  expect(await editor.edits()).toEqual([]);
});

test("Space-drag and middle-drag move the picture with the pointer and never paint @dense", async ({ editor }) => {
  await editor.open("small.png");
  const { keyboard, mouse } = editor.page;
  await editor.zoom(3, [160, 120]);
  for (const how of ["space", "middle"] as const) {
    const start = await editor.at([160, 120]);
    await mouse.move(start.x, start.y);
    if (how === "space") await keyboard.down("Space");
    await mouse.down({ button: how === "space" ? "left" : "middle" });
    await mouse.move(start.x + 80, start.y - 50, { steps: 4 });
    await mouse.up({ button: how === "space" ? "left" : "middle" });
    if (how === "space") await keyboard.up("Space");
    await editor.frame();
    expect(await moved(editor, [160, 120], { x: start.x + 80, y: start.y - 50 }), how).toBeLessThanOrEqual(2);
    await keyboard.press("0");
    await editor.zoom(3, [160, 120]);
  }
  await editor.use("pan");
  const start = await editor.at([160, 120]);
  await mouse.move(start.x, start.y);
  await mouse.down();
  await mouse.move(start.x - 40, start.y + 30, { steps: 4 });
  await mouse.up();
  expect(await moved(editor, [160, 120], { x: start.x - 40, y: start.y + 30 })).toBeLessThanOrEqual(2);
  expect(await editor.edits()).toEqual([]);
  await editor.use("brush");
  await editor.paint([[160, 120]]); // and afterwards the brush paints again
});

test("0 shows the whole picture, 1 is 100 %, the buttons do the same", async ({ editor }) => {
  await editor.open("portrait.jpg");
  const { keyboard } = editor.page;
  const fitted = await editor.view();
  const corners = async () => [await editor.at([0, 0]), await editor.at([480, 640])] as const;
  await keyboard.press("1");
  expect((await editor.view()).scale).toBe(1);
  await keyboard.press("+");
  expect((await editor.view()).scale).toBeGreaterThan(1);
  await keyboard.press("0");
  expect(await editor.view()).toEqual(fitted);
  const canvas = await editor.host.boundingBox();
  const [low, high] = await corners();
  if (!canvas) throw new Error("no canvas");
  expect(low.x).toBeGreaterThanOrEqual(canvas.x);
  expect(low.y).toBeGreaterThanOrEqual(canvas.y);
  expect(high.x).toBeLessThanOrEqual(canvas.x + canvas.width);
  expect(high.y).toBeLessThanOrEqual(canvas.y + canvas.height);
  await editor.button(strings.view.in).click();
  expect((await editor.view()).scale).toBeGreaterThan(fitted.scale);
  await editor.button(/Show the picture at 100 %/).click();
  expect((await editor.view()).scale).toBe(1);
  await editor.button(strings.view.fit).click();
  expect(await editor.view()).toEqual(fitted);
});

test("a trackpad's pinch zooms at the pointer", async ({ editor }) => {
  await editor.open("small.png");
  await editor.hover([100, 80]);
  const before = await editor.at([100, 80]);
  const { scale } = await editor.view();
  await editor.page.keyboard.down("Control"); // browsers report a pinch as a wheel with Ctrl
  for (let part = 0; part < 5; part += 1) await editor.page.mouse.wheel(0, -8);
  await editor.page.keyboard.up("Control");
  await editor.frame();
  const size = await editor.state("size");
  // The wheel with Ctrl either zooms or sets the brush; whichever it is, nothing is painted and the point stays.
  expect((await editor.view()).scale !== scale || size !== 48).toBe(true);
  expect(await moved(editor, [100, 80], before)).toBeLessThanOrEqual(2);
  expect(await editor.edits()).toEqual([]);
});
