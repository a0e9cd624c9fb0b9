import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { bitmapNow, bitmapOf, holeNow, keepDecoded, keepOnly, keepRun, patchNow, putFile, putHole, putPatch, putPicture, putPreview } from "./media";
import { strings } from "./strings";

const bitmap = () => ({ width: 4, height: 4, close: vi.fn() }) as unknown as ImageBitmap;
const blob = new Blob(["file"]);
const box = { left: 1, top: 1, width: 2, height: 1 };

beforeEach(() => {
  vi.stubGlobal("createImageBitmap", vi.fn(async () => bitmap()));
  vi.stubGlobal("ImageData", class { data: Uint8ClampedArray; constructor(width: number, height: number) { this.data = new Uint8ClampedArray(4 * width * height); } });
});
afterEach(() => {
  keepOnly(new Set());
  keepRun(null);
  vi.unstubAllGlobals();
});

it("closes decoded pictures that are not needed now, and decodes them again from their files", async () => {
  const [near, far, only] = [bitmap(), bitmap(), bitmap()];
  putPicture("near", blob, near);
  putPicture("far", blob, far);
  putPicture("only", null, only); // its file has not come yet
  keepDecoded(new Set(["near"]));
  expect([near, far, only].map((one) => vi.mocked(one.close).mock.calls.length)).toEqual([0, 1, 0]);
  expect(bitmapNow("far")).toBe(null);
  const again = await bitmapOf("far", null);
  expect(again).not.toBe(far);
  expect(bitmapNow("far")).toBe(again);
});

it("says in a sentence that a picture is nowhere", async () => {
  await expect(bitmapOf("gone", null)).rejects.toThrow(strings.errors.lostPicture);
});

it("closes what it lets go of", async () => {
  const picture = bitmap();
  putPicture("a", blob, picture);
  putFile("b", blob);
  const patch = await putPatch("run", 0, box, blob);
  const other = await putPatch("other", 0, box, blob);
  keepOnly(new Set(["b"]));
  keepRun("run");
  expect(picture.close).toHaveBeenCalledOnce();
  expect(other.image.close).toHaveBeenCalledOnce();
  expect(patch.image.close).not.toHaveBeenCalled();
  expect(patchNow("run", 0)).toBe(patch);
});

it("closes a preview that a newer one replaces", async () => {
  const images = [bitmap(), bitmap()];
  vi.mocked(createImageBitmap).mockResolvedValueOnce(images[0] as ImageBitmap).mockResolvedValueOnce(images[1] as ImageBitmap);
  const preview = { variation: 0, left: 0, top: 0, side: 4, image: "data:image/webp;base64,AAAA" };
  await putPreview("run", preview);
  await putPreview("run", preview);
  expect(images[0]?.close).toHaveBeenCalledOnce();
  expect(images[1]?.close).not.toHaveBeenCalled();
});

it("remembers a run's hole as it was", () => {
  const bytes = Uint8Array.from([0, 0, 0, 0, /**/ 0, 1, 0, 0, /**/ 0, 0, 0, 0]);
  putHole("run", { bytes, width: 4 }, box);
  bytes.fill(1);
  expect(holeNow("run")).toEqual({ ...box, bytes: Uint8Array.of(1, 0) });
});
