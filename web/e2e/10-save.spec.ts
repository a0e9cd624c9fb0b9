// Habit 10: nothing else changed: the file that was saved, decoded and compared pixel by pixel.
import { readFileSync } from "node:fs";
import { strings } from "../src/strings";
import type { Editor, Place } from "./harness/editor";
import { read } from "./harness/editor";
import { count, decode, difference, metadata, outside, picture } from "./harness/files";
import { expect, test } from "./harness/test";

const SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";

async function painted(editor: Editor, name: string, places: readonly Place[], size: number): Promise<Uint8Array> {
  await editor.open(name);
  await editor.paint(places, size);
  await editor.variations(1);
  await editor.generate();
  await editor.finish();
  return (await editor.mask()).bytes;
}

test("a photo that EXIF turns: full size, upright, profile kept, EXIF gone, disclosed", async ({ editor }) => {
  const mask = await painted(editor, "portrait.jpg", [[200, 300], [300, 420]], 80);
  const profile = metadata(readFileSync(picture("portrait.jpg"))).icc;
  const seed = (await editor.state("run"))?.seed;
  for (const format of ["PNG", "JPEG", "WebP"] as const) {
    await test.step(format, async () => {
      const { name, bytes } = await editor.save(format);
      expect(name).toBe(`portrait-ediffuser-${seed}-0.${{ PNG: "png", JPEG: "jpg", WebP: "webp" }[format]}`);
      const found = metadata(bytes);
      expect(found.icc?.equals(profile ?? Buffer.alloc(0)), "colour profile").toBe(true);
      expect(found.exif, "EXIF").toBe(null);
      expect(found.xmp, "disclosure").toContain(SOURCE_TYPE);
      if (format === "PNG") {
        const changed = difference(decode(picture("portrait-upright.png")), decode(bytes));
        expect(outside(changed, mask), "pixels changed outside the mask").toBe(0);
        expect(count(changed)).toBeGreaterThan(0.9 * count(mask));
      } else {
        const size = await editor.page.evaluate(async (base64) => {
          const image = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))]));
          return [image.width, image.height];
        }, bytes.toString("base64"));
        expect(size).toEqual([480, 640]);
      }
    });
  }
});

test("transparency, sixteen bits, soft edges: nothing outside the mask changes", async ({ editor }) => {
  for (const name of ["rgba.png", "deep.png"]) {
    await test.step(name, async () => {
      const mask = await painted(editor, name, [[100, 100], [200, 120]], 50);
      const { bytes } = await editor.save();
      const changed = difference(decode(picture(name === "deep.png" ? "small.png" : name)), decode(bytes));
      expect(outside(changed, mask)).toBe(0);
      expect(count(changed)).toBeGreaterThan(0.8 * count(mask));
    });
  }
  await test.step("feather", async () => {
    await editor.page.evaluate(() => window.ediffuser.store.setState(({ settings }) => ({ settings: { ...settings, feather: 12 } })));
    await editor.generate();
    await editor.finish();
    const { bytes } = await editor.save();
    const mask = (await editor.mask()).bytes;
    const changed = difference(decode(picture("small.png")), decode(bytes));
    expect(outside(changed, mask)).toBe(0);
    expect(count(changed)).toBeGreaterThan(0.5 * count(mask));
  });
});

test("the mask goes out as a file and comes in again", async ({ editor }) => {
  await editor.open("small.png");
  await editor.paint([[50, 60], [250, 180]], 33);
  const { bytes } = await editor.mask();
  const digest = await editor.digest();
  const coming = editor.page.waitForEvent("download");
  await editor.button(strings.mask.download).click();
  const file = await read(await coming);
  expect(file.name).toBe("small-mask.png");
  expect(file.bytes[24], "one bit a pixel").toBe(1);
  const pixels = decode(file.bytes);
  expect(bytes.every((byte, place) => pixels.data[place * 4] === byte * 255)).toBe(true);

  const upload = (what: string | { name: string; mimeType: string; buffer: Buffer }) =>
    editor.pick(what, () => editor.button(strings.mask.upload).click());
  await upload(picture("small-mask.png"));
  await expect.poll(async () => count((await editor.mask()).bytes)).toBe(40 * 240);
  await upload({ name: "back.png", mimeType: "image/png", buffer: file.bytes });
  await expect.poll(() => editor.digest()).toBe(digest);
  await upload(picture("disc.png")); // right size, no mask: taken by brightness, as documented
  await upload(picture("portrait-upright.png"));
  await expect(editor.alerts.filter({ hasText: "480 × 640" })).toBeVisible();
});

test("a larger canvas: the new margin is the hole, the photo stays", async ({ editor }) => {
  await editor.open("small.png");
  await editor.button(strings.extend.title).click();
  const dialog = editor.page.getByRole("dialog");
  await dialog.getByLabel(strings.extend.right).fill("80");
  await dialog.getByLabel(strings.extend.top).fill("20");
  await dialog.getByRole("button", { name: strings.extend.apply, exact: true }).click();
  await editor.page.waitForFunction(() => window.ediffuser.stage?.mask?.width === 400);
  const { width, height, bytes } = await editor.mask();
  expect([width, height]).toEqual([400, 260]);
  expect(count(bytes)).toBe(400 * 260 - 320 * 240);
  await editor.variations(1);
  await editor.generate();
  await editor.finish();
  const saved = decode((await editor.save()).bytes);
  expect([saved.width, saved.height]).toEqual([400, 260]);
  const photo = decode(picture("small.png"));
  for (let y = 0; y < 240; y += 1) {
    const row = saved.data.subarray((y + 20) * 400 * 4, ((y + 20) * 400 + 320) * 4);
    expect(Buffer.compare(row, photo.data.subarray(y * 320 * 4, (y + 1) * 320 * 4))).toBe(0);
  }
});
