// The canvas of the page, for whoever needs its view or its mask.
import type { Stage } from "./canvas";
import { useStore } from "./store";

declare global {
  interface Window {
    ediffuser: { stage: Stage | null; store: typeof useStore };
  }
}

let current: Stage | null = null;

export const stage = (): Stage | null => current;

export function setStage(next: Stage | null): void {
  current = next;
  window.ediffuser = { stage: next, store: useStore };
}
