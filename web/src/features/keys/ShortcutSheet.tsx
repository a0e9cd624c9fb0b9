import { Switch } from "radix-ui";
import { prefer, useStore } from "../../store";
import { strings } from "../../strings";
import { Modal } from "../dialogs/Modal";
import { isMac } from "./table";

type Row = readonly [what: string, ...keys: string[]];

function groups(): [string, Row[]][] {
  const { what, groups: title, mouse } = strings.shortcuts;
  const { tools } = strings;
  const ctrl = isMac() ? "⌘" : "Ctrl";
  return [
    [title.tools, [
      [tools.brush, "B"], [tools.eraser, "E"], [tools.rectangle, "R"], [tools.lasso, "L"], [tools.select, "S"], [tools.pan, "H"],
      [what.smaller, "[", "]"], [what.size, mouse.altWheel], [what.subtract, "X"],
    ]],
    [title.mask, [
      [what.undo, `${ctrl} Z`], [what.redo, `${ctrl} Shift Z`, `${ctrl} Y`], [what.invert, "I"], [what.clear, "Del"], [what.grow, ">", "<"],
      [what.takeAway, mouse.shiftClick], [what.add, "Enter"], [what.discard, "Esc"],
    ]],
    [title.view, [
      [what.zoom, mouse.wheel, "+", "−"], [what.fit, "0"], [what.actual, "1"], [what.pan, mouse.drag], [what.arrows, "Shift ←↑→↓"], [what.point, "P"],
    ]],
    [title.run, [
      [what.generate, "G", `${ctrl} Enter`], [what.walk, "←", "→"], [what.compare, "C"], [what.slider, "V"], [what.accept, "U"],
    ]],
    [title.file, [[what.open, `${ctrl} O`], [what.paste, `${ctrl} V`], [what.download, `${ctrl} S`], [what.sheet, "?"]]],
  ];
}

function Single() {
  const on = useStore((state) => state.singleKeys);
  const text = strings.shortcuts;
  return (
    <div className="field-row single">
      <label htmlFor="single-keys">
        <span className="field-label">{text.single}</span>
        <span className="hint">{text.singleHint}</span>
      </label>
      <Switch.Root id="single-keys" className="switch" checked={on} onCheckedChange={(singleKeys) => prefer({ singleKeys })}>
        <Switch.Thumb className="switch-thumb" />
      </Switch.Root>
    </div>
  );
}

export function ShortcutSheet() {
  return (
    <Modal name="shortcuts" title={strings.shortcuts.title} wide>
      <div className="shortcuts">
        {groups().map(([title, rows]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {rows.map(([what, ...keys]) => (
                <div key={what}>
                  <dt>{what}</dt>
                  <dd>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <Single />
    </Modal>
  );
}
