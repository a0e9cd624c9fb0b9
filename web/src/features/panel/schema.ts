// From the JSON Schema of a sampler to the fields of a form.

export interface FieldSpec {
  name: string;
  title: string;
  description: string;
  kind: "number" | "integer" | "switch" | "choice" | "part";
  least?: number;
  most?: number;
  choices?: string[];
  /** Kinds of component to choose from, each with its own settings. */
  parts?: Part[];
  /** Whether it may be left empty. */
  nullable: boolean;
  standard: unknown;
}

export interface Part {
  kind: string;
  title: string;
  /** Asked for when needed: a component may hold another of its own kind. */
  fields: () => FieldSpec[];
}

type Schema = Record<string, unknown>;

const isSchema = (value: unknown): value is Schema => typeof value === "object" && value !== null && !Array.isArray(value);
const number = (...values: unknown[]) => values.find((value): value is number => typeof value === "number");

function resolve(schema: Schema, root: Schema): Schema {
  const reference = schema["$ref"];
  if (typeof reference !== "string" || !reference.startsWith("#/")) return schema;
  let found: unknown = root;
  for (const part of reference.slice(2).split("/")) found = isSchema(found) ? found[part] : undefined;
  return isSchema(found) ? { ...found, ...schema } : schema;
}

/** "eps_after_clip" becomes "Eps after clip". */
const titled = (name: string): string => {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
};

function parts(schema: Schema, root: Schema): Part[] {
  if (!Array.isArray(schema["oneOf"])) return [];
  return schema["oneOf"].filter(isSchema).flatMap((one) => {
    const whole = resolve(one, root);
    const kind = isSchema(whole["properties"]) ? whole["properties"]["kind"] : null;
    const word = isSchema(kind) ? kind["const"] : null;
    return typeof word === "string" ? [{ kind: word, title: titled(word), fields: () => fields(whole, root) }] : [];
  });
}

function field(name: string, given: Schema, root: Schema): FieldSpec | null {
  const options = (Array.isArray(given["anyOf"]) ? given["anyOf"] : [given]).filter(isSchema);
  const nullable = options.some((one) => one["type"] === "null");
  const main = options.map((one) => resolve(one, root)).find((one) => one["type"] !== "null");
  if (!main || "const" in main) return null;
  const base = {
    name, nullable, title: titled(name), standard: given["default"],
    description: String(given["description"] ?? main["description"] ?? ""),
  };
  const kinds = parts(main, root);
  if (kinds.length > 0) return { ...base, kind: "part", parts: kinds };
  if (Array.isArray(main["enum"])) return { ...base, kind: "choice", choices: main["enum"].map(String) };
  if (main["type"] === "boolean") return { ...base, kind: "switch" };
  if (main["type"] !== "integer" && main["type"] !== "number") return null;
  const least = number(main["minimum"], main["exclusiveMinimum"]);
  const most = number(main["maximum"], main["exclusiveMaximum"]);
  return { ...base, kind: main["type"], ...(least === undefined ? {} : { least }), ...(most === undefined ? {} : { most }) };
}

/** The settings that a person can change; what the form does not know is left at its default. */
export function fields(schema: Schema, root: Schema = schema): FieldSpec[] {
  const { properties } = resolve(schema, root);
  if (!isSchema(properties)) return [];
  return Object.entries(properties).flatMap(([name, value]) => {
    const one = isSchema(value) ? field(name, value, root) : null;
    return one ? [one] : [];
  });
}

/** The settings of a component as they are when nothing is said. */
export const defaults = (specs: FieldSpec[]): Record<string, unknown> =>
  Object.fromEntries(specs.filter((one) => one.standard !== undefined).map((one) => [one.name, one.standard]));
