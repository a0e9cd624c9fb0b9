// Habit 8: stop means stop: ready at once, mask and finished variations kept, no ghost, and the server is free.
import { strings } from "../src/strings";
import { pause } from "./harness/server";
import { expect, say, test } from "./harness/test";

const STEP_MS = 50;

for (const how of ["the button", "Esc"] as const) {
  test(`cancel with ${how} while it paints`, async ({ editor, url, context }) => {
    await editor.open("small.png");
    await editor.paint([[100, 100], [180, 140]], 60);
    await editor.variations(8);
    const mask = await editor.digest();
    const job = await editor.generate();
    await expect.poll(() => editor.results(), { intervals: [20] }).toBeGreaterThan(0);

    const started = Date.now();
    if (how === "Esc") await editor.page.keyboard.press("Escape");
    else await editor.button(new RegExp(`^${strings.generate.cancel}`)).click();
    await expect(editor.generateButton).toBeEnabled({ timeout: 1000 + STEP_MS });
    const taken = Date.now() - started;
    say(`milliseconds from ${how} to ready: ${taken}`);
    expect(taken).toBeLessThan(1000 + STEP_MS + 500); // half a second is the test's own

    const told = async () => (await (await context.request.get(`${url}api/jobs/${job}`)).json()) as { state: string; results: unknown[] };
    await expect.poll(async () => (await told()).state).toBe("cancelled");
    expect(await editor.digest()).toBe(mask);
    const kept = await editor.results();
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(8);
    await pause(900); // longer than two more variations would take
    const later = await told();
    expect(later.state).toBe("cancelled");
    expect(await editor.results(), "no ghost").toBe(later.results.length);
    expect(await editor.page.getByRole("progressbar").count()).toBe(0);
    await expect(editor.page.locator(".tile.ready")).toHaveCount(later.results.length + 1);

    await test.step("the slot is free: the next run begins at once", async () => {
      await editor.variations(1);
      const again = Date.now();
      await editor.generate();
      await editor.finish();
      expect(Date.now() - again).toBeLessThan(4_000);
      expect(await editor.results()).toBe(1);
    });
  });
}

test("cancel a run that still waits, or whose answer has not come", async ({ editor, url, context }) => {
  await editor.open("small.png");
  await editor.paint([[100, 100]], 60);
  await editor.variations(8);
  await editor.generateButton.click();
  await editor.page.keyboard.press("Escape");
  await expect(editor.generateButton).toBeEnabled();
  await expect.poll(async () => {
    const jobs = (await (await context.request.get(`${url}api/jobs`)).json()) as { state: string }[];
    return jobs.every((job) => job.state === "cancelled");
  }).toBe(true);
});
