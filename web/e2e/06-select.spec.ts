// Habit 6: click to select: a preview first, Shift subtracts, Enter adds, Esc forgets, the brush goes on from there.
import { strings } from "../src/strings";
import type { Editor, Place } from "./harness/editor";
import { apart, look } from "./harness/screen";
import { expect, say, test } from "./harness/test";

const MIDDLE: Place = [160, 120];

/** A click with the select tool; the time until its preview is there. */
async function click(editor: Editor, place: Place, shift = false): Promise<number> {
  const { x, y } = await editor.at(place);
  const before = (await editor.state("selection"))?.points.length ?? 0;
  const answer = editor.page.waitForResponse((one) => one.url().endsWith("/api/selections"));
  const started = Date.now();
  if (shift) await editor.page.keyboard.down("Shift");
  await editor.page.mouse.click(x, y);
  if (shift) await editor.page.keyboard.up("Shift");
  await answer;
  await editor.page.waitForFunction((count) => {
    const { selection } = window.ediffuser.store.getState();
    return selection && !selection.busy && selection.points.length > count;
  }, before);
  return Date.now() - started;
}

/** Share of the disc, and of everything else, that the mask covers. */
async function covers(editor: Editor): Promise<{ disc: number; rest: number }> {
  const { width, height, bytes } = await editor.mask();
  const [inside, outside] = [[0, 0], [0, 0]];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const pair = Math.hypot(x - 160, y - 120) < 60 ? inside : outside;
      pair[0] = (pair[0] ?? 0) + 1;
      pair[1] = (pair[1] ?? 0) + (bytes[y * width + x] ?? 0);
    }
  }
  return { disc: (inside[1] ?? 0) / (inside[0] ?? 1), rest: (outside[1] ?? 0) / (outside[0] ?? 1) };
}

test("click, preview, Esc; click, Enter, brush; Shift-click takes away @dense", async ({ editor }) => {
  await editor.open("disc.png");
  await editor.paint([[20, 20]], 12);
  const before = await editor.digest();
  await editor.use("select");

  await test.step("a click shows a preview and leaves the mask as it was; Esc forgets it", async () => {
    const [plain] = await look(editor, [[160, 90]]);
    await click(editor, MIDDLE);
    expect(await editor.digest()).toBe(before);
    await editor.page.mouse.move(2, 2);
    await editor.frame();
    const [shown] = await look(editor, [[160, 90]]);
    if (!plain || !shown) throw new Error("no colours");
    expect(apart(plain, shown), "the preview can be seen").toBeGreaterThan(20);
    await editor.page.keyboard.press("Escape");
    await expect.poll(() => editor.state("selection")).toBe(null);
    expect(await editor.digest()).toBe(before);
    await editor.frame();
    const [after] = await look(editor, [[160, 90]]);
    expect(apart(plain, after ?? [0, 0, 0])).toBeLessThan(4);
  });

  await test.step("Enter adds it: the disc and nothing else", async () => {
    const times = [await click(editor, MIDDLE), await click(editor, [150, 130])];
    say(`milliseconds from a click to its selection, first and second: ${JSON.stringify(times)}`);
    expect(times[1]).toBeLessThan(4 * 300);
    await editor.page.keyboard.press("Enter");
    await expect.poll(async () => (await editor.edits()).length).toBe(2);
    const { disc, rest } = await covers(editor);
    expect(disc).toBeGreaterThan(0.95);
    expect(rest).toBeLessThan(0.02);
  });

  await test.step("the brush edits it, Ctrl+Z takes all of it back", async () => {
    await editor.use("eraser");
    await editor.paint([MIDDLE], 40);
    expect((await covers(editor)).disc).toBeLessThan(0.92);
    await editor.page.keyboard.press("Control+z");
    await editor.page.keyboard.press("Control+z");
    await expect.poll(() => editor.digest()).toBe(before);
  });

  await test.step("a Shift-click and the minus mode take away from the selection", async () => {
    await editor.use("select");
    await click(editor, MIDDLE);
    await click(editor, [40, 200], true);
    expect((await editor.state("selection"))?.points.map((point) => point.positive)).toEqual([true, false]);
    await editor.button(strings.tools.subtract).click();
    await click(editor, [280, 40]);
    expect((await editor.state("selection"))?.points.at(-1)?.positive).toBe(false);
    await editor.button(strings.select.discard).click();
    expect(await editor.digest()).toBe(before);
  });
});

test("a click into a photo of twelve megapixels", async ({ editor }) => {
  await editor.open("photo12.jpg");
  await editor.use("select");
  await expect.poll(async () => Object.values(await editor.state("pictures"))[0]?.id ?? null, { timeout: 30_000 }).not.toBe(null);
  const times = [await click(editor, [1000, 1000]), await click(editor, [1100, 1000])];
  say(`milliseconds from a click to its selection on 12 megapixels, first and second: ${JSON.stringify(times)}`);
  expect(times[1]).toBeLessThan(10_000); // the aim of 300 ms is the benchmark's business
  await editor.page.keyboard.press("Enter");
  expect((await editor.mask()).bytes.includes(1)).toBe(true);
});
