import { configure, useStore } from "../../store";
import { strings } from "../../strings";
import { IconButton } from "../shell/IconButton";
import { NumberField } from "./NumberField";

/** Random for each run, unless it is locked. Shows the one of the last run. */
export function Seed() {
  const { seed, locked } = useStore((state) => state.settings);
  const text = strings.panel;
  const label = locked ? text.unlock : text.lock;
  return (
    <div className="seed">
      <NumberField label={text.seed} value={seed} least={0} most={Number.MAX_SAFE_INTEGER} nullable placeholder={text.random}
        hint={locked ? text.locked : text.unlocked} onChange={(value) => configure({ seed: value, locked: value !== null })} />
      <IconButton icon={locked ? "lock" : "unlock"} label={label} aria-pressed={locked} disabled={seed === null} side="left"
        onClick={() => configure({ locked: !locked })} />
    </div>
  );
}
