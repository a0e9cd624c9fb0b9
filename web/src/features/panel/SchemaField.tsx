import { strings } from "../../strings";
import { Choice } from "./Choice";
import { NumberField } from "./NumberField";
import { defaults } from "./schema";
import type { FieldSpec } from "./schema";
import { Toggle } from "./Toggle";

interface Props {
  spec: FieldSpec;
  value: unknown;
  onChange: (value: unknown) => void;
}

/** A component within the sampler: which one, and its own settings. */
function PartField({ spec, value, onChange }: Props) {
  const now = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const parts = spec.parts ?? [];
  const chosen = parts.find((one) => one.kind === now["kind"]);
  const change = (kind: string) => {
    const next = parts.find((one) => one.kind === kind);
    if (next) onChange({ ...defaults(next.fields()), kind });
  };
  return (
    <div className="part" role="group" aria-label={spec.title}>
      <Choice label={spec.title} value={chosen?.kind ?? ""} options={parts.map((one) => [one.kind, one.title] as const)} hint={spec.description} onChange={change} />
      {chosen?.fields().map((one) => (
        <SchemaField key={`${chosen.kind}.${one.name}`} spec={one} value={now[one.name]} onChange={(next) => onChange({ ...now, [one.name]: next })} />
      ))}
    </div>
  );
}

/** One setting of a sampler. */
export function SchemaField({ spec, value, onChange }: Props) {
  const now = value === undefined ? spec.standard : value;
  if (spec.kind === "part") return <PartField spec={spec} value={now} onChange={onChange} />;
  if (spec.kind === "switch") return <Toggle label={spec.title} on={now === true} onChange={onChange} />;
  if (spec.kind === "choice") {
    const options = (spec.choices ?? []).map((one) => [one, one.replaceAll("_", " ")] as const);
    return <Choice label={spec.title} value={String(now)} options={options} hint={spec.description} onChange={onChange} />;
  }
  return (
    <NumberField label={spec.title} value={typeof now === "number" ? now : null} least={spec.least} most={spec.most} nullable={spec.nullable}
      step={spec.kind === "integer" ? 1 : "any"} hint={spec.description} placeholder={spec.nullable ? strings.panel.automatic : undefined} onChange={onChange} />
  );
}
