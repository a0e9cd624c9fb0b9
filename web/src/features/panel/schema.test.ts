import { expect, it } from "vitest";
import { defaults, fields } from "./schema";

it("makes fields of a sampler's schema", () => {
  const schema = {
    properties: {
      kind: { const: "ancestral", default: "ancestral", type: "string" },
      steps: { anyOf: [{ minimum: 1, type: "integer" }, { type: "null" }], default: null },
      eta: { minimum: 0, maximum: 1, type: "number", default: 0.5 },
      clip: { type: "boolean", default: true },
      eps_after_clip: { enum: ["derived", "raw"], type: "string", default: "derived", description: "How." },
      inner: { $ref: "#/$defs/Mode", default: "x" },
      odd: { type: "object" },
    },
    $defs: { Mode: { enum: ["x", "y"], type: "string" } },
  };
  expect(fields(schema)).toEqual([
    { name: "steps", title: "Steps", description: "", kind: "integer", least: 1, nullable: true, standard: null },
    { name: "eta", title: "Eta", description: "", kind: "number", least: 0, most: 1, nullable: false, standard: 0.5 },
    { name: "clip", title: "Clip", description: "", kind: "switch", nullable: false, standard: true },
    { name: "eps_after_clip", title: "Eps after clip", description: "How.", kind: "choice", choices: ["derived", "raw"], nullable: false, standard: "derived" },
    { name: "inner", title: "Inner", description: "", kind: "choice", choices: ["x", "y"], nullable: false, standard: "x" },
  ]);
});

it("offers the kinds of a component within, however deep", () => {
  const schema = {
    $ref: "#/$defs/Wrapper",
    $defs: {
      Wrapper: {
        properties: {
          kind: { const: "wrapper", type: "string" },
          inner: { oneOf: [{ $ref: "#/$defs/Plain" }, { $ref: "#/$defs/Wrapper" }], default: { kind: "plain", snr: 1 } },
        },
      },
      Plain: { properties: { kind: { const: "plain", type: "string" }, snr: { type: "number", default: 1 } } },
    },
  };
  const [inner] = fields(schema);
  expect(inner).toMatchObject({ name: "inner", kind: "part", standard: { kind: "plain", snr: 1 } });
  expect(inner?.parts?.map((one) => one.title)).toEqual(["Plain", "Wrapper"]);
  expect(defaults(inner?.parts?.[0]?.fields() ?? [])).toEqual({ snr: 1 });
  expect(inner?.parts?.[1]?.fields()[0]?.parts).toHaveLength(2);
});

it("makes none of what is no schema", () => {
  expect(fields({})).toEqual([]);
  expect(fields({ properties: { a: 1, b: null } })).toEqual([]);
});
