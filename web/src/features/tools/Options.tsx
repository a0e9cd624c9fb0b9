import { Slider } from "radix-ui";
import { basePicture, set, useStore } from "../../store";
import { strings } from "../../strings";
import { addSelection, forget, setSubtract } from "../select/select";
import { Icon } from "../shell/Icon";

const LARGEST = 500;
// The slider runs in square roots: half of it is for brushes under 125 px.
const toSlider = (size: number) => Math.sqrt(size / LARGEST) * 100;
const fromSlider = (value: number) => Math.max(1, Math.round((value / 100) ** 2 * LARGEST));

function Size() {
  const size = useStore((state) => state.size);
  const text = strings.tools;
  return (
    <div className="field-row">
      <span className="field-label">{text.size}</span>
      <Slider.Root className="slider size-slider" min={4} max={100} step={0.5} value={[toSlider(size)]}
        onValueChange={([value]) => value !== undefined && set({ size: fromSlider(value) })}>
        <Slider.Track className="slider-track"><Slider.Range className="slider-range" /></Slider.Track>
        <Slider.Thumb className="slider-thumb" aria-label={text.size} aria-valuetext={text.pixels(size)} />
      </Slider.Root>
      <output className="value">{text.pixels(size)}</output>
    </div>
  );
}

function Mode() {
  const subtract = useStore((state) => state.subtract);
  const text = strings.tools;
  return (
    <div className="segments" role="group" aria-label={text.mode} title="X">
      <button type="button" aria-pressed={!subtract} onClick={() => setSubtract(false)}>
        <Icon name="plus" size={16} />{text.add}
      </button>
      <button type="button" aria-pressed={subtract} onClick={() => setSubtract(true)}>
        <Icon name="minus" size={16} />{text.subtract}
      </button>
    </div>
  );
}

function SelectionActions() {
  const selection = useStore((state) => state.selection);
  const text = strings.select;
  if (!selection) return <span className="hint">{strings.tools.hints.select}</span>;
  return (
    <div className="row" role="group" aria-label={text.label}>
      <button type="button" className="button small strong" disabled={selection.busy || selection.count === 0} onClick={addSelection}>
        <Icon name="check" size={16} />{text.add}<kbd>Enter</kbd>
      </button>
      <button type="button" className="button small" aria-label={text.discard} onClick={forget}>
        <Icon name="close" size={16} /><kbd>Esc</kbd>
      </button>
      {selection.busy ? <span className="hint">{text.working}</span> : null}
    </div>
  );
}

function Coverage() {
  const painted = useStore((state) => state.painted);
  const picture = useStore(basePicture);
  return <span className="hint coverage">{picture ? strings.mask.share(painted, picture.width * picture.height) : ""}</span>;
}

/** What the chosen tool can be told. */
export function Options() {
  const tool = useStore((state) => state.tool);
  return (
    <div className="options">
      {tool === "brush" || tool === "eraser" ? <Size /> : null}
      {tool === "rectangle" || tool === "lasso" || tool === "select" ? <Mode /> : null}
      {tool === "select" ? <SelectionActions /> : null}
      {tool === "rectangle" || tool === "lasso" || tool === "pan" ? <span className="hint">{strings.tools.hints[tool]}</span> : null}
      <Coverage />
    </div>
  );
}
