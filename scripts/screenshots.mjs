// The browser's side of screenshots.py: walks through the editor at URL and writes pictures of it to FOLDER.
//
//     node scripts/screenshots.mjs URL PHOTO FOLDER
import { createRequire } from "node:module";
import { join } from "node:path";

const { chromium } = createRequire(join(import.meta.dirname, "../web/package.json"))("@playwright/test");
const [url, photo, folder] = process.argv.slice(2);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });

async function open(options) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.on("filechooser", (chooser) => chooser.setFiles(photo));
  await page.goto(url);
  await page.waitForFunction(() => window.ediffuser?.store.getState().restored);
  return page;
}

const state = (page, wanted) => page.waitForFunction(wanted, null, { timeout: 180_000 });

async function shoot(page, name) {
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(folder, `editor-${name}.png`), animations: "disabled" });
}

async function place(page, [x, y]) {
  return page.evaluate(([px, py]) => {
    const { left, top } = document.querySelector(".host").getBoundingClientRect();
    const on = window.ediffuser.stage.view.toScreen({ x: px, y: py });
    return { x: left + on.x, y: top + on.y };
  }, [x, y]);
}

async function paint(page, way, size) {
  await page.evaluate((pixels) => window.ediffuser.store.setState({ size: pixels }), size);
  for (const [index, spot] of way.entries()) {
    const { x, y } = await place(page, spot);
    await page.mouse.move(x, y, { steps: 6 });
    if (index === 0) await page.mouse.down();
  }
  await page.mouse.up();
}

async function openPhoto(page) {
  await page.getByRole("button", { name: "Choose a photo" }).click();
  await state(page, () => window.ediffuser.stage?.mask?.width === 512);
}

// Nose and mouth: the model has an eye on each side to go by.
const MOUTH = [[214, 128], [234, 128], [236, 142], [212, 142], [216, 154], [232, 154]];

async function walk(page, names) {
  if (names.start) await shoot(page, names.start);
  await openPhoto(page);
  await paint(page, MOUTH, 24);
  if (names.painting) {
    const { x, y } = await place(page, [232, 154]);
    await page.mouse.move(x, y);
    await shoot(page, names.painting);
  }
  await page.getByRole("button", { name: "Generate" }).click();
  await page.mouse.move(22, 24);
  if (names.progress) {
    await state(page, () => window.ediffuser.store.getState().run?.slots.filter((slot) => slot.result).length >= 2);
    await page.getByRole("button", { name: /^Variation 3/ }).click();
    await state(page, () => {
      const { run } = window.ediffuser.store.getState();
      return run?.state === "done" || run?.slots[2]?.step / run?.slots[2]?.steps > 0.5;
    });
    await shoot(page, names.progress);
  }
  await state(page, () => window.ediffuser.store.getState().run?.state === "done");
  await page.getByRole("button", { name: /^Variation 2/ }).click();
  await page.mouse.move(22, 24);
  if (names.slider) await page.keyboard.press("v");
  await shoot(page, names.results);
}

const desktop = { viewport: { width: 1200, height: 760 } };
await walk(await open({ ...desktop, colorScheme: "light" }), { start: "start", painting: "painting", progress: "progress", results: "results" });
await walk(await open({ ...desktop, colorScheme: "dark" }), { results: "dark", slider: true });
await walk(await open({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true }), { results: "phone" });
await browser.close();
