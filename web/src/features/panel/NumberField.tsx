import { useId, useState } from "react";

interface Props {
  label: string;
  value: number | null;
  least?: number | undefined;
  most?: number | undefined;
  step?: number | "any";
  placeholder?: string | undefined;
  hint?: string | undefined;
  nullable?: boolean;
  onChange: (value: number | null) => void;
}

/** A number that is taken over as soon as it is one; what is out of bounds is set right when the field is left. */
export function NumberField({ label, value, least, most, step = 1, placeholder, hint, nullable = false, onChange }: Props) {
  const id = useId();
  const [draft, setDraft] = useState<string | null>(null);
  const bounded = (number: number) => Math.min(most ?? Infinity, Math.max(least ?? -Infinity, step === 1 ? Math.round(number) : number));
  const take = (text: string) => {
    setDraft(text);
    const number = Number(text);
    if (text.trim() === "") {
      if (nullable) onChange(null);
    } else if (Number.isFinite(number) && number === bounded(number)) onChange(number);
  };
  const leave = () => {
    const number = Number(draft);
    if (draft !== null && draft.trim() !== "" && Number.isFinite(number)) onChange(bounded(number));
    setDraft(null);
  };
  return (
    <div className="field">
      <label htmlFor={id} className="field-label">{label}</label>
      <input id={id} type="number" inputMode="decimal" min={least} max={most} step={step} placeholder={placeholder}
        aria-describedby={hint ? `${id}-hint` : undefined} value={draft ?? (value === null ? "" : String(value))}
        onChange={(event) => take(event.target.value)} onBlur={leave} />
      {hint ? <p id={`${id}-hint`} className="hint">{hint}</p> : null}
    </div>
  );
}
