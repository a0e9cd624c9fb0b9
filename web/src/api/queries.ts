// What the server offers, asked once for the whole page.
import { QueryClient } from "@tanstack/react-query";
import type { ModelInfo, SamplerInfo } from "./types";

export const queries = new QueryClient({ defaultOptions: { queries: { networkMode: "always", refetchOnWindowFocus: false } } });

/** As far as they have come. */
export const modelsNow = (): ModelInfo[] | undefined => queries.getQueryData(["models"]);
export const samplersNow = (): SamplerInfo[] | undefined => queries.getQueryData(["samplers"]);
