import { basePicture, set, useStore } from "../../store";
import type { State } from "../../store";
import { strings } from "../../strings";
import { clear, downloadMask, grow, growStep, invert, uploadMask } from "../mask/mask";
import { pick } from "../open/open";
import { IconButton } from "../shell/IconButton";
import { useNarrow } from "../shell/useNarrow";

const TOOLS: [State["tool"], string][] = [
  ["brush", "B"],
  ["eraser", "E"],
  ["rectangle", "R"],
  ["lasso", "L"],
  ["select", "S"],
  ["pan", "H"],
];

export function ToolBar() {
  const tool = useStore((state) => state.tool);
  const empty = useStore((state) => state.painted === 0);
  const picture = useStore(basePicture);
  const side = useNarrow() ? "top" : "right";
  const text = strings.mask;
  const step = growStep(picture);
  return (
    <nav className="rail" aria-label={strings.tools.label}>
      {TOOLS.map(([name, key]) => (
        <IconButton key={name} icon={name} side={side} data-tool={name} label={strings.tools[name]} tip={`${strings.tools[name]} (${key})`}
          aria-pressed={tool === name} onClick={() => set({ tool: name })} />
      ))}
      <hr />
      <IconButton icon="invert" side={side} label={text.invert} tip={`${text.invert} (I)`} onClick={invert} />
      <IconButton icon="grow" side={side} label={text.grow} tip={`${text.grow}: ${strings.tools.pixels(step)} (>)`} disabled={empty} onClick={() => grow(step)} />
      <IconButton icon="shrink" side={side} label={text.shrink} tip={`${text.shrink}: ${strings.tools.pixels(step)} (<)`} disabled={empty} onClick={() => grow(-step)} />
      <IconButton icon="clear" side={side} label={text.clear} tip={`${text.clear} (Del)`} disabled={empty} onClick={clear} />
      <hr />
      <IconButton icon="maskUp" side={side} label={text.upload} onClick={() => pick("image/*", (files) => void uploadMask(files?.[0]))} />
      <IconButton icon="maskDown" side={side} label={text.download} disabled={empty} onClick={() => void downloadMask()} />
      <IconButton icon="extend" side={side} label={strings.extend.title} onClick={() => set({ dialog: "extend" })} />
    </nav>
  );
}
