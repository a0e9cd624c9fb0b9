// Which tab the stored work belongs to: one at a time.
import { newKey } from "../../store";

const NAME = "ediffuser-work";
const PATIENCE = 1000; // milliseconds; a page that is left gives its lock back a moment later

/** Whether the stored work belongs to this tab; if so, until it is closed. */
export const claim = (): Promise<boolean> => ("locks" in navigator ? lock() : ask());

/** Resolves when the work has become this tab's. Tries whenever somebody looks at it: a reload of the owner goes unnoticed. */
export async function claimLater(): Promise<void> {
  do {
    await seen();
  } while (!(await claim()));
}

function seen(): Promise<void> {
  return new Promise((resolve) => {
    const off = new AbortController();
    const look = () => {
      if (document.visibilityState !== "visible") return;
      off.abort();
      resolve();
    };
    window.addEventListener("focus", look, { signal: off.signal });
    document.addEventListener("visibilitychange", look, { signal: off.signal });
  });
}

function lock(): Promise<boolean> {
  return new Promise((resolve) => {
    const hold = () => {
      resolve(true);
      return new Promise<void>(() => undefined);
    };
    navigator.locks.request(NAME, { signal: AbortSignal.timeout(PATIENCE) }, hold).catch(() => resolve(false));
  });
}

type Message = { asks: string } | { refuses: string };

/** For plain http, where there are no locks: asks the other tabs, and answers them from then on. Of two that ask at once one gives way. */
function ask(): Promise<boolean> {
  const channel = new BroadcastChannel(NAME);
  const mine = newKey();
  let owner = false;
  return new Promise((resolve) => {
    const settle = (won: boolean) => {
      clearTimeout(timer);
      owner = won;
      if (!won) channel.close();
      resolve(won);
    };
    const timer = setTimeout(() => settle(true), PATIENCE);
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if ("refuses" in data) {
        if (data.refuses === mine && !owner) settle(false);
      } else if (owner || mine < data.asks) channel.postMessage({ refuses: data.asks });
      else settle(false);
    };
    channel.postMessage({ asks: mine });
  });
}
