// The browser's side of web_painting.py: paints on a large photo and prints, as JSON, how long each frame took.
//
//     node benchmarks/web_painting.mjs URL PHOTO
import { createRequire } from "node:module";
import { join } from "node:path";

const { chromium } = createRequire(join(import.meta.dirname, "../web/package.json"))("@playwright/test");
const [url, photo] = process.argv.slice(2);
const MOVES = 200;
const PACE_MS = 8; // a mouse tells its place about 125 times a second

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
page.on("filechooser", (chooser) => chooser.setFiles(photo));
await page.goto(url);
await page.waitForFunction(() => window.ediffuser?.store.getState().restored);
await page.keyboard.press("Control+o");
await page.waitForFunction(() => window.ediffuser.stage?.mask?.width > 5000, null, { timeout: 60_000 });
await page.waitForFunction(() => Object.values(window.ediffuser.store.getState().pictures)[0]?.id, null, { timeout: 60_000 });

const host = await page.locator(".host").boundingBox();
const mouse = await page.context().newCDPSession(page);

/** One stroke of 200 moves across the canvas, with the frames' times. */
async function paint(zoom, size) {
  await page.keyboard.press(zoom);
  await page.evaluate((pixels) => window.ediffuser.store.setState({ size: pixels }), size);
  await page.waitForTimeout(1500);
  await page.evaluate(() => {
    const record = { intervals: [], stop: false };
    window.record = record;
    window.ediffuser.stage.frames.length = 0;
    let last = 0;
    const frame = (now) => {
      if (last) record.intervals.push(now - last);
      last = now;
      if (!record.stop) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const spot = (step) => ({
    x: host.x + host.width * (0.2 + (0.6 * step) / MOVES),
    y: host.y + host.height * (0.5 + 0.25 * Math.sin(step / 12)),
  });
  const send = (type, step, buttons) =>
    mouse.send("Input.dispatchMouseEvent", { type, ...spot(step), button: "left", buttons, clickCount: 1, pointerType: "mouse" });
  await send("mousePressed", 0, 1);
  const sent = [];
  const start = performance.now();
  for (let step = 1; step <= MOVES; step += 1) {
    sent.push(send("mouseMoved", step, 1)); // not awaited: a hand does not wait for the page either
    const due = start + step * PACE_MS;
    await new Promise((done) => setTimeout(done, Math.max(0, due - performance.now())));
  }
  await Promise.all(sent);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const result = await page.evaluate(() => {
    const { record } = window;
    record.stop = true;
    return { work: [...window.ediffuser.stage.frames], intervals: record.intervals };
  });
  await send("mouseReleased", MOVES, 0);
  return { zoom: zoom === "0" ? "whole picture" : "100 %", size, ...result };
}

const runs = [];
for (const [zoom, size] of [["0", 60], ["0", 400], ["1", 60], ["1", 400]]) runs.push(await paint(zoom, size));
process.stdout.write(JSON.stringify({ browser: browser.version(), runs }));
await browser.close();
