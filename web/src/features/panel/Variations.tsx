import { configure, useStore } from "../../store";
import { strings } from "../../strings";
import { IconButton } from "../shell/IconButton";
import { NumberField } from "./NumberField";

const MOST = 8;

export function Variations() {
  const variations = useStore((state) => state.settings.variations);
  const text = strings.panel;
  return (
    <div className="stepper">
      <NumberField label={text.variations} value={variations} least={1} most={MOST} onChange={(value) => value && configure({ variations: value })} />
      <IconButton icon="minus" label={text.fewer} disabled={variations <= 1} onClick={() => configure({ variations: variations - 1 })} />
      <IconButton icon="plus" label={text.moreOf} disabled={variations >= MOST} onClick={() => configure({ variations: variations + 1 })} />
    </div>
  );
}
