// Habit 2: the brush is where the pointer is, on any screen, at any zoom of browser and canvas; the ring is the dab's size.
import { strings } from "../src/strings";
import type { Place } from "./harness/editor";
import { decode, picture } from "./harness/files";
import { apart, colour, look, ring } from "./harness/screen";
import { blob, faults } from "./harness/shapes";
import { expect, test } from "./harness/test";

const SIZE = 24;

// Browser zoom and the density of the screen are one factor to a page; the window holds fewer CSS pixels when zoomed.
for (const [factor, name] of [[0.67, "67 %"], [1, "100 %"], [1.5, "150 %"], [2, "DPR 2"]] as const) {
  test.describe(`browser at ${name}`, () => {
    const viewport = { width: Math.round(1280 / Math.min(factor, 1.5)), height: Math.round(800 / Math.min(factor, 1.5)) };
    test.use({ deviceScaleFactor: factor, viewport });

    test("a dab lands on the pixel under the pointer, at 25 to 800 %, on a photo that EXIF turns", async ({ editor }) => {
      await editor.open("portrait.jpg");
      await editor.brush(SIZE);
      await test.step("the photo is shown upright", async () => {
        const upright = decode(picture("portrait-upright.png"));
        const places: Place[] = [[40, 40], [440, 40], [40, 600], [440, 600], [240, 320]];
        const seen = await look(editor, places);
        places.forEach((place, index) => expect(apart(seen[index] ?? [0, 0, 0], colour(upright, place))).toBeLessThan(14));
      });
      for (const [scale, place] of [[0.25, [60, 500]], [1, [230, 300]], [3, [236, 310]], [8, [240, 316]]] as [number, Place][]) {
        await test.step(`canvas at ${scale * 100} %`, async () => {
          expect(await editor.zoom(scale, [240, 320])).toBeCloseTo(scale, 1);
          const now = (await editor.view()).scale;
          const measured = await ring(editor, place, SIZE * now);
          expect(Math.abs(measured.diameter - SIZE * now), `ring ${measured.diameter}, dab ${SIZE * now}`).toBeLessThan(5);
          expect(Math.hypot(measured.dx, measured.dy), "middle of the ring").toBeLessThan(2.5);
          await editor.paint([place]);
          const mask = await editor.mask();
          expect([mask.width, mask.height]).toEqual([480, 640]);
          const dab = blob(mask);
          expect(Math.hypot(dab.x - place[0], dab.y - place[1]), "middle of the dab").toBeLessThanOrEqual(1);
          expect(faults(mask, [place], SIZE)).toEqual({ missing: 0, extra: 0 });
          await editor.page.keyboard.press("Control+z");
        });
      }
    });
  });
}

test("slider, bracket keys and Alt+wheel set the size of dab and ring", async ({ editor }) => {
  await editor.open("small.png");
  await editor.page.keyboard.press("1");
  const widths: number[] = [];
  const measure = async () => {
    const size = await editor.state("size");
    const { diameter } = await ring(editor, [160, 120], size);
    expect(Math.abs(diameter - size), `ring ${diameter}, size ${size}`).toBeLessThan(5);
    await editor.paint([[160, 120]]);
    expect(faults(await editor.mask(), [[160, 120]], size)).toEqual({ missing: 0, extra: 0 });
    await editor.page.keyboard.press("Control+z");
    widths.push(size);
  };
  await measure();
  for (let press = 0; press < 3; press += 1) await editor.page.keyboard.press("]");
  await measure();
  for (let press = 0; press < 6; press += 1) await editor.page.keyboard.press("[");
  await measure();
  await editor.page.getByRole("slider", { name: strings.tools.size }).press("PageUp");
  await measure();
  await editor.hover([160, 120]);
  await editor.page.keyboard.down("Alt");
  await editor.page.mouse.wheel(0, 200);
  await editor.page.keyboard.up("Alt");
  await expect.poll(() => editor.state("size")).not.toBe(widths.at(-1));
  await measure();
  expect(widths[1]).toBeGreaterThan(widths[0] ?? 0);
  expect(widths[2]).toBeLessThan(widths[0] ?? 0);
  expect(widths[3]).toBeGreaterThan(widths[2] ?? 0);
});
