import { useEffect, useRef } from "react";
import type { Box } from "../../api/types";
import { bitmapNow, bitmapOf, patchNow, previewsNow, useMedia } from "../../media";
import type { Run } from "../../run";
import { get } from "../../store";

const SIDE = 176;

/** A square around the hole, inside the picture. */
function around(box: Box, width: number, height: number): { left: number; top: number; side: number } {
  const side = Math.min(Math.max(box.width, box.height) * 1.5, width, height);
  const inside = (centre: number, length: number) => Math.max(0, Math.min(length - side, centre - side / 2));
  return { left: inside(box.left + box.width / 2, width), top: inside(box.top + box.height / 2, height), side };
}

/** The hole's surroundings with a result, what the model expects so far, or nothing in it. */
export function Thumb({ run, variation }: { run: Run; variation: number | null }) {
  const ref = useRef<HTMLCanvasElement>(null);
  const version = useMedia();
  const slot = variation === null ? null : run.slots[variation];
  useEffect(() => {
    const picture = bitmapNow(run.base);
    const context = ref.current?.getContext("2d");
    if (!picture) bitmapOf(run.base, get().pictures[run.base]?.id ?? null).catch(() => undefined); // draws again when it is there
    if (!context || !picture) return;
    const box = run.box ?? { left: 0, top: 0, width: picture.width, height: picture.height };
    const { left, top, side } = around(box, picture.width, picture.height);
    const scale = SIDE / side;
    context.setTransform(scale, 0, 0, scale, -left * scale, -top * scale);
    context.imageSmoothingQuality = "high";
    context.clearRect(left, top, side, side);
    context.drawImage(picture, 0, 0);
    if (variation === null) return;
    const patch = patchNow(run.key, variation);
    if (patch) {
      context.drawImage(patch.image, patch.left, patch.top);
      return;
    }
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.width, box.height);
    context.clip();
    for (const { box: at, image } of previewsNow(variation)) context.drawImage(image, at.left, at.top, at.width, at.height);
    context.restore();
  }, [run.key, run.base, run.box, variation, version, slot]);
  return <canvas ref={ref} className="thumb" width={SIDE} height={SIDE} aria-hidden="true" />;
}
