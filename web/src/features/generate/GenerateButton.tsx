import { isLive, shownProgress } from "../../run";
import type { Run } from "../../run";
import { useStore } from "../../store";
import { duration, strings } from "../../strings";
import { useNarrow } from "../shell/useNarrow";
import { cancel, generate, reasonAgainst } from "./generate";

function stage(run: Run): string {
  const text = strings.progress;
  if (run.state === "sending") return text.sending;
  if (run.state === "queued") return text.queued(run.position ?? 0);
  return run.steps > 0 ? text.step(run.step, run.steps) : text.starting;
}

function Running({ run }: { run: Run }) {
  const percent = Math.floor(shownProgress(run) * 100);
  const waits = run.state !== "running";
  return (
    <div className="running">
      <div className="running-text">
        <span>{stage(run)}</span>
        <span className="eta">{run.eta === null ? "" : duration(run.eta)}</span>
      </div>
      <div className={`bar ${waits ? "waits" : ""}`} role="progressbar" aria-label={strings.progress.label} aria-valuemin={0} aria-valuemax={100}
        aria-valuenow={waits ? undefined : percent} aria-valuetext={stage(run)}>
        <div className="bar-fill" style={{ width: `${percent}%` }} />
      </div>
      <button type="button" className="button wide" onClick={cancel}>
        {strings.generate.cancel}<kbd>Esc</kbd>
      </button>
    </div>
  );
}

/** The primary action: Generate, or what became of it. */
export function GenerateButton() {
  const run = useStore((state) => state.run);
  const reason = useStore(reasonAgainst);
  const variations = useStore((state) => state.settings.variations);
  const narrow = useNarrow();
  if (run && isLive(run)) return <Running run={run} />;
  const ready = narrow ? strings.generate.readyPhone(variations) : strings.generate.ready(variations);
  return (
    <div className="generate">
      <button type="button" className="button primary wide" disabled={reason !== null} aria-describedby="generate-reason" onClick={() => void generate()}>
        {strings.generate.generate}
      </button>
      <p id="generate-reason" className="hint">{reason ?? ready}</p>
    </div>
  );
}
