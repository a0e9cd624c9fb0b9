import { useId } from "react";

interface Props {
  label: string;
  value: string;
  options: readonly (readonly [value: string, title: string])[];
  hint?: string | undefined;
  onChange: (value: string) => void;
}

/** The browser's own list: it works with every hand and every screen reader. */
export function Choice({ label, value, options, hint, onChange }: Props) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id} className="field-label">{label}</label>
      <select id={id} value={value} aria-describedby={hint ? `${id}-hint` : undefined} onChange={(event) => onChange(event.target.value)}>
        {options.map(([one, title]) => <option key={one} value={one}>{title}</option>)}
      </select>
      {hint ? <p id={`${id}-hint`} className="hint">{hint}</p> : null}
    </div>
  );
}
