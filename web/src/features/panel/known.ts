import type { ModelInfo, SamplerInfo } from "../../api/types";
import type { Settings } from "../../store";

type Chosen = Pick<Settings, "model" | "sampler">;

/** What was chosen, without what the server does not have. Before the lists are here everything may exist. */
export function known({ model, sampler }: Chosen, models?: readonly ModelInfo[], samplers?: readonly SamplerInfo[]): Chosen {
  return {
    model: !models || models.some((one) => one.name === model) ? model : null,
    sampler: !samplers || samplers.some((one) => one.kind === sampler?.kind) ? sampler : null,
  };
}
