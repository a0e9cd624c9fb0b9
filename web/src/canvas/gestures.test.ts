import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Gestures, pressureFactor, type Finger } from "./gestures";
import type { Tool } from "./tools/tool";

let log: string[] = [];
let gestures: Gestures;

function recorder(name: string): Tool {
  return {
    cursor: "",
    down: (at) => log.push(`${name} down ${at.screen.x}`),
    move: (trail) => log.push(`${name} move ${trail.map((spot) => spot.screen.x).join(" ")}`),
    up: (at) => log.push(`${name} up ${at.screen.x}`),
    cancel: () => log.push(`${name} cancel`),
  };
}

beforeEach(() => {
  log = [];
  const [brush, pan] = [recorder("brush"), recorder("pan")];
  gestures = new Gestures({
    pan,
    choose: (finger) => (finger.button > 1 ? null : finger.button === 1 || (finger.kind === "touch" && gestures.penMode) ? pan : brush),
    spot: (finger) => ({ picture: { ...finger.screen, pressure: 1 }, screen: finger.screen, shift: false, alt: false }),
    pinch: (from, to) => log.push(`pinch ${from.map((p) => p.x).join(" ")} to ${to.map((p) => p.x).join(" ")}`),
  });
});

const finger = (kind: Finger["kind"], id: number, x: number, more: Partial<Finger> = {}): Finger =>
  ({ id, kind, screen: { x, y: 0 }, pressure: 0.5, button: 0, buttons: 1, shift: false, alt: false, ...more });

describe("one pointer", () => {
  it("is one gesture from down to up, with every place on the way", () => {
    expect(gestures.down(finger("mouse", 1, 10))).toBe(true);
    gestures.move([finger("mouse", 1, 20), finger("mouse", 1, 30)]);
    gestures.up(finger("mouse", 1, 40));
    gestures.move([finger("mouse", 1, 50)]);
    expect(log).toEqual(["brush down 10", "brush move 20 30", "brush up 40"]);
  });

  it("the middle button pans, the right one does nothing", () => {
    gestures.down(finger("mouse", 1, 10, { button: 1, buttons: 4 }));
    gestures.up(finger("mouse", 1, 20));
    expect(gestures.down(finger("mouse", 1, 10, { button: 2, buttons: 2 }))).toBe(false);
    expect(log).toEqual(["pan down 10", "pan up 20"]);
  });

  it("a second button during a gesture changes nothing", () => {
    gestures.down(finger("mouse", 1, 10));
    gestures.down(finger("mouse", 1, 15, { button: 1, buttons: 5 }));
    gestures.up(finger("mouse", 1, 20));
    expect(log).toEqual(["brush down 10", "brush up 20"]);
  });

  it("a release that nobody saw ends the stroke and keeps it", () => {
    gestures.down(finger("mouse", 1, 10));
    gestures.move([finger("mouse", 1, 60, { buttons: 0 })]);
    expect(log).toEqual(["brush down 10", "brush up 60"]);
  });

  it("a cancelled pointer drops it, and so does `drop`, once", () => {
    gestures.down(finger("touch", 1, 10));
    gestures.cancel(finger("touch", 1, 20));
    gestures.down(finger("mouse", 2, 10));
    expect([gestures.drop(), gestures.drop()]).toEqual([true, false]);
    expect(log).toEqual(["brush down 10", "brush cancel", "brush down 10", "brush cancel"]);
  });
});

describe("two fingers", () => {
  it("take back what the first began, then pinch; the one that remains pans", () => {
    gestures.down(finger("touch", 1, 10));
    gestures.move([finger("touch", 1, 20)]);
    gestures.down(finger("touch", 2, 100));
    gestures.move([finger("touch", 2, 120)]);
    gestures.move([finger("touch", 1, 5)]);
    gestures.up(finger("touch", 1, 5));
    gestures.move([finger("touch", 2, 130)]);
    gestures.up(finger("touch", 2, 140));
    expect(log).toEqual([
      "brush down 10", "brush move 20", "brush cancel", "pinch 20 100 to 20 120", "pinch 20 120 to 5 120",
      "pan down 120", "pan move 130", "pan up 140",
    ]);
  });

  it("paint again only after both are lifted", () => {
    gestures.down(finger("touch", 1, 10));
    gestures.down(finger("touch", 2, 20));
    gestures.up(finger("touch", 1, 10));
    gestures.down(finger("touch", 3, 30));
    gestures.up(finger("touch", 3, 30));
    gestures.up(finger("touch", 2, 20));
    gestures.down(finger("touch", 4, 40));
    expect(log.filter((line) => line.startsWith("brush"))).toEqual(["brush down 10", "brush cancel", "brush down 40"]);
  });

  it("a third finger changes nothing, and leaves the pinch as it was", () => {
    for (const id of [1, 2, 3]) gestures.down(finger("touch", id, id * 10));
    gestures.move([finger("touch", 3, 35)]);
    gestures.up(finger("touch", 3, 35));
    gestures.move([finger("touch", 2, 25)]);
    expect(log).toEqual(["brush down 10", "brush cancel", "pinch 10 20 to 10 25"]);
  });

  it("do not disturb a stroke of the pen or the mouse", () => {
    gestures.down(finger("mouse", 1, 10));
    gestures.down(finger("touch", 2, 100));
    gestures.down(finger("touch", 3, 200));
    gestures.move([finger("mouse", 1, 20)]);
    expect(log).toEqual(["brush down 10", "brush move 20"]);
  });
});

describe("a pen", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("takes back what the palm began, and beside it fingers only pan", () => {
    gestures.down(finger("touch", 1, 10));
    gestures.down(finger("pen", 2, 50));
    gestures.up(finger("pen", 2, 60));
    gestures.up(finger("touch", 1, 10));
    gestures.down(finger("touch", 3, 10));
    expect(log).toEqual(["brush down 10", "brush cancel", "brush down 50", "brush up 60", "pan down 10"]);
  });

  it("that was laid aside leaves the painting to fingers again", () => {
    vi.useFakeTimers();
    gestures.penSeen();
    vi.advanceTimersByTime(8_000);
    gestures.penSeen();
    vi.advanceTimersByTime(8_000);
    gestures.down(finger("touch", 1, 10));
    gestures.up(finger("touch", 1, 10));
    vi.advanceTimersByTime(4_000);
    gestures.down(finger("touch", 2, 20));
    expect(log).toEqual(["pan down 10", "pan up 10", "brush down 20"]);
  });

  it("paints 30 % to 100 % of the size; mouse and finger always all of it", () => {
    expect([0, 1].map((pressure) => pressureFactor(finger("pen", 1, 0, { pressure })))).toEqual([0.3, 1]);
    expect(pressureFactor(finger("pen", 1, 0, { pressure: 0.5 }))).toBeCloseTo(0.65);
    expect(pressureFactor(finger("touch", 1, 0, { pressure: 0.1 }))).toBe(1);
    expect(pressureFactor(finger("mouse", 1, 0))).toBe(1);
  });
});
