// Habit 12: for every hand and eye: the whole way without a pointer, names, contrast, a live region, shortcuts that keep out of the way.
import { strings } from "../src/strings";
import { accessible } from "./harness/axe";
import type { Editor } from "./harness/editor";
import { read } from "./harness/editor";
import { count, decode, difference, picture } from "./harness/files";
import { expect, test } from "./harness/test";

/** Tab until the control of that name has the focus. */
async function tabTo(editor: Editor, name: RegExp, most = 60): Promise<void> {
  for (let press = 0; press < most; press += 1) {
    await editor.page.keyboard.press("Tab");
    const label = await editor.page.evaluate(() => {
      const one = document.activeElement;
      return one?.getAttribute("aria-label") ?? one?.textContent?.trim() ?? "";
    });
    if (name.test(label)) return;
  }
  throw new Error(`no way to ${name} with Tab`);
}

test("the whole way with the keyboard alone: open, mask, generate, walk, compare, take, save", async ({ editor }) => {
  const { page } = editor;
  const { keyboard } = page;
  await tabTo(editor, new RegExp(`^${strings.start.choose}`));
  await editor.pick(picture("small.png"), () => keyboard.press("Enter"));
  await editor.shows("small.png");

  await test.step("a rectangle and a dab with the keyboard's pointer", async () => {
    await keyboard.press("r");
    await keyboard.press("p");
    for (let press = 0; press < 3; press += 1) await keyboard.press("Shift+ArrowLeft");
    await keyboard.press("p");
    for (let press = 0; press < 3; press += 1) await keyboard.press("Shift+ArrowRight");
    for (let press = 0; press < 3; press += 1) await keyboard.press("Shift+ArrowDown");
    await keyboard.press("p");
    await expect.poll(async () => (await editor.edits()).length).toBe(1);
    await keyboard.press("b");
    await keyboard.press("p");
    await expect.poll(async () => (await editor.edits()).length).toBe(2);
    await keyboard.press("Escape");
    expect(count((await editor.mask()).bytes)).toBeGreaterThan(500);
  });

  await test.step("every tool is in reach of Tab, with a focus that can be seen", async () => {
    for (const tool of [strings.tools.brush, strings.tools.select, strings.mask.invert, strings.extend.title]) await tabTo(editor, new RegExp(`^${tool}`));
    await tabTo(editor, new RegExp(`^${strings.panel.fewer}`));
    const outline = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement ?? document.body);
      return `${style.outlineStyle} ${style.outlineWidth} ${style.boxShadow}`;
    });
    expect(outline).not.toMatch(/^none .* none$/);
    await keyboard.press("Enter");
    expect((await editor.state("settings")).variations).toBe(3);
    await tabTo(editor, new RegExp(`^${strings.generate.generate}`));
    await keyboard.press("Enter");
  });

  await editor.finish();
  await test.step("walk, compare, save", async () => {
    await keyboard.press("ArrowRight");
    expect(await editor.state("shown")).not.toBe(null);
    await keyboard.down("c");
    expect(await editor.state("compare")).toBe("input");
    await keyboard.up("c");
    expect(await editor.state("compare")).toBe(null);
    const download = page.waitForEvent("download");
    await keyboard.press("Control+s");
    const dialog = page.getByRole("dialog");
    await expect(dialog).toBeVisible();
    await tabTo(editor, new RegExp(`^${strings.download.save}$`));
    await keyboard.press("Enter");
    const { bytes } = await read(await download);
    expect(count(difference(decode(picture("small.png")), decode(bytes)))).toBeGreaterThan(0);
    if (await dialog.isVisible()) await keyboard.press("Escape");
    await expect(dialog).toHaveCount(0);
    await keyboard.press("u");
    await expect.poll(async () => (await editor.edits()).length).toBe(0);
  });
});

for (const scheme of ["light", "dark"] as const) {
  test.describe(`in ${scheme}`, () => {
    test.use({ colorScheme: scheme });

    test("axe finds nothing serious: start, editor, results, dialogs, alert, banner", async ({ editor }) => {
      const { page } = editor;
      await accessible(page, "start");
      await editor.open("small.png");
      await editor.paint([[100, 100], [200, 120]], 50);
      await accessible(page, "editor");
      await editor.generate();
      await accessible(page, "running");
      await editor.finish();
      await accessible(page, "results");
      for (const [key, name] of [["?", strings.shortcuts.title], ["Control+s", strings.download.title]] as const) {
        await page.keyboard.press(key);
        await expect(page.getByRole("dialog", { name })).toBeVisible();
        await accessible(page, name);
        await page.keyboard.press("Escape");
        await expect(page.getByRole("dialog")).toHaveCount(0);
      }
      await editor.button(strings.extend.title).click();
      await expect(page.getByRole("dialog")).toBeVisible();
      await accessible(page, strings.extend.title);
      await page.keyboard.press("Escape");
      await page.evaluate((text) => {
        window.ediffuser.store.setState({ away: true, alerts: [{ id: 1, text }] });
      }, strings.errors.empty);
      await accessible(page, "alert and banner");
    });
  });
}

test("the live region tells progress, results and mistakes", async ({ editor }) => {
  await editor.page.evaluate(() => {
    const said: string[] = [];
    new MutationObserver(() => {
      for (const one of document.querySelectorAll("[aria-live], [role=status], [role=alert]")) {
        const text = one.textContent ?? "";
        if (text && !said.includes(text)) said.push(text);
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
    (window as unknown as { said: string[] }).said = said;
  });
  await editor.open("small.png");
  await editor.paint([[100, 100]], 60);
  await editor.variations(2);
  await editor.generate();
  await editor.finish();
  const said = await editor.page.evaluate(() => (window as unknown as { said: string[] }).said);
  for (const sentence of [
    strings.open.opened("small.png", 320, 240), strings.generate.started(2), strings.progress.landed(1, 2), strings.progress.done(2),
  ]) expect(said).toContain(sentence);
});

test("? lists the shortcuts; none fires while typing, in a dialog, or when they are turned off", async ({ editor }) => {
  const { page } = editor;
  await editor.open("small.png");
  await page.keyboard.press("?");
  const sheet = page.getByRole("dialog", { name: strings.shortcuts.title });
  await expect(sheet).toBeVisible();
  for (const text of [strings.tools.brush, strings.shortcuts.what.undo, strings.shortcuts.what.compare]) await expect(sheet).toContainText(text);
  await page.keyboard.press("e");
  await page.keyboard.press("i");
  expect(await editor.state("tool")).toBe("brush");
  expect(await editor.edits()).toEqual([]);
  await page.keyboard.press("Escape");
  await expect(sheet).toHaveCount(0);

  const seed = page.getByLabel(strings.panel.seed, { exact: true });
  await seed.focus();
  await page.keyboard.type("7e1i0"); // letters of tools and of the mask among them
  await page.keyboard.press("Delete");
  expect(await editor.state("tool")).toBe("brush");
  expect(await editor.edits()).toEqual([]);
  expect(await editor.state("dialog")).toBe(null);
  await seed.blur();

  await page.keyboard.press("?");
  await sheet.getByRole("switch").click();
  await page.keyboard.press("Escape");
  await page.keyboard.press("e");
  expect(await editor.state("tool")).toBe("brush");
});

test("Tab goes through the page and leaves it; reduced motion is kept", async ({ editor }) => {
  await editor.open("small.png");
  const { page } = editor;
  const order = await test.step("Tab visits every control once", async () => {
    const seen: string[] = [];
    for (let press = 0; press < 90; press += 1) {
      await page.keyboard.press("Tab");
      const label = await page.evaluate(() => {
        const one = document.activeElement;
        return one === document.body ? "" : (one?.getAttribute("aria-label") || one?.id || one?.textContent || "?");
      });
      if (label === "") break;
      seen.push(label);
    }
    return seen;
  });
  expect(order.length).toBeLessThan(90);
  expect(order.length).toBeGreaterThan(15);
  const moving = await page.evaluate(() => document.getAnimations().filter((one) => one.playState === "running").length);
  expect(moving).toBe(0);
});
