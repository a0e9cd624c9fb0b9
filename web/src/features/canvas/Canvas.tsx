import { useEffect, useRef } from "react";
import { fits, set, useStore } from "../../store";
import { strings } from "../../strings";
import { bind } from "./bind";
import { KeyboardPointer } from "./KeyboardPointer";

/** What is on the canvas when it is not the plain input. */
function Badge() {
  const run = useStore((state) => (fits(state) ? state.run : null));
  const shown = useStore((state) => state.shown);
  const compare = useStore((state) => state.compare);
  if (!run || shown === null) return null;
  const text = strings.results;
  const seed = run.slots[shown]?.result?.seed;
  const result = (
    <span className="badge">
      {text.variation(shown + 1)}
      {seed === undefined ? null : <span className="badge-seed"> · {text.seed(seed)}</span>}
    </span>
  );
  const input = <span className="badge">{text.input}</span>;
  if (typeof compare === "number") return <div className="badges">{input}{result}</div>;
  return <div className="badges">{compare === "input" ? input : result}</div>;
}

/** The line between input and result, for the keyboard; the pointer drags it on the canvas. */
function Divider() {
  const compare = useStore((state) => state.compare);
  if (typeof compare !== "number") return null;
  return (
    <input type="range" className="divider" aria-label={strings.results.sliderLabel} min={0} max={1} step={0.01} value={compare}
      onChange={(event) => set({ compare: Number(event.target.value) })} />
  );
}

/** Where the stage lives. */
export function Canvas() {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => (host.current ? bind(host.current) : undefined), []);
  useEffect(() => {
    // A button that was clicked lets go of the focus: Space moves the picture then, and does not press the button again.
    const click = (event: MouseEvent) => {
      const target = event.target instanceof Element ? event.target : null;
      if (event.detail > 0 && target?.closest(".editor button") && document.activeElement?.closest(".editor")) host.current?.focus({ preventScroll: true });
    };
    window.addEventListener("click", click, { capture: true });
    return () => window.removeEventListener("click", click, { capture: true });
  }, []);
  return (
    <div className="canvas">
      <div ref={host} className="host" data-testid="stage" tabIndex={-1} onPointerDownCapture={() => host.current?.focus({ preventScroll: true })} />
      <Badge />
      <Divider />
      <KeyboardPointer />
    </div>
  );
}
