import { expect, it } from "vitest";
import { letter } from "./letter";

it("goes by what is written on the key, and by its place only without Latin letters", () => {
  expect(letter({ key: "z", code: "KeyY" })).toBe("z"); // German
  expect(letter({ key: "Z", code: "KeyW" })).toBe("z"); // French, with Shift
  expect(letter({ key: "я", code: "KeyZ" })).toBe("z"); // Russian
  expect(letter({ key: "ArrowLeft", code: "ArrowLeft" })).toBe("arrowleft");
  expect(letter({ key: "]", code: "Digit9" })).toBe("]"); // German, with AltGr
  expect(letter({ key: "ü", code: "BracketLeft" })).toBe("ü");
});
