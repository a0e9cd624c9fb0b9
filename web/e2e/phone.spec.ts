// The editor at 360 x 740 with fingers and a pen: habits 3, 5, 7, 9, 10 and 12 on a phone.
import { strings } from "../src/strings";
import { accessible, tooSmall } from "./harness/axe";
import type { Editor } from "./harness/editor";
import { count, decode, difference, outside, picture } from "./harness/files";
import { faults } from "./harness/shapes";
import { expect, test } from "./harness/test";
import { Hands } from "./harness/touch";

async function openSmall(editor: Editor): Promise<void> {
  await editor.pick(picture("small.png"), () => editor.button(strings.start.choose).tap());
  await editor.shows("small.png");
}

test("a finger paints, two fingers zoom and pan and never paint", async ({ editor }) => {
  await openSmall(editor);
  const hands = await Hands.of(editor);
  await editor.brush(40);
  await hands.finger([80, 80], [220, 150]);
  await expect.poll(async () => (await editor.edits()).length).toBe(1);
  expect(faults(await editor.mask(), [[80, 80], [220, 150]], 40)).toEqual({ missing: 0, extra: 0 });
  const digest = await editor.digest();

  const middle = await editor.at([160, 120]);
  const before = await editor.view();
  const beside = (dx: number, dy = 0) => ({ x: middle.x + dx, y: middle.y + dy });
  await hands.move([[beside(-40), beside(-100)], [beside(40), beside(100)]]);
  const zoomed = await editor.view();
  expect(zoomed.scale / before.scale).toBeGreaterThan(2);
  const now = await editor.at([160, 120]);
  expect(Math.hypot(now.x - middle.x, now.y - middle.y)).toBeLessThan(8);
  await hands.move([[beside(-40), beside(-20, 60)], [beside(40), beside(60, 60)]]);
  const moved = await editor.at([160, 120]);
  expect(Math.hypot(moved.x - now.x - 20, moved.y - now.y - 60)).toBeLessThan(8);
  expect((await editor.edits()).length).toBe(1);
  expect(await editor.digest()).toBe(digest);
});

test("a pen paints by its pressure, and the palm beside it is ignored", async ({ editor }) => {
  await openSmall(editor);
  const hands = await Hands.of(editor);
  await editor.brush(60);
  await hands.pen([60, 60], [260, 60], 1);
  await expect.poll(async () => (await editor.edits()).length).toBe(1);
  const hard = count((await editor.mask()).bytes);
  await editor.button(strings.edit.undo).tap();
  await hands.pen([60, 60], [260, 60], 0.2);
  await expect.poll(async () => (await editor.edits()).length).toBe(1);
  const light = count((await editor.mask()).bytes);
  expect(light).toBeLessThan(hard * 0.8);
  expect(light).toBeGreaterThan(0);
  await hands.finger([100, 180], [220, 200]);
  expect((await editor.edits()).length).toBe(1);
});

test("generate, compare, take and save with a thumb; targets of 44 pixels; nothing sticks out; axe", async ({ editor }) => {
  const { page } = editor;
  const checked = async (where: string) => {
    await accessible(page, where);
    expect(await tooSmall(page), `targets under 44 px: ${where}`).toEqual([]);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide, `width of the page: ${where}`).toBeLessThanOrEqual(360);
  };
  await checked("start");
  await openSmall(editor);
  await checked("editor");
  const hands = await Hands.of(editor);
  await editor.brush(50);
  await hands.finger([100, 100], [200, 130]);
  const mask = (await editor.mask()).bytes;
  await editor.generateButton.tap();
  await expect(page.getByRole("progressbar")).toBeVisible();
  await checked("running");
  await editor.finish();
  await checked("results");
  const canvas = await editor.host.boundingBox();
  expect(canvas?.height ?? 0, "room for the picture").toBeGreaterThan(200);

  await page.getByRole("region", { name: strings.results.label }).getByRole("button", { name: /^Variation 3,/ }).tap();
  expect(await editor.state("shown")).toBe(2);
  await editor.button(strings.panel.open).tap();
  await expect(page.getByRole("dialog", { name: strings.panel.title })).toBeVisible();
  await checked("settings");
  await editor.button(strings.panel.close).tap();

  await editor.button(strings.results.download).tap();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toBeVisible();
  await checked("download");
  const coming = page.waitForEvent("download");
  await dialog.getByRole("button", { name: strings.download.save, exact: true }).tap();
  const file = await (await coming).path();
  const changed = difference(decode(picture("small.png")), decode(file));
  expect(outside(changed, mask)).toBe(0);
  expect(count(changed)).toBeGreaterThan(1000);
});
