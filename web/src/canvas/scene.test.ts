import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Layers } from "./layers";
import { Scene } from "./scene";
import { View } from "./view";

type Call = [name: string, ...given: unknown[]];
let calls: Call[] = [];

/** A canvas of 8 x 8 pixels that writes down what is done to it. */
function recorder(name: string) {
  const canvas = { width: 8, height: 8 };
  const does = (what: string) => (...given: unknown[]) => {
    calls.push([`${name}.${what}`, ...given]);
    const [width, height] = given as [number, number];
    return what === "createImageData" ? { width, data: new Uint8ClampedArray(4 * width * height) } : undefined;
  };
  const context = new Proxy({ canvas }, { get: (_, what) => does(String(what)), set: () => true });
  return { ...canvas, canvas, context, getContext: () => context };
}

const picture = (side: number) => ({ width: side, height: side }) as ImageBitmap;
const called = (name: string) => calls.filter(([what]) => what === name);
let scene: Scene;
let layers: Layers;

beforeEach(() => {
  calls = [];
  vi.stubGlobal("document", { createElement: () => recorder("cut") });
  scene = new Scene(() => undefined);
  layers = { picture: recorder("canvas"), ratio: { x: 1, y: 1 }, width: 8, height: 8 } as unknown as Layers;
  scene.setPicture(picture(8));
});
afterEach(() => {
  vi.unstubAllGlobals();
});

it("takes the picture away under a result, to whole pixels of the screen", () => {
  const patch = picture(4);
  scene.setResult({ left: 2, top: 1, image: patch });
  const view = new View();
  view.scale = 1.1;
  scene.draw(layers, view);
  const cleared = calls.findIndex(([name, left]) => name === "canvas.clearRect" && left !== 0);
  expect(calls[cleared]).toEqual(["canvas.clearRect", 3, 2, 3, 3]); // the patch lies from 2.2 to 6.6, and from 1.1 to 5.5
  expect(calls.findIndex(([name, image]) => name === "canvas.drawImage" && image === patch)).toBeGreaterThan(cleared);
});

it("cuts previews to the hole of their run", () => {
  const image = picture(8);
  scene.previews = [{ left: 0, top: 0, side: 8, image }];
  scene.draw(layers, new View());
  expect(called("cut.drawImage")).toEqual([]);
  scene.hole = { left: 3, top: 2, width: 2, height: 2, bytes: Uint8Array.of(1, 0, 1, 1) };
  scene.draw(layers, new View());
  const opaque = new Set<string>();
  for (const [, data, left, top] of called("cut.putImageData")) {
    const { data: bytes, width } = data as ImageData;
    for (let at = 0; at < bytes.length / 4; at += 1) {
      if (bytes[4 * at + 3]) opaque.add(`${(left as number) + (at % width)},${(top as number) + Math.floor(at / width)}`);
    }
  }
  expect(opaque).toEqual(new Set(["3,2", "3,3", "4,3"]));
  expect(called("cut.drawImage").at(-1)?.[1]).toBe(image);
});
