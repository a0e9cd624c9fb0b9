// Short names for what goes over the wire; schema.d.ts is made from the server's OpenAPI document (`npm run api`).
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Box = Schemas["Box"];
export type ImageInfo = Schemas["ImageInfo"];
export type JobInfo = Schemas["JobInfo"];
export type JobOptions = Schemas["JobOptions"];
export type Margins = Schemas["Margins"];
export type ModelInfo = Schemas["ModelInfo"];
export type Preview = Schemas["Preview"];
export type Problem = Schemas["Problem"];
export type Progress = Schemas["Progress"];
export type Readiness = Schemas["Readiness"];
export type ResultInfo = Schemas["ResultInfo"];
export type SamplerInfo = Schemas["SamplerInfo"];
export type SelectionPoint = Schemas["SelectionPoint"];
export type FileFormat = ImageInfo["format"];
export type State = JobInfo["state"];
/** A sampler with its settings, whatever kinds there are: the form is made from the JSON Schema. */
export type Sampler = { kind: string } & Record<string, unknown>;
/** What is left out is the server's choice. */
export type SentOptions = Partial<Omit<JobOptions, "sampler">> & { sampler: Sampler | null };
