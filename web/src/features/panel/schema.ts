// From the JSON Schema of a sampler to the fields of a form.

export interface FieldSpec {
  name: string;
  title: string;
  description: string;
  kind: "number" | "integer" | "switch" | "choice";
  least?: number;
  most?: number;
  choices?: string[];
  /** Whether it may be left empty. */
  nullable: boolean;
  standard: unknown;
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

const titled = (name: string) => {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
};

function field(name: string, given: Schema, root: Schema): FieldSpec | null {
  const options = (Array.isArray(given["anyOf"]) ? given["anyOf"] : [given]).filter(isSchema);
  const nullable = options.some((one) => one["type"] === "null");
  const main = options.map((one) => resolve(one, root)).find((one) => one["type"] !== "null");
  if (!main || "const" in main) return null;
  const base = {
    name, nullable, title: titled(name), standard: given["default"],
    description: String(given["description"] ?? main["description"] ?? ""),
  };
  if (Array.isArray(main["enum"])) return { ...base, kind: "choice", choices: main["enum"].map(String) };
  if (main["type"] === "boolean") return { ...base, kind: "switch" };
  if (main["type"] !== "integer" && main["type"] !== "number") return null;
  const least = number(main["minimum"], main["exclusiveMinimum"]);
  const most = number(main["maximum"], main["exclusiveMaximum"]);
  return { ...base, kind: main["type"], ...(least === undefined ? {} : { least }), ...(most === undefined ? {} : { most }) };
}

/** The settings that a person can change; what the form does not know is left at its default. */
export function fields(schema: Schema): FieldSpec[] {
  const properties = schema["properties"];
  if (!isSchema(properties)) return [];
  return Object.entries(properties).flatMap(([name, value]) => {
    const one = isSchema(value) ? field(name, value, schema) : null;
    return one ? [one] : [];
  });
}
