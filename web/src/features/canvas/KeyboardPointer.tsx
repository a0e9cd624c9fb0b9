import { useEffect, useState } from "react";
import { stage } from "../../stage";
import { edit, get, set } from "../../store";
import { strings } from "../../strings";
import { select } from "../select/select";

interface Spot {
  x: number;
  y: number;
}

/** The other corner of a rectangle, or a dab, or a point of a selection. */
function act(spot: Spot, corner: Spot | null, negative: boolean): Spot | null {
  const here = stage();
  if (!here) return null;
  const at = here.view.toPicture(spot);
  const { tool, subtract, size, selection } = get();
  const mode = subtract ? "erase" : "paint";
  if (tool === "select") void select([...(selection?.points ?? []), { ...at, positive: !(subtract || negative) }]);
  if (tool === "brush" || tool === "eraser") {
    edit({ kind: "stroke", mode: tool === "brush" ? "paint" : "erase", size, points: [{ ...at, pressure: 1 }] });
  }
  if (tool !== "rectangle") return null;
  if (!corner) return at;
  const [left, right] = [Math.min(corner.x, at.x), Math.max(corner.x, at.x)];
  const [top, bottom] = [Math.min(corner.y, at.y), Math.max(corner.y, at.y)];
  edit({ kind: "rectangle", mode, left: Math.round(left), top: Math.round(top), right: Math.round(right), bottom: Math.round(bottom) });
  return null;
}

/** A pointer for the keyboard: P shows it and uses it, arrows move it, Escape takes it away. */
export function KeyboardPointer() {
  const [spot, setSpot] = useState<Spot | null>(null);
  const [corner, setCorner] = useState<Spot | null>(null);
  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      const target = event.target instanceof Element ? event.target : document.body;
      if (event.ctrlKey || event.metaKey || event.altKey || !get().singleKeys) return;
      if (target.closest("input, select, textarea, [role=dialog], [role=alertdialog], [role=slider]")) return;
      const host = document.querySelector(".host");
      if (!host) return;
      const { width, height } = host.getBoundingClientRect();
      const key = event.key.toLowerCase();
      const step = event.shiftKey ? 32 : 8;
      const along = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] }[key];
      if (key === "p") {
        if (spot) setCorner(act(spot, corner, event.shiftKey));
        else setSpot({ x: width / 2, y: height / 2 });
      } else if (spot && along) {
        const within = (value: number, most: number) => Math.max(0, Math.min(most, value));
        setSpot({ x: within(spot.x + step * (along[0] ?? 0), width), y: within(spot.y + step * (along[1] ?? 0), height) });
      } else if (spot && key === "escape" && !get().selection) {
        setSpot(null);
        setCorner(null);
        set({ announcement: strings.pointer.gone });
      } else return;
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    window.addEventListener("keydown", down, { capture: true });
    return () => window.removeEventListener("keydown", down, { capture: true });
  }, [spot, corner]);
  useEffect(() => {
    if (spot) set({ announcement: strings.pointer.here(stage()?.view.toPicture(spot) ?? spot) });
  }, [spot]);
  return spot ? <span className="crosshair" style={{ left: spot.x, top: spot.y }} aria-hidden="true" /> : null;
}
