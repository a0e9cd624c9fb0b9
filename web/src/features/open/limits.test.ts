import { expect, it } from "vitest";
import { fileProblem, LARGEST_FILE, sizeProblem } from "./limits";

const file = (size: number, type: string) => ({ size, type }) as Blob;

it("refuses files and names the limit", () => {
  expect(fileProblem(file(0, "image/png"))).toMatch(/empty/);
  expect(fileProblem(file(LARGEST_FILE + 1, "image/png"))).toMatch(/100 MB/);
  expect(fileProblem(file(10, "application/pdf"))).toMatch(/PNG, JPEG or WebP/);
  expect(fileProblem(file(LARGEST_FILE, "image/webp"))).toBeNull();
  expect(fileProblem(file(10, ""))).toBeNull(); // the server looks at the bytes
});

it("refuses pictures that are too large", () => {
  expect(sizeProblem(10_000, 5_001)).toMatch(/50 megapixels/);
  expect(sizeProblem(16_385, 10)).toMatch(/16384/);
  expect(sizeProblem(10_000, 5_000)).toBeNull();
});
