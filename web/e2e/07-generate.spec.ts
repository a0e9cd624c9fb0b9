// Habit 7: Generate tells the truth: why it is not possible, the place in the queue, real steps, a bar that is never early.
import { readFileSync } from "node:fs";
import { strings } from "../src/strings";
import { listen } from "./harness/events";
import { picture } from "./harness/files";
import { apart, look } from "./harness/screen";
import { expect, test } from "./harness/test";

test("Generate says why it is disabled", async ({ editor }) => {
  await editor.open("small.png");
  await expect(editor.generateButton).toBeDisabled();
  await expect(editor.generateButton).toHaveAccessibleDescription(strings.generate.nothingPainted);
  await editor.page.keyboard.press("Control+Enter");
  expect(await editor.state("run")).toBe(null);
  await editor.paint([[100, 100]], 40);
  await expect(editor.generateButton).toBeEnabled();
  await editor.page.keyboard.press("Delete");
  await expect(editor.generateButton).toBeDisabled();
});

test("what is shown is what the server tells", async ({ editor, url, context }) => {
  await editor.open("small.png");
  await editor.paint([[100, 100], [180, 140]], 60);
  await editor.variations(4);
  const [before] = await look(editor, [[140, 120]]);

  // Writes down every change of bar, text and results, with what the canvas shows in the hole.
  await editor.page.evaluate(() => {
    const log: { value: number | null; text: string; ready: number; live: boolean }[] = [];
    const write = () => {
      const bar = document.querySelector("[role=progressbar]");
      const value = bar?.getAttribute("aria-valuenow") ?? null;
      const entry = {
        value: value === null ? null : Number(value),
        text: bar?.parentElement?.textContent ?? "",
        ready: document.querySelectorAll(".tile.ready").length - 1,
        live: bar !== null,
      };
      if (JSON.stringify(entry) !== JSON.stringify(log.at(-1))) log.push(entry);
    };
    new MutationObserver(write).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    (window as unknown as { log: typeof log }).log = log;
  });
  const job = await editor.generate();
  const told = listen(url, context, job);
  await expect.poll(async () => (await editor.state("run"))?.slots.some((slot) => slot.previews > 0) ?? false, { intervals: [20] }).toBe(true);
  await editor.frame();
  const [during] = await look(editor, [[140, 120]]);
  expect(apart(before ?? [0, 0, 0], during ?? [0, 0, 0]), "the preview can be seen in the hole").toBeGreaterThan(8);
  await editor.finish();
  const events = await told;
  const kinds = (type: string) => events.filter((event) => event.type === type);

  await test.step("the server's events are complete and in order", () => {
    expect(kinds("snapshot")).toHaveLength(1);
    expect(kinds("variation").map((event) => event.type === "variation" && event.data.variation).sort()).toEqual([0, 1, 2, 3]);
    expect(kinds("done")).toHaveLength(1);
    expect(events.at(-1)?.type).toBe("done");
    expect(kinds("step").length).toBeGreaterThanOrEqual(4 * 6);
    expect(kinds("preview").length).toBeGreaterThanOrEqual(4);
    const ids = events.map((event) => event.id);
    expect(ids.every((id, index) => index === 0 || id >= (ids[index - 1] ?? 0))).toBe(true);
    let progress = 0;
    for (const event of events) {
      if (event.type !== "step") continue;
      expect(event.data.progress).toBeGreaterThanOrEqual(progress);
      expect(event.data.progress).toBeLessThan(1);
      progress = event.data.progress;
    }
  });

  const log = await editor.page.evaluate(() => (window as unknown as { log: { value: number | null; text: string; ready: number; live: boolean }[] }).log);
  await test.step("the bar follows them, goes only forward and is never full before the pictures", () => {
    const values = log.filter((entry) => entry.value !== null).map((entry) => entry.value ?? 0);
    expect(new Set(values).size).toBeGreaterThan(5);
    expect(values).toEqual([...values].sort((one, other) => one - other));
    expect(Math.max(...values)).toBeLessThan(100);
    for (const entry of log) if (!entry.live && entry.ready >= 0 && entry !== log[0]) expect(entry.ready === 4 || entry.ready === 0).toBe(true);
    expect(log.filter((entry) => entry.live).some((entry) => entry.ready > 0 && entry.ready < 4), "results land one by one").toBe(true);
    const texts = log.map((entry) => entry.text).join("\n");
    const steps = events.flatMap((event) => (event.type === "step" ? [event.data] : []));
    const shown = ({ step, steps: of }: { step: number; steps: number }) =>
      [0, 1, 2, 3].some((ready) => texts.includes(strings.progress.step(step, of, ready, 4)));
    expect(steps.filter(shown).length).toBeGreaterThan(3);
    expect(texts).toMatch(/s left/);
  });
});

test("the place in the queue is shown", async ({ editor, context, url }) => {
  await editor.open("small.png");
  await editor.paint([[100, 100]], 60);
  // Another window of the same person is at work: jobs of one client run one after the other.
  const send = () => context.request.post(`${url}api/jobs`, {
    multipart: {
      image: { name: "a.png", mimeType: "image/png", buffer: readFileSync(picture("small.png")) },
      mask: { name: "m.png", mimeType: "image/png", buffer: readFileSync(picture("small-mask.png")) },
      options: JSON.stringify({ variations: 4 }),
    },
  });
  for (let job = 0; job < 2; job += 1) expect((await send()).status()).toBe(202);
  await editor.variations(1);
  await editor.generateButton.click();
  await expect(editor.page.getByText(/In the queue: \d job|Next in the queue/).first()).toBeVisible();
  await editor.finish();
  expect(await editor.results()).toBe(1);
});
