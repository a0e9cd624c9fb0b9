// Every request of the page. A refusal of the server becomes an ApiError that carries the server's own sentence.
import { strings } from "../strings";
import type {
  FileFormat, ImageInfo, JobInfo, Margins, ModelInfo, Problem, Readiness, SamplerInfo, SelectionPoint, SentOptions,
} from "./types";

/** The server said no, and why. */
export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.title);
    this.name = "ApiError";
  }
  get status(): number {
    return this.problem.status;
  }
}

/** Nobody answered. */
export class AwayError extends Error {
  constructor() {
    super(strings.errors.away);
    this.name = "AwayError";
  }
}

export const address = (path: string): string => new URL(`api/${path}`, document.baseURI).href;

const BEHIND_PROXY = [502, 503, 504];

/** The problem in a response that is not ok; AwayError if it does not come from our server. */
export async function refusal(response: Response): Promise<ApiError | AwayError> {
  const type = response.headers.get("content-type") ?? "";
  const body: unknown = type.includes("json") ? await response.json().catch(() => null) : null;
  if (body !== null && typeof body === "object") {
    const { type: word, title, detail } = body as Record<string, unknown>;
    const sentence = [title, detail].find((text) => typeof text === "string" && text !== "") as string | undefined;
    const problem = { type: typeof word === "string" ? word : "unknown", status: response.status };
    return new ApiError({ ...problem, title: sentence ?? strings.errors.status(response.status) });
  }
  if (BEHIND_PROXY.includes(response.status)) return new AwayError();
  return new ApiError({ type: "unknown", title: strings.errors.status(response.status), status: response.status });
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path.startsWith("/") ? path : address(path), init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new AwayError();
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await request(path, init)).json()) as T;
}

function send<T>(path: string, body: unknown, init: RequestInit = {}): Promise<T> {
  return json<T>(path, { ...init, method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
}

function form(parts: Record<string, string | Blob>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(parts)) {
    if (typeof value === "string") data.append(name, value);
    else data.append(name, value, value instanceof File ? value.name : `${name}.png`);
  }
  return data;
}

export const api = {
  upload: (image: Blob, signal?: AbortSignal) =>
    json<ImageInfo>("images", { method: "POST", body: form({ image }), signal: signal ?? null }),

  image: async (id: string, query = "format=png"): Promise<Blob> => (await request(`images/${id}?${query}`)).blob(),

  extended: (id: string, margins: Margins) => send<ImageInfo>(`images/${id}/extended`, margins),

  composed: (id: string, job: string, variation: number) => send<ImageInfo>(`images/${id}/composed`, { job, variation }),

  select: async (image: string, points: readonly SelectionPoint[], signal: AbortSignal): Promise<Blob> => {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ image, points });
    return (await request("selections", { method: "POST", body, headers, signal })).blob();
  },

  generate: (image_id: string, mask: Blob, options: SentOptions, key: string) =>
    json<JobInfo>("jobs", {
      method: "POST",
      body: form({ image_id, mask, options: JSON.stringify(options) }),
      headers: { "Idempotency-Key": key },
    }),

  job: (id: string) => json<JobInfo>(`jobs/${id}`),
  cancel: (id: string) => json<JobInfo>(`jobs/${id}`, { method: "DELETE" }),
  patch: async (url: string): Promise<Blob> => (await request(url)).blob(),
  models: () => json<ModelInfo[]>("models"),
  samplers: () => json<SamplerInfo[]>("samplers"),
  ready: () => json<Readiness>("ready"),
  health: () => json<{ status: string }>("health"),

  /** A finished file of the server, with the name that it gave. */
  file: async (path: string, format: FileFormat, quality: number): Promise<{ blob: Blob; name: string | null }> => {
    const query = format === "png" ? "format=png" : `format=${format}&quality=${quality}`;
    const response = await request(`${path}?${query}`);
    const name = /filename="?([^";]+)"?/.exec(response.headers.get("content-disposition") ?? "")?.[1];
    return { blob: await response.blob(), name: name ?? null };
  },
};
