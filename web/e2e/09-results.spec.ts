// Habit 9: several real choices beside the input, compared at the same zoom, and one becomes the new base.
import { strings } from "../src/strings";
import type { Editor, Place } from "./harness/editor";
import { count, decode, difference, outside, picture } from "./harness/files";
import type { Pixels } from "./harness/files";
import { apart, colour, look } from "./harness/screen";
import { expect, test } from "./harness/test";

async function files(editor: Editor, url: string, job: string, variations: number): Promise<Pixels[]> {
  const all: Pixels[] = [];
  for (let variation = 0; variation < variations; variation += 1) {
    const answer = await editor.page.request.get(`${url}api/jobs/${job}/results/${variation}`);
    all.push(decode(await answer.body()));
  }
  return all;
}

test("four results differ, arrows walk, comparing keeps the view, one is taken and the others stay @dense", async ({ editor, url }) => {
  const { keyboard } = editor.page;
  await editor.open("small.png");
  await editor.paint([[110, 110], [210, 130]], 60);
  const mask = await editor.mask();
  const input = decode(picture("small.png"));
  const strip = editor.page.getByRole("region", { name: strings.results.label });
  const tile = (name: RegExp) => strip.getByRole("button", { name });

  const job = await editor.generate();
  await expect(tile(/^Variation 4, not ready yet/)).toBeVisible();
  await editor.finish();
  const results = await files(editor, url, job, 4);

  await test.step("pairwise different inside the mask, untouched outside", () => {
    results.forEach((one, index) => {
      expect(outside(difference(input, one), mask.bytes)).toBe(0);
      for (const other of results.slice(index + 1)) expect(count(difference(one, other))).toBeGreaterThan(1000);
    });
  });

  const inside: Place[] = [[110, 110], [150, 120], [190, 128], [205, 118]];
  const shows = async (pixels: Pixels) => {
    await editor.page.mouse.move(2, 2);
    await editor.frame();
    const seen = await look(editor, inside);
    return Math.max(...seen.map((one, index) => apart(one, colour(pixels, inside[index] ?? [0, 0]))));
  };

  await test.step("arrow keys walk through the strip, which names the seeds", async () => {
    await keyboard.press("ArrowLeft");
    await keyboard.press("ArrowLeft");
    await keyboard.press("ArrowLeft");
    await keyboard.press("ArrowLeft");
    expect(await editor.state("shown")).toBe(null);
    for (let variation = 0; variation < 4; variation += 1) {
      await keyboard.press("ArrowRight");
      expect(await editor.state("shown")).toBe(variation);
      const seed = (await editor.state("run"))?.slots[variation]?.result?.seed;
      await expect(tile(new RegExp(`^Variation ${variation + 1}, seed ${seed}`))).toHaveAttribute("aria-pressed", "true");
      await expect(editor.page.getByText(strings.results.seed(seed ?? -1)).filter({ visible: true }).first()).toBeVisible();
    }
    await tile(/^Variation 2,/).click();
    expect(await editor.state("shown")).toBe(1);
  });

  await test.step("holding C shows the input at the same zoom and pan", async () => {
    await editor.zoom(5, [160, 120]);
    const view = await editor.view();
    expect(await shows(results[1] ?? input), "the result").toBeLessThan(10);
    await keyboard.down("c");
    expect(await shows(input), "the input").toBeLessThan(10);
    expect(await editor.view()).toEqual(view);
    await keyboard.up("c");
    expect(await shows(results[1] ?? input)).toBeLessThan(10);
    expect(await editor.view()).toEqual(view);
  });

  await test.step("the slider shows the input on one side and the result on the other", async () => {
    await keyboard.press("v");
    const view = await editor.view();
    const slider = editor.page.getByRole("slider", { name: strings.results.sliderLabel });
    await expect(slider).toBeVisible();
    await slider.press("End");
    expect(await shows(input)).toBeLessThan(10);
    await slider.press("Home");
    expect(await shows(results[1] ?? input)).toBeLessThan(10);
    expect(await editor.view()).toEqual(view);
    await keyboard.press("v");
    await expect(slider).toHaveCount(0);
  });

  await test.step("one becomes the new base, the others stay, and it can be undone", async () => {
    await editor.button(strings.results.accept).click();
    await expect.poll(async () => (await editor.edits()).length).toBe(0);
    await expect(strip.locator(".tile.ready")).toHaveCount(5);
    expect(await shows(results[1] ?? input)).toBeLessThan(10);
    await keyboard.press("0");
    await editor.use("brush");
    await editor.paint([[60, 200]], 40);
    const second = await editor.mask();
    await editor.variations(1);
    await editor.generate();
    await editor.finish();
    const { bytes } = await editor.save();
    const changed = difference(results[1] ?? input, decode(bytes));
    expect(outside(changed, second.bytes), "nothing but the second hole differs from the accepted result").toBe(0);
    expect(count(changed)).toBeGreaterThan(500);
  });
});

test("a locked seed repeats its pictures", async ({ editor, url }) => {
  await editor.open("small.png");
  await editor.paint([[110, 110]], 60);
  await editor.variations(2);
  const first = await editor.generate();
  await editor.finish();
  await editor.button(strings.results.lockSeed).click();
  const second = await editor.generate();
  await editor.finish();
  const [one, other] = [await files(editor, url, first, 2), await files(editor, url, second, 2)];
  one.forEach((pixels, index) => expect(count(difference(pixels, other[index] ?? pixels))).toBe(0));
});
