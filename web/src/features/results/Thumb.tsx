import { useEffect, useRef } from "react";
import type { Box } from "../../api/types";
import { bitmapNow, bitmapOf, patchNow, previewsNow, shapeNow, useMedia } from "../../media";
import { isLive } from "../../run";
import type { Run } from "../../run";
import { get } from "../../store";

const SIDE = 176;

/** A square around the hole, inside the picture. */
function around(box: Box, width: number, height: number): { left: number; top: number; side: number } {
  const side = Math.min(Math.max(box.width, box.height) * 1.5, width, height);
  const inside = (centre: number, length: number) => Math.max(0, Math.min(length - side, centre - side / 2));
  return { left: inside(box.left + box.width / 2, width), top: inside(box.top + box.height / 2, height), side };
}

interface Ground {
  key: string;
  canvas: OffscreenCanvas;
  at: { left: number; top: number; side: number };
}
let ground: Ground | null = null;

/** The surroundings without result, drawn once a run: the photo may be large. */
function groundOf(run: Run, picture: ImageBitmap): Ground {
  const key = `${run.key} ${run.base}`;
  if (ground?.key === key) return ground;
  const at = around(run.box ?? { left: 0, top: 0, width: picture.width, height: picture.height }, picture.width, picture.height);
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  const context = canvas.getContext("2d");
  if (context) context.imageSmoothingQuality = "high";
  context?.drawImage(picture, at.left, at.top, at.side, at.side, 0, 0, SIDE, SIDE);
  ground = { key, canvas, at };
  return ground;
}

/** What the model expects so far, within the hole only. */
function drawPreviews(context: CanvasRenderingContext2D, run: Run, variation: number, { left, top, side }: Ground["at"]): void {
  const previews = previewsNow(run.key, variation);
  const layer = previews.length > 0 && run.box ? new OffscreenCanvas(SIDE, SIDE).getContext("2d") : null;
  if (!layer || !run.box) return;
  const { box } = run;
  layer.setTransform(SIDE / side, 0, 0, SIDE / side, (-left * SIDE) / side, (-top * SIDE) / side);
  layer.beginPath();
  layer.rect(box.left, box.top, box.width, box.height);
  layer.clip();
  for (const { box: at, image } of previews) layer.drawImage(image, at.left, at.top, at.width, at.height);
  const shape = shapeNow(run.key);
  layer.globalCompositeOperation = "destination-in";
  if (shape) layer.drawImage(shape, box.left, box.top);
  context.drawImage(layer.canvas, 0, 0);
}

/** The hole's surroundings with a result, what the model expects so far, or nothing in it. */
export function Thumb({ run, variation }: { run: Run; variation: number | null }) {
  const ref = useRef<HTMLCanvasElement>(null);
  const version = useMedia();
  useEffect(() => {
    const picture = bitmapNow(run.base);
    if (!picture) bitmapOf(run.base, get().pictures[run.base]?.id ?? null).catch(() => undefined); // draws again when it is there
    const context = ref.current?.getContext("2d");
    if (!context || !picture) return;
    const { canvas, at } = groundOf(run, picture);
    context.clearRect(0, 0, SIDE, SIDE);
    context.drawImage(canvas, 0, 0);
    if (variation === null) return;
    const patch = patchNow(run.key, variation);
    if (!patch && !isLive(run)) return;
    if (!patch) return drawPreviews(context, run, variation, at);
    const scale = SIDE / at.side;
    const place = [(patch.left - at.left) * scale, (patch.top - at.top) * scale, patch.image.width * scale, patch.image.height * scale] as const;
    if (get().pictures[run.base]?.alpha) context.clearRect(...place);
    context.imageSmoothingQuality = "high";
    context.drawImage(patch.image, ...place);
  }, [run, variation, version]);
  return <canvas ref={ref} className="thumb" width={SIDE} height={SIDE} aria-hidden="true" />;
}
