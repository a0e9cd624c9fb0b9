import { Switch } from "radix-ui";
import { useId } from "react";

interface Props {
  label: string;
  hint?: string;
  on: boolean;
  onChange: (on: boolean) => void;
}

/** Something that is on or off. */
export function Toggle({ label, hint, on, onChange }: Props) {
  const id = useId();
  return (
    <div className="field">
      <div className="field-row">
        <label htmlFor={id} className="field-label">{label}</label>
        <Switch.Root id={id} className="switch" checked={on} onCheckedChange={onChange} aria-describedby={hint ? `${id}-hint` : undefined}>
          <Switch.Thumb className="switch-thumb" />
        </Switch.Root>
      </div>
      {hint ? <p id={`${id}-hint`} className="hint">{hint}</p> : null}
    </div>
  );
}
