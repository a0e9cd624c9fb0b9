import { Slider } from "radix-ui";
import { configure, useStore } from "../../store";
import { strings } from "../../strings";
import { Choice } from "./Choice";
import { NumberField } from "./NumberField";
import { defaults, fields } from "./schema";
import { SchemaField } from "./SchemaField";
import { Seed } from "./Seed";
import { Toggle } from "./Toggle";
import { setSampler, switchSampler, useCatalogue } from "./useCatalogue";
import type { Catalogue } from "./useCatalogue";
import { Variations } from "./Variations";

const WIDEST = 256;

/** A sentence of the server, without Markdown's marks for code. */
const plain = (text: string | undefined) => text && text.charAt(0).toUpperCase() + text.slice(1).replaceAll("`", "");

function Feather() {
  const feather = useStore((state) => state.settings.feather);
  const text = strings.panel;
  return (
    <div className="field">
      <span className="field-label">{text.feather}<output className="value">{strings.tools.pixels(feather)}</output></span>
      <Slider.Root className="slider" min={0} max={64} step={1} value={[Math.min(feather, 64)]}
        onValueChange={([value]) => value !== undefined && configure({ feather: Math.min(WIDEST, value) })}>
        <Slider.Track className="slider-track"><Slider.Range className="slider-range" /></Slider.Track>
        <Slider.Thumb className="slider-thumb" aria-label={text.feather} aria-valuetext={strings.tools.pixels(feather)} />
      </Slider.Root>
      <p className="hint">{text.featherHint}</p>
    </div>
  );
}

function Detail() {
  const detail = useStore((state) => state.settings.detail);
  return <Toggle label={strings.panel.detail} hint={strings.panel.detailHint} on={detail} onChange={(value) => configure({ detail: value })} />;
}

function samplerOf(catalogue: Catalogue) {
  const info = catalogue.samplers.find((one) => one.kind === catalogue.sampler?.kind) ?? null;
  const all = info ? fields(info.json_schema) : [];
  return { info, steps: all.find((one) => one.name === "steps"), others: all.filter((one) => one.name !== "steps") };
}

function Steps({ catalogue }: { catalogue: Catalogue }) {
  const { steps } = samplerOf(catalogue);
  if (!steps) return null;
  const value = catalogue.sampler?.["steps"];
  return (
    <NumberField label={strings.panel.steps} value={typeof value === "number" ? value : null} least={steps.least ?? 1} most={steps.most ?? 1000}
      nullable={steps.nullable} placeholder={strings.panel.automatic} onChange={(next) => setSampler(catalogue.sampler, { steps: next })} />
  );
}

function SamplerChoice({ catalogue }: { catalogue: Catalogue }) {
  const { sampler, samplers } = catalogue;
  const change = (kind: string) => {
    const next = samplers.find((one) => one.kind === kind);
    if (!next) return;
    switchSampler(sampler, kind, defaults(fields(next.json_schema)));
  };
  const options = samplers.map((one) => [one.kind, one.title] as const);
  return <Choice label={strings.panel.sampler} value={sampler?.kind ?? ""} options={options} hint={plain(samplerOf(catalogue).info?.summary)} onChange={change} />;
}

function Advanced({ catalogue }: { catalogue: Catalogue }) {
  const context = useStore((state) => state.settings.context);
  const { sampler } = catalogue;
  return (
    <details className="advanced">
      <summary>{strings.panel.advanced}</summary>
      <div className="fields">
        {samplerOf(catalogue).others.map((spec) => (
          <SchemaField key={`${sampler?.kind}.${spec.name}`} spec={spec} value={sampler?.[spec.name]}
            onChange={(value) => setSampler(sampler, { [spec.name]: value })} />
        ))}
        <NumberField label={strings.panel.context} value={context} least={1} most={64} step="any" nullable placeholder={strings.panel.automatic}
          hint={strings.panel.contextHint} onChange={(value) => configure({ context: value })} />
      </div>
    </details>
  );
}

/** How the hole is painted. */
export function SettingsForm() {
  const catalogue = useCatalogue();
  const text = strings.panel;
  return (
    <div className="fields">
      {catalogue ? (
        <Choice label={text.model} value={catalogue.model?.name ?? ""} options={catalogue.models.map((one) => [one.name, one.name === "auto" ? text.automatic : one.name] as const)}
          hint={plain(catalogue.model?.summary)} onChange={(model) => configure({ model, sampler: null })} />
      ) : (
        <p className="hint">{text.loading}</p>
      )}
      <div className="pair">
        <Variations />
        {catalogue ? <Steps catalogue={catalogue} /> : null}
      </div>
      {catalogue ? <SamplerChoice catalogue={catalogue} /> : null}
      <Seed />
      <Feather />
      <Detail />
      {catalogue ? <Advanced catalogue={catalogue} /> : null}
    </div>
  );
}
