import { useQuery } from "@tanstack/react-query";
import { api } from "../../api/client";
import type { ModelInfo, Sampler, SamplerInfo } from "../../api/types";
import { configure, useStore } from "../../store";
import { known } from "./known";

const rarely = { staleTime: 300_000, retry: true, retryDelay: (attempt: number) => Math.min(8000, 500 * 2 ** attempt) } as const;

const useModels = () => useQuery({ queryKey: ["models"], queryFn: api.models, ...rarely });
const useSamplers = () => useQuery({ queryKey: ["samplers"], queryFn: api.samplers, ...rarely });

export interface Catalogue {
  models: ModelInfo[];
  samplers: SamplerInfo[];
  model: ModelInfo | null;
  /** The sampler as it would be sent. */
  sampler: Sampler | null;
}

/** What can be chosen and what is chosen; null while it loads. */
export function useCatalogue(): Catalogue | null {
  const models = useModels().data;
  const samplers = useSamplers().data;
  const settings = useStore((state) => state.settings);
  if (!models || !samplers) return null;
  const chosen = known(settings, models, samplers);
  const model = models.find((one) => one.name === chosen.model) ?? models.find((one) => one.default) ?? models[0] ?? null;
  return { models, samplers, model, sampler: chosen.sampler ?? (model?.default_sampler as Sampler | undefined) ?? null };
}

export function setSampler(now: Sampler | null, change: Record<string, unknown>): void {
  if (now) configure({ sampler: { ...now, ...change } as Sampler });
}

/** Another kind of sampler, with its own defaults; the number of steps is kept if both have one. */
export function switchSampler(now: Sampler | null, kind: string, defaults: Record<string, unknown>): void {
  const steps = typeof now?.["steps"] === "number" && "steps" in defaults ? { steps: now["steps"] } : {};
  configure({ sampler: { ...defaults, ...steps, kind } });
}
