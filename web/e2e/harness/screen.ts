// What can be seen on the screen.
import type { Editor, Place } from "./editor";
import { decode } from "./files";
import type { Pixels } from "./files";

export type Colour = readonly [red: number, green: number, blue: number];

interface Cutout {
  pixels: Pixels;
  /** Where a CSS pixel of the window lies in it. */
  on: (spot: { x: number; y: number }) => { x: number; y: number };
  density: number;
}

/** The screen around these places of the window. */
async function cutout(editor: Editor, spots: readonly { x: number; y: number }[], margin: number): Promise<Cutout> {
  const window = editor.page.viewportSize() ?? { width: 0, height: 0 };
  const [xs, ys] = [spots.map(({ x }) => x), spots.map(({ y }) => y)];
  const x = Math.max(0, Math.floor(Math.min(...xs) - margin));
  const y = Math.max(0, Math.floor(Math.min(...ys) - margin));
  const width = Math.min(window.width, Math.ceil(Math.max(...xs) + margin)) - x;
  const height = Math.min(window.height, Math.ceil(Math.max(...ys) + margin)) - y;
  const pixels = decode(await editor.page.screenshot({ animations: "disabled", caret: "hide", clip: { x, y, width, height } }));
  const density = pixels.width / width;
  return { pixels, density, on: (spot) => ({ x: (spot.x - x) * density, y: (spot.y - y) * density }) };
}

/** Colours on the screen in the middle of native pixels. */
export async function look(editor: Editor, places: readonly Place[]): Promise<Colour[]> {
  const spots = await Promise.all(places.map(([x, y]) => editor.at([x + 0.5, y + 0.5])));
  const { pixels, on } = await cutout(editor, spots, 8);
  return spots.map((spot) => {
    const { x, y } = on(spot);
    return colour(pixels, [Math.floor(x), Math.floor(y)]);
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
  const shoot = () => cutout(editor, [at], expected / 2 + 14);
  await editor.page.mouse.move(2, 2);
  await editor.frame();
  const without = (await shoot()).pixels;
  await editor.page.mouse.move(at.x, at.y);
  await editor.frame();
  const { pixels: shot, density, on } = await shoot();
  const middle = on(at);
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  const reach = (expected / 2 + 12) * density;
  for (let y = 0; y < shot.height; y += 1) {
    for (let x = 0; x < shot.width; x += 1) {
      if (Math.hypot(x - middle.x, y - middle.y) > reach) continue;
      const here: Colour = colour(shot, [x, y]);
      if (apart(here, colour(without, [x, y])) < 12) continue;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x + 1), Math.min(top, y), Math.max(bottom, y + 1)];
    }
  }
  return {
    diameter: Math.max(right - left, bottom - top) / density,
    dx: ((left + right) / 2 - middle.x) / density,
    dy: ((top + bottom) / 2 - middle.y) / density,
  };
}
