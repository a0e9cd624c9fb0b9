// What goes over the wire. Mirrors src/ediffuser/server/schemas.py.

export type State = "queued" | "running" | "done" | "failed" | "cancelled";
export type FileFormat = "png" | "jpeg" | "webp";

export interface Problem {
  type: string;
  title: string;
  status: number;
}
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}
export interface ImageInfo {
  id: string;
  width: number;
  height: number;
  alpha: boolean;
  format: FileFormat;
}
export interface Margins {
  top: number;
  right: number;
  bottom: number;
  left: number;
}
export interface SelectionPoint {
  x: number;
  y: number;
  positive: boolean;
}
export type Sampler = { kind: string } & Record<string, unknown>;
export interface JobOptions {
  model: string;
  variations: number;
  seed: number | null;
  sampler: Sampler | null;
  context: number | null;
  feather: number;
}
export interface ResultInfo {
  variation: number;
  seed: number;
  box: Box;
  patch: string;
  picture: string;
}
export interface JobInfo {
  id: string;
  state: State;
  image: ImageInfo;
  options: JobOptions;
  box: Box;
  position: number | null;
  progress: number;
  eta_seconds: number | null;
  results: ResultInfo[];
  problem: Problem | null;
  created: string;
  attempts: number;
}
export interface Progress {
  variation: number;
  step: number;
  steps: number;
  progress: number;
  eta_seconds: number | null;
}
export interface Preview {
  variation: number;
  left: number;
  top: number;
  side: number;
  image: string;
}
export interface ModelInfo {
  name: string;
  task: string;
  resolution: number;
  summary: string;
  licence: string;
  default: boolean;
  default_sampler: Sampler;
}
export interface SamplerInfo {
  kind: string;
  title: string;
  summary: string;
  json_schema: Record<string, unknown>;
}
