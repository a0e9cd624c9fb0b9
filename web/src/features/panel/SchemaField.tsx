import { Switch } from "radix-ui";
import { useId } from "react";
import { strings } from "../../strings";
import { Choice } from "./Choice";
import { NumberField } from "./NumberField";
import type { FieldSpec } from "./schema";

interface Props {
  spec: FieldSpec;
  value: unknown;
  onChange: (value: unknown) => void;
}

/** One setting of a sampler. */
export function SchemaField({ spec, value, onChange }: Props) {
  const id = useId();
  const now = value === undefined ? spec.standard : value;
  if (spec.kind === "switch") {
    return (
      <div className="field-row">
        <label htmlFor={id} className="field-label">{spec.title}</label>
        <Switch.Root id={id} className="switch" checked={now === true} onCheckedChange={onChange}>
          <Switch.Thumb className="switch-thumb" />
        </Switch.Root>
      </div>
    );
  }
  if (spec.kind === "choice") {
    const options = (spec.choices ?? []).map((one) => [one, one.replaceAll("_", " ")] as const);
    return <Choice label={spec.title} value={String(now)} options={options} hint={spec.description} onChange={onChange} />;
  }
  return (
    <NumberField label={spec.title} value={typeof now === "number" ? now : null} least={spec.least} most={spec.most} nullable={spec.nullable}
      step={spec.kind === "integer" ? 1 : "any"} hint={spec.description} placeholder={spec.nullable ? strings.panel.automatic : undefined} onChange={onChange} />
  );
}
