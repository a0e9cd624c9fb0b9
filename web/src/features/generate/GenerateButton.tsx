import { useQuery } from "@tanstack/react-query";
import { useLayoutEffect, useRef } from "react";
import { isLive, shownProgress } from "../../run";
import type { Run } from "../../run";
import { useStore } from "../../store";
import { duration, strings } from "../../strings";
import { useNarrow } from "../shell/useNarrow";
import { cancel, generate, holdUp, reasonAgainst } from "./generate";

const PATIENCE = 3_000;

/** Why the run that is next does not begin; asked for only when it has waited a while. */
function useHoldUp({ key, state, position }: Run): string | null {
  const next = state === "queued" && !position;
  const query = { queryKey: ["ready", key], queryFn: holdUp, initialData: null, staleTime: PATIENCE, refetchInterval: PATIENCE };
  const { data } = useQuery({ ...query, enabled: next });
  return next ? data : null;
}

function stage(run: Run, held: string | null): string {
  const text = strings.progress;
  if (run.state === "sending") return text.sending;
  if (run.state === "queued") return held ?? text.queued(run.position ?? 0);
  if (run.steps === 0) return text.starting;
  return text.step(run.step, run.steps, run.slots.filter((slot) => slot.result !== null).length, run.slots.length);
}

/** A keyboard that pressed one button of the two finds its focus on the other. */
let byKeyboard = false;

function useFocus() {
  const ref = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    const button = ref.current;
    if (byKeyboard && (document.activeElement === document.body || document.activeElement === null)) button?.focus();
    byKeyboard = false;
    return () => {
      if (button === document.activeElement) byKeyboard = true;
    };
  }, []);
  return ref;
}

function Running({ run }: { run: Run }) {
  const percent = Math.floor(shownProgress(run) * 100);
  const waits = run.state !== "running";
  const text = stage(run, useHoldUp(run));
  const ref = useFocus();
  return (
    <div className="running">
      <div className="running-text">
        <span>{text}</span>
        <span className="eta">{run.eta === null ? "" : duration(run.eta)}</span>
      </div>
      <div className={`bar ${waits ? "waits" : ""}`} role="progressbar" aria-label={strings.progress.label} aria-valuemin={0} aria-valuemax={100}
        aria-valuenow={waits ? undefined : percent} aria-valuetext={text}>
        <div className="bar-fill" style={{ width: `${percent}%` }} />
      </div>
      <button ref={ref} type="button" className="button wide" onClick={cancel}>
        {strings.generate.cancel}<kbd>Esc</kbd>
      </button>
    </div>
  );
}

function Ready() {
  const reason = useStore(reasonAgainst);
  const variations = useStore((state) => state.settings.variations);
  const narrow = useNarrow();
  const ref = useFocus();
  const ready = narrow ? strings.generate.readyPhone(variations) : strings.generate.ready(variations);
  return (
    <div className="generate">
      <button ref={ref} type="button" className="button primary wide" disabled={reason !== null} aria-describedby="generate-reason"
        onClick={() => void generate()}>
        {strings.generate.generate}
      </button>
      <p id="generate-reason" className="hint">{reason ?? ready}</p>
    </div>
  );
}

/** The primary action: Generate, or what became of it. */
export function GenerateButton() {
  const run = useStore((state) => state.run);
  return run && isLive(run) ? <Running run={run} /> : <Ready />;
}
