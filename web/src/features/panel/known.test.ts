import { expect, it } from "vitest";
import type { ModelInfo, SamplerInfo } from "../../api/types";
import { known } from "./known";

const models = [{ name: "faces" }] as ModelInfo[];
const samplers = [{ kind: "ddim" }] as SamplerInfo[];
const gone = { model: "removed", sampler: { kind: "removed" } };
const there = { model: "faces", sampler: { kind: "ddim", steps: 9 } };

it("drops a remembered model or sampler that the server no longer has", () => {
  expect(known(gone, models, samplers)).toEqual({ model: null, sampler: null });
  expect(known(there, models, samplers)).toEqual(there);
  expect(known({ ...there, model: "removed" }, models, samplers)).toEqual({ ...there, model: null });
});

it("keeps what was chosen until the lists are here", () => {
  expect(known(gone)).toEqual(gone);
});
