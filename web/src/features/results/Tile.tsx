import { isLive } from "../../run";
import type { Run, Slot } from "../../run";
import { strings } from "../../strings";
import { show } from "./results";
import { Thumb } from "./Thumb";

interface Props {
  run: Run;
  slot: Slot | null;
  current: boolean;
}

function nameOf(run: Run, slot: Slot | null): string {
  const text = strings.results;
  if (!slot) return text.input;
  if (slot.result) return text.ready(slot.variation + 1, slot.result.seed);
  return isAwaited(run, slot) ? text.working(slot.variation + 1) : text.missing(slot.variation + 1);
}

const isAwaited = (run: Run, slot: Slot | null): boolean => slot !== null && !slot.result && !slot.lost && isLive(run);

/** The input or one variation, as far as it has come. */
export function Tile({ run, slot, current }: Props) {
  const ready = slot === null || slot.result !== null;
  const awaited = isAwaited(run, slot);
  const part = slot && slot.steps > 0 ? slot.step / slot.steps : 0;
  return (
    <li>
      <button type="button" className={`tile ${ready ? "ready" : awaited ? "working" : "missing"}`} aria-label={nameOf(run, slot)}
        aria-pressed={current} disabled={!ready && !awaited} onClick={() => show(slot ? slot.variation : null)}>
        <Thumb run={run} variation={slot ? slot.variation : null} />
        {awaited ? <span className="tile-bar"><span style={{ width: `${Math.min(97, part * 100)}%` }} /></span> : null}
        <span className="tile-name">{slot ? slot.variation + 1 : strings.results.input}</span>
      </button>
    </li>
  );
}
