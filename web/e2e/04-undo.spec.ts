// Habit 4: everything undoes and comes back, over more than fifty steps, to the byte; also on a keyboard that is not US.
import { strings } from "../src/strings";
import type { Editor, Place } from "./harness/editor";
import { expect, test } from "./harness/test";

/** A key of a German keyboard: Z and Y have changed places. */
async function german(editor: Editor, key: "z" | "y", shift = false): Promise<void> {
  const client = await editor.page.context().newCDPSession(editor.page);
  const code = key === "z" ? "KeyY" : "KeyZ";
  const one = { key: shift ? key.toUpperCase() : key, code, windowsVirtualKeyCode: key.toUpperCase().charCodeAt(0), modifiers: shift ? 10 : 2 };
  await client.send("Input.dispatchKeyEvent", { type: "rawKeyDown", ...one });
  await client.send("Input.dispatchKeyEvent", { type: "keyUp", ...one });
  await client.detach();
}

test("fifty and more steps of every kind walk back and forth to the byte", async ({ editor }) => {
  test.slow();
  const { keyboard } = editor.page;
  await editor.open("disc.png");
  await editor.variations(2);
  const seen = [await editor.digest()];
  const bases = [await editor.state("base")];
  const step = async (act: () => Promise<unknown>, changes = true) => {
    const before = (await editor.edits()).length;
    const base = await editor.state("base");
    await act();
    await expect.poll(async () => (await editor.edits()).length !== before || (await editor.state("base")) !== base).toBe(true);
    const now = await editor.digest();
    if (changes) expect(now).not.toBe(seen.at(-1));
    seen.push(now);
    bases.push(await editor.state("base"));
  };
  const key = (name: string) => step(() => keyboard.press(name));

  await test.step("make them", async () => {
    await editor.brush(14);
    for (let dab = 0; dab < 40; dab += 1) await step(() => editor.drag([[15 + (dab % 10) * 31, 20 + Math.floor(dab / 10) * 60]]));
    await editor.use("eraser");
    for (let dab = 0; dab < 4; dab += 1) await step(() => editor.drag([[15 + dab * 31, 20], [20 + dab * 31, 26]]));
    await editor.use("rectangle");
    await step(() => editor.drag([[30, 30], [90, 70]]));
    await editor.use("lasso");
    await step(() => editor.drag([[200, 40], [300, 60], [240, 140]]));
    await key("i");
    await key("i");
    await key(">");
    await key("<");
    await editor.use("select");
    await editor.drag([[160, 120]]);
    await expect.poll(async () => (await editor.state("selection"))?.busy).toBe(false);
    await step(() => keyboard.press("Enter"));
    await key("Delete");
    await editor.use("brush");
    await step(() => editor.drag([[160, 120], [180, 130]]));
    await editor.generate();
    await editor.finish();
    await step(() => keyboard.press("u"));
    await step(() => editor.drag([[60, 60]]));
    expect(seen.length).toBeGreaterThan(50);
  });

  const at = async (index: number) => {
    await expect.poll(() => editor.digest(), `step ${index}`).toBe(seen[index]);
    expect(await editor.state("base"), `picture of step ${index}`).toBe(bases[index]);
  };
  const last = seen.length - 1;
  await test.step("walk back with Ctrl+Z", async () => {
    for (let index = last - 1; index >= 0; index -= 1) {
      await keyboard.press("Control+z");
      await at(index);
    }
    await expect(editor.button(strings.edit.undo)).toBeDisabled();
  });
  await test.step("walk forth with Ctrl+Shift+Z and Ctrl+Y", async () => {
    for (let index = 1; index <= last; index += 1) {
      await keyboard.press(index % 2 ? "Control+Shift+z" : "Control+y");
      await at(index);
    }
    await expect(editor.button(strings.edit.redo)).toBeDisabled();
  });
  await test.step("on a German keyboard, with Cmd, and with the buttons", async () => {
    await german(editor, "z");
    await at(last - 1);
    await german(editor, "z", true);
    await at(last);
    await german(editor, "z");
    await at(last - 1);
    await german(editor, "y");
    await at(last);
    await keyboard.press("Meta+z");
    await at(last - 1);
    await editor.button(strings.edit.undo).click();
    await at(last - 2);
    await editor.button(strings.edit.redo).click();
    await at(last - 1);
  });
});

test("a new step after undoing takes the place of what was undone", async ({ editor }) => {
  await editor.open("small.png");
  const places: Place[] = [[60, 60], [160, 60], [260, 60]];
  for (const place of places) await editor.paint([place], 30);
  await editor.page.keyboard.press("Control+z");
  await editor.page.keyboard.press("Control+z");
  await editor.paint([[60, 200]]);
  await editor.page.keyboard.press("Control+y");
  const mask = await editor.mask();
  expect([[60, 60], [160, 60], [260, 60], [60, 200]].map(([x = 0, y = 0]) => mask.bytes[y * 320 + x])).toEqual([1, 0, 0, 1]);
});
