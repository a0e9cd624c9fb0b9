import { stage } from "../../stage";
import { basePicture, history, redo, set, undo, useStore } from "../../store";
import { strings } from "../../strings";
import { ACCEPT } from "../open/limits";
import { openFrom, pick } from "../open/open";
import { saveable } from "../results/results";
import { useStoreWith } from "./useHistory";
import { IconButton } from "./IconButton";
import { ThemeSwitch } from "./ThemeSwitch";
import { Wordmark } from "./Wordmark";

function Zoom() {
  const scale = useStore((state) => state.scale);
  const text = strings.view;
  return (
    <div className="group zoom" role="group" aria-label={text.label}>
      <IconButton icon="minus" label={text.out} tip={`${text.out} (−)`} onClick={() => stage()?.zoom(0.8)} />
      <button type="button" className="text-button scale" title={text.actualTitle} aria-label={`${text.percent(scale)}, ${text.actualTitle}`} onClick={() => stage()?.actual()}>
        {text.percent(scale)}
      </button>
      <IconButton icon="plus" label={text.in} tip={`${text.in} (+)`} onClick={() => stage()?.zoom(1.25)} />
      <button type="button" className="text-button" title={text.fitTitle} onClick={() => stage()?.fit()}>
        {text.fit}
      </button>
    </div>
  );
}

export function TopBar() {
  const picture = useStore(basePicture);
  const past = useStoreWith(history, (state) => state.pastStates.length > 0);
  const future = useStoreWith(history, (state) => state.futureStates.length > 0);
  const saves = useStore((state) => saveable(state) !== null);
  return (
    <header className="top">
      <Wordmark />
      <IconButton icon="open" label={strings.open.open} tip={strings.open.openTitle} caption onClick={() => pick(ACCEPT, (files) => void openFrom(files))} />
      <p className="file">
        <span className="file-name">{picture?.name}</span>
        <span className="file-size">{picture ? `${picture.width} × ${picture.height}` : ""}</span>
      </p>
      <div className="group" role="group" aria-label={`${strings.edit.undo}, ${strings.edit.redo}`}>
        <IconButton icon="undo" label={strings.edit.undo} tip={strings.edit.undoTitle} disabled={!past} onClick={undo} />
        <IconButton icon="redo" label={strings.edit.redo} tip={strings.edit.redoTitle} disabled={!future} onClick={redo} />
      </div>
      <Zoom />
      <div className="group">
        <ThemeSwitch />
        <IconButton icon="keyboard" className="keyboard" label={strings.shortcuts.open} onClick={() => set({ dialog: "shortcuts" })} />
      </div>
      <IconButton icon="download" className="bordered" label={strings.results.download} tip={saves ? strings.results.downloadTitle : strings.results.nothingToSave} caption disabled={!saves}
        onClick={() => set({ dialog: "download" })} />
    </header>
  );
}
