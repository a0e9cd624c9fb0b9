// Habit 11: work survives: reload, a tab that crashes, kill -9 of worker and server; nothing is replaced without asking.
import { readFileSync } from "node:fs";
import { strings } from "../src/strings";
import { Editor } from "./harness/editor";
import type { Place } from "./harness/editor";
import { decode, difference, outside, picture } from "./harness/files";
import { expect, say, test } from "./harness/test";

const STROKES: Place[][] = [[[100, 100], [180, 140]], [[60, 40], [80, 60]], [[220, 180]]];
const BACK_MS = 2000;

test.describe("a running job", () => {
  test.use({ expected: [/Failed to load resource|ERR_/] });

  test("comes back after a reload, a crash of the tab, kill -9 of the worker and of the server", async ({ page, context, serve }) => {
    test.slow();
    const server = await serve({ calls: 30, seconds: 0.06 }); // 1.8 s for every two variations
    let editor = new Editor(page, server.url);
    await editor.visit();
    await editor.open("small.png");
    for (const stroke of STROKES) await editor.paint(stroke, 40);
    await editor.page.keyboard.press("Control+z");
    await editor.zoom(2, [160, 120]);
    const mask = await editor.digest();
    const settle = () => editor.page.waitForTimeout(700); // the autosave waits 300 ms

    const whole = async (job: string) => {
      await editor.page.waitForFunction(() => window.ediffuser?.stage?.mask);
      expect(await editor.digest(), "strokes").toBe(mask);
      expect((await editor.state("run"))?.job, "job").toBe(job);
      expect((await editor.edits()).length).toBe(2);
    };

    await test.step("reload in the middle", async () => {
      const job = await editor.generate();
      await expect.poll(() => editor.results(), { intervals: [20] }).toBeGreaterThan(0);
      await settle();
      const view = await editor.view();
      const started = Date.now();
      await page.reload();
      await editor.shows("small.png");
      await editor.page.waitForFunction(() => window.ediffuser.store.getState().run?.slots.some((slot) => slot.result));
      const taken = Date.now() - started;
      say(`milliseconds from the reload to photo, strokes and results: ${JSON.stringify(taken)}`);
      expect(taken).toBeLessThan(2 * BACK_MS);
      await whole(job);
      expect((await editor.view()).scale).toBeCloseTo(view.scale, 3);
      await editor.finish();
      expect(await editor.results()).toBe(4);
      await page.keyboard.press("Control+y");
      expect((await editor.edits()).length, "what was undone can be redone after a reload").toBe(3);
      await page.keyboard.press("Control+z");
    });

    await test.step("the tab crashes", async () => {
      const job = await editor.generate();
      await settle();
      const crashed = page.waitForEvent("crash");
      page.goto("chrome://crash").catch(() => undefined);
      await crashed;
      await page.close();
      editor = new Editor(await context.newPage(), server.url);
      await editor.visit();
      await editor.shows("small.png");
      await whole(job);
      await editor.finish();
      expect(await editor.results()).toBe(4);
    });

    await test.step("kill -9 of the worker", async () => {
      const job = await editor.generate();
      await expect.poll(() => editor.results(), { intervals: [20] }).toBeGreaterThan(0);
      const seeds = (await editor.state("run"))?.slots.map((slot) => slot.result?.seed ?? null);
      await server.killWorker();
      await editor.finish(60_000);
      await whole(job);
      expect(await editor.results()).toBe(4);
      const again = (await editor.state("run"))?.slots.map((slot) => slot.result?.seed ?? null);
      seeds?.forEach((seed, index) => seed !== null && expect(again?.[index]).toBe(seed));
      await server.ready();
    });

    await test.step("kill -9 of the server: banner, work goes on, all comes back", async () => {
      const job = await editor.generate();
      await expect.poll(() => editor.results(), { intervals: [20] }).toBeGreaterThan(0);
      await server.kill("SIGKILL");
      const banner = editor.page.getByText(strings.away.text);
      await expect(banner).toBeVisible();
      await editor.page.keyboard.press("0");
      await editor.use("eraser");
      await editor.paint([[100, 100]], 10);
      await editor.page.keyboard.press("Control+z");
      await server.start();
      await editor.button(strings.away.retry).click({ timeout: 2_000 }).catch(() => undefined); // it may have seen it by itself
      await expect(banner).toHaveCount(0);
      await editor.finish(60_000);
      await whole(job);
      expect(await editor.results()).toBe(4);
      await editor.page.keyboard.press("ArrowRight"); // after an edit the mask is shown, not a result
      const { bytes } = await editor.save();
      expect(outside(difference(decode(picture("small.png")), decode(bytes)), (await editor.mask()).bytes)).toBe(0);
    });

    await test.step("a server that stops and starts with the page closed", async () => {
      const job = await editor.generate();
      await settle();
      await editor.page.close();
      await server.kill("SIGKILL");
      await server.start();
      editor = new Editor(await context.newPage(), server.url);
      await editor.visit();
      await editor.shows("small.png");
      await whole(job);
      await editor.finish(60_000);
      expect(await editor.results()).toBe(4);
    });
  });
});

test("unsaved work is not replaced without asking, by picker or by paste", async ({ editor }) => {
  await editor.open("small.png");
  await editor.paint([[100, 100]], 40);
  const digest = await editor.digest();
  const question = editor.page.getByRole("alertdialog", { name: strings.open.replaceTitle });
  const paste = async () => {
    const base64 = readFileSync(picture("rgba.png")).toString("base64");
    await editor.page.evaluate((data) => {
      const transfer = new DataTransfer();
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      transfer.items.add(new File([bytes], "rgba.png", { type: "image/png" }));
      document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
    }, base64);
  };
  await paste();
  await expect(question).toBeVisible();
  await question.getByRole("button", { name: strings.open.keep }).click();
  await expect(question).toHaveCount(0);
  await editor.shows("small.png");
  expect(await editor.digest()).toBe(digest);

  await editor.pick(picture("portrait.jpg"), () => editor.page.keyboard.press("Control+o"));
  await expect(question).toBeVisible();
  await editor.page.keyboard.press("Escape");
  await editor.shows("small.png");
  expect(await editor.digest()).toBe(digest);

  await paste();
  await question.getByRole("button", { name: strings.open.replace }).click();
  await editor.shows("rgba.png");
});

test("a second tab leaves the work of the first alone", async ({ editor, context, url }) => {
  await editor.open("small.png");
  await editor.paint([[100, 100]], 40);
  const digest = await editor.digest();
  await editor.page.waitForTimeout(600); // saved
  const second = await context.newPage();
  await second.goto(url);
  await expect(second.getByRole("alert").filter({ hasText: strings.errors.secondTab })).toBeVisible();
  await second.close();
  await editor.page.reload();
  await editor.shows("small.png");
  expect(await editor.digest()).toBe(digest);
});
