// The server's name of a picture, whatever happens to the server in between.
import { api, ApiError } from "../../api/client";
import { resilient } from "../../api/connection";
import type { ImageInfo } from "../../api/types";
import { fileOf } from "../../media";
import { get, updatePicture } from "../../store";
import { strings } from "../../strings";

const uploads = new Map<string, Promise<string>>();

/** Remembers who is at work on a picture's server side. */
export function track(key: string, work: Promise<ImageInfo>): Promise<string> {
  const id = work.then((info) => {
    updatePicture(key, { id: info.id, alpha: info.alpha });
    return info.id;
  });
  uploads.set(key, id);
  id.finally(() => uploads.delete(key)).catch(() => undefined);
  return id;
}

function upload(key: string): Promise<string> {
  const running = uploads.get(key);
  if (running) return running;
  const file = fileOf(key);
  if (!file) return Promise.reject(new Error(strings.errors.lostPicture));
  return track(key, resilient(() => api.upload(file)));
}

export function idOf(key: string): Promise<string> {
  const id = get().pictures[key]?.id;
  return id ? Promise.resolve(id) : upload(key);
}

const isForgotten = (error: unknown) => error instanceof ApiError && (error.status === 404 || error.status === 410);

/** Asks about a picture; if the server has forgotten it, sends it again first. */
export async function withPicture<T>(key: string, ask: (id: string) => Promise<T>): Promise<T> {
  const id = await idOf(key);
  try {
    return await resilient(() => ask(id));
  } catch (error) {
    if (!isForgotten(error) || !fileOf(key)) throw error;
    if (get().pictures[key]?.id === id) updatePicture(key, { id: null });
    const again = await idOf(key);
    return resilient(() => ask(again));
  }
}
