import { alert, announce, configure, fits, set, useStore } from "../../store";
import { strings } from "../../strings";
import { toggleSlider } from "../keys/table";
import { IconButton } from "../shell/IconButton";
import { copyText } from "./copy";
import { accept } from "./results";
import { Tile } from "./Tile";

function Seed({ seed }: { seed: number }) {
  const text = strings.results;
  const copy = async () => ((await copyText(String(seed))) ? announce(text.copied) : alert(text.notCopied(seed)));
  return (
    <p className="strip-seed">
      <span>{text.seed(seed)}</span>
      <IconButton icon="copy" side="top" label={text.copySeed(seed)} onClick={() => void copy()} />
      <IconButton icon="lock" side="top" label={text.lockSeed} onClick={() => configure({ seed, locked: true })} />
    </p>
  );
}

/** Held down it shows the input. */
function Compare({ disabled }: { disabled: boolean }) {
  const compare = useStore((state) => state.compare);
  const on = () => set({ compare: "input" });
  const off = () => set((state) => (state.compare === "input" ? { compare: null } : {}));
  const text = strings.results;
  return (
    <IconButton icon="eye" side="top" label={text.compare} tip={text.compareTitle} disabled={disabled} aria-pressed={compare === "input"}
      onPointerDown={on} onPointerUp={off} onPointerLeave={off} onPointerCancel={off} onBlur={off} onContextMenu={(event) => event.preventDefault()}
      onKeyDown={(event) => (event.key === " " || event.key === "Enter") && on()} onKeyUp={off} />
  );
}

function Actions() {
  const run = useStore((state) => state.run);
  const shown = useStore((state) => state.shown);
  const sliding = useStore((state) => typeof state.compare === "number");
  const text = strings.results;
  const result = run && shown !== null ? run.slots[shown]?.result : null;
  return (
    <div className="strip-actions">
      <div className="row">
        <Compare disabled={!result} />
        <IconButton icon="compare" side="top" label={text.slider} tip={`${text.slider} (V)`} aria-pressed={sliding} disabled={!result} onClick={toggleSlider} />
        <IconButton icon="check" side="top" className="bordered" caption label={text.accept} tip={text.acceptTitle} disabled={!result} onClick={() => void accept()} />
      </div>
      {result ? <Seed seed={result.seed} /> : null}
    </div>
  );
}

/** Input and variations side by side, filling in as they land. */
export function Strip() {
  const run = useStore((state) => (fits(state) ? state.run : null));
  const shown = useStore((state) => state.shown);
  if (!run) return null;
  return (
    <section className="strip" aria-label={strings.results.label}>
      <ul className="tiles">
        <Tile run={run} slot={null} current={shown === null} />
        {run.slots.map((slot) => <Tile key={slot.variation} run={run} slot={slot} current={shown === slot.variation} />)}
      </ul>
      <Actions />
    </section>
  );
}
