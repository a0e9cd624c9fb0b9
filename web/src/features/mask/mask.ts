// The whole mask: invert, clear, grow, shrink, file in, file out.
import { Mask } from "../../canvas";
import { stage } from "../../stage";
import { alert, announce, basePicture, edit, get } from "../../store";
import { strings } from "../../strings";
import { stemOf } from "../results/names";
import { saveBlob } from "../results/results";

export const invert = (): void => edit({ kind: "invert" });

export function clear(): void {
  if (get().painted > 0) edit({ kind: "clear" });
}

export function grow(pixels: number): void {
  if (get().painted > 0 && pixels !== 0) edit({ kind: "grow", pixels });
}

/** By how much one press grows or shrinks: visible on a large photo, small on a small one. */
export const growStep = (picture: { width: number; height: number } | null): number =>
  Math.max(2, Math.round(Math.max(picture?.width ?? 0, picture?.height ?? 0) / 256));

export async function downloadMask(): Promise<void> {
  const mask = stage()?.mask;
  const picture = basePicture(get());
  if (!mask || !picture) return;
  saveBlob(await mask.toPng(), `${stemOf(picture.name) || "picture"}-mask.png`);
}

export async function uploadMask(file: Blob | undefined): Promise<void> {
  const picture = basePicture(get());
  if (!file || !picture) return;
  try {
    const mask = await Mask.fromPng(file);
    if (mask.width !== picture.width || mask.height !== picture.height) {
      return alert(strings.mask.wrongSize(mask.width, mask.height, picture.width, picture.height));
    }
    edit({ kind: "bitmap", mode: "replace", runs: mask.toRuns() });
    announce(strings.mask.uploaded);
  } catch {
    alert(strings.mask.unreadable);
  }
}
