// What can be seen on the screen.
import type { Editor, Place } from "./editor";
import { decode } from "./files";
import type { Pixels } from "./files";

export type Colour = readonly [red: number, green: number, blue: number];

export async function screenshot(editor: Editor): Promise<Pixels> {
  return decode(await editor.page.screenshot({ animations: "disabled", caret: "hide" }));
}

/** Colours on the screen in the middle of native pixels. */
export async function look(editor: Editor, places: readonly Place[]): Promise<Colour[]> {
  const on = await Promise.all(places.map(([x, y]) => editor.at([x + 0.5, y + 0.5])));
  const shot = await screenshot(editor);
  const density = shot.width / (editor.page.viewportSize()?.width ?? shot.width);
  return on.map(({ x, y }) => {
    const at = (Math.floor(y * density) * shot.width + Math.floor(x * density)) * 4;
    return [shot.data[at] ?? -1, shot.data[at + 1] ?? -1, shot.data[at + 2] ?? -1];
  });
}

/** Colour of a native pixel of a picture. */
export function colour(pixels: Pixels, [x, y]: Place): Colour {
  const at = (y * pixels.width + x) * 4;
  return [pixels.data[at] ?? -1, pixels.data[at + 1] ?? -1, pixels.data[at + 2] ?? -1];
}

/** The largest difference of a channel. */
export const apart = (one: Colour, other: Colour): number =>
  Math.max(Math.abs(one[0] - other[0]), Math.abs(one[1] - other[1]), Math.abs(one[2] - other[2]));

/**
 * Diameter, in CSS pixels, of what the pointer draws around itself over the canvas; its middle against the pointer.
 *
 * Looks no farther than 12 CSS pixels beyond the diameter that is expected.
 */
export async function ring(editor: Editor, place: Place, expected: number): Promise<{ diameter: number; dx: number; dy: number }> {
  const at = await editor.at(place);
  await editor.page.mouse.move(2, 2);
  await editor.frame();
  const without = await screenshot(editor);
  await editor.page.mouse.move(at.x, at.y);
  await editor.frame();
  const shot = await screenshot(editor);
  const density = shot.width / (editor.page.viewportSize()?.width ?? shot.width);
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  const reach = (expected / 2 + 12) * density;
  for (let y = 0; y < shot.height; y += 1) {
    for (let x = 0; x < shot.width; x += 1) {
      if (Math.hypot(x - at.x * density, y - at.y * density) > reach) continue;
      const here: Colour = colour(shot, [x, y]);
      if (apart(here, colour(without, [x, y])) < 12) continue;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x + 1), Math.min(top, y), Math.max(bottom, y + 1)];
    }
  }
  return {
    diameter: Math.max(right - left, bottom - top) / density,
    dx: (left + right) / 2 / density - at.x,
    dy: (top + bottom) / 2 / density - at.y,
  };
}
