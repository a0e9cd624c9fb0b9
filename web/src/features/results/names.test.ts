import { expect, it } from "vitest";
import { savedName, stemOf } from "./names";

it("names a result after the photo", () => {
  expect(savedName("holiday.JPG", "ediffuser-5-0.png")).toBe("holiday-ediffuser-5-0.png");
  expect(savedName("pasted picture", "ediffuser-5-0.png")).toBe("pasted picture-ediffuser-5-0.png");
  expect(savedName(" .jpg", "ediffuser-5-0.png")).toBe("ediffuser-5-0.png");
});

it("keeps nothing in it that a system takes for something else", () => {
  expect(stemOf("../a\\b:c*?.v2.png")).toBe("a-b-c-.v2");
  expect(stemOf("a\u0000\u202Eb.png")).toBe("a-b");
  expect(stemOf(`${"ü".repeat(200)}.png`)).toHaveLength(80);
});
