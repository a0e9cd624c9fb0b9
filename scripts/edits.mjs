// The browser's side of edits.py: opens PHOTO in the editor at URL, puts MASK in place, generates, and saves all results.
//
//     node scripts/edits.mjs URL PHOTO MASK FOLDER
import { createRequire } from "node:module";
import { join } from "node:path";

const { chromium } = createRequire(join(import.meta.dirname, "../web/package.json"))("@playwright/test");
const [url, photo, mask, folder] = process.argv.slice(2);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
const page = await (await browser.newContext({ viewport: { width: 1200, height: 760 }, acceptDownloads: true })).newPage();
const state = (wanted) => page.waitForFunction(wanted, null, { timeout: 300_000 });

async function pick(file, button) {
  const chooser = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: button }).click();
  await (await chooser).setFiles(file);
}

await page.goto(url);
await state(() => window.ediffuser?.store.getState().restored);
await pick(photo, "Choose a photo");
await state(() => window.ediffuser.stage?.mask);
await pick(mask, "Upload mask");
await page.getByText("The mask from the file is in place.").first().waitFor();
await page.getByRole("button", { name: "Generate" }).click();
await state(() => ["done", "failed", "cancelled"].includes(window.ediffuser.store.getState().run?.state));
const ended = await page.evaluate(() => window.ediffuser.store.getState().run.state);
if (ended !== "done") throw new Error(`the edit of ${photo} ended as ${ended}`);

const count = await page.evaluate(() => window.ediffuser.store.getState().run.slots.length);
for (let index = 0; index < count; index++) {
  await page.getByRole("button", { name: new RegExp(`^Variation ${index + 1}`) }).click();
  await page.keyboard.press("Control+s");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("radio", { name: "PNG" }).click();
  const coming = page.waitForEvent("download");
  await dialog.getByRole("button", { name: "Download", exact: true }).click();
  await (await coming).saveAs(join(folder, `${index}.png`));
  await page.keyboard.press("Escape");
}
await browser.close();
