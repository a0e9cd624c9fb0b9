import { useState } from "react";
import type { Margins } from "../../api/types";
import { basePicture, NOTHING, useStore } from "../../store";
import { strings } from "../../strings";
import { Modal } from "../dialogs/Modal";
import { LARGEST_SIDE } from "../open/limits";
import { NumberField } from "../panel/NumberField";
import { extend, extendProblem, extent } from "./extend";

const SIDES = ["top", "left", "right", "bottom"] as const;

/** What the canvas will look like. */
function Sketch({ width, height, margins }: { width: number; height: number; margins: Margins }) {
  const size = extent(width, height, margins);
  return (
    <svg className="sketch" viewBox={`0 0 ${size.width} ${size.height}`} aria-hidden="true">
      <rect className="sketch-new" width={size.width} height={size.height} />
      <rect className="sketch-old" x={margins.left} y={margins.top} width={width} height={height} />
    </svg>
  );
}

function Form() {
  const picture = useStore(basePicture);
  const [margins, setMargins] = useState<Margins>(NOTHING);
  const text = strings.extend;
  if (!picture) return null;
  const { width, height } = picture;
  const problem = extendProblem(width, height, margins);
  const size = extent(width, height, margins);
  return (
    <form onSubmit={(event) => {
      event.preventDefault();
      if (!problem) void extend(margins);
    }}>
      <div className="cross">
        {SIDES.map((side) => (
          <div key={side} className={`cross-${side}`}>
            <NumberField label={text[side]} value={margins[side]} least={0} most={LARGEST_SIDE}
              onChange={(value) => setMargins((now) => ({ ...now, [side]: value ?? 0 }))} />
          </div>
        ))}
        <Sketch width={width} height={height} margins={margins} />
      </div>
      <p id="extend-size" className="hint" aria-live="polite">{problem ?? text.result(size.width, size.height)}</p>
      <div className="dialog-foot">
        <button type="submit" className="button primary" disabled={problem !== null} aria-describedby="extend-size">{text.apply}</button>
      </div>
    </form>
  );
}

export function ExtendDialog() {
  return <Modal name="extend" title={strings.extend.title} text={strings.extend.text}><Form /></Modal>;
}
