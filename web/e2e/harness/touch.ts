// Fingers and a pen, which Playwright's mouse is not; positions are CSS pixels of the window.
import type { CDPSession } from "@playwright/test";
import type { Editor, Place } from "./editor";
import { pause } from "./server";

interface Spot {
  x: number;
  y: number;
}

export class Hands {
  constructor(readonly editor: Editor, readonly client: CDPSession) {}

  static async of(editor: Editor): Promise<Hands> {
    return new Hands(editor, await editor.page.context().newCDPSession(editor.page));
  }

  async #touch(type: "touchStart" | "touchMove" | "touchEnd", spots: readonly Spot[]): Promise<void> {
    const touchPoints = spots.map(({ x, y }, id) => ({ x, y, id, radiusX: 8, radiusY: 8, force: 0.5 }));
    await this.client.send("Input.dispatchTouchEvent", { type, touchPoints });
  }

  /** Moves fingers together: each from its first to its last spot. */
  async move(ways: readonly (readonly [Spot, Spot])[], steps = 8): Promise<void> {
    const at = (part: number) => ways.map(([from, to]) => ({ x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part }));
    // A hand's fingers never come down in the same instant.
    for (let finger = 1; finger <= ways.length; finger += 1) await this.#touch("touchStart", at(0).slice(0, finger));
    for (let step = 1; step <= steps; step += 1) await this.#touch("touchMove", at(step / steps));
    await pause(120); // a hand that lets go in motion flings, and the tap that follows stops the fling instead of pressing
    await this.#touch("touchEnd", []);
    await this.editor.frame();
  }

  /** One finger along native places of the picture. */
  async finger(from: Place, to: Place): Promise<void> {
    await this.move([[await this.editor.at(from), await this.editor.at(to)]]);
  }

  async pen(from: Place, to: Place, pressure: number): Promise<void> {
    const [start, end] = [await this.editor.at(from), await this.editor.at(to)];
    const send = (type: "mousePressed" | "mouseMoved" | "mouseReleased", { x, y }: Spot) =>
      this.client.send("Input.dispatchMouseEvent", {
        type, x, y, button: "left", buttons: type === "mouseReleased" ? 0 : 1, clickCount: 1, pointerType: "pen", force: pressure,
      });
    await send("mousePressed", start);
    for (let step = 1; step <= 6; step += 1) {
      await send("mouseMoved", { x: start.x + ((end.x - start.x) * step) / 6, y: start.y + ((end.y - start.y) * step) / 6 });
    }
    await send("mouseReleased", end);
    await this.editor.frame();
  }
}
