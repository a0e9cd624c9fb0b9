import { Dialog } from "radix-ui";
import { set, useStore } from "../../store";
import { strings } from "../../strings";
import { GenerateButton } from "../generate/GenerateButton";
import { CloseButton } from "../shell/CloseButton";
import { IconButton } from "../shell/IconButton";
import { useNarrow } from "../shell/useNarrow";
import { SettingsForm } from "./SettingsForm";

function Sheet() {
  const open = useStore((state) => state.dialog === "panel");
  const text = strings.panel;
  return (
    <Dialog.Root open={open} onOpenChange={(next) => set({ dialog: next ? "panel" : null })}>
      <Dialog.Trigger asChild>
        <IconButton icon="settings" label={text.open} side="top" />
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className="sheet" aria-describedby={undefined}>
          <div className="dialog-head">
            <Dialog.Title>{text.title}</Dialog.Title>
            <Dialog.Close asChild><CloseButton label={text.close} /></Dialog.Close>
          </div>
          <SettingsForm />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** At the side, or on a phone a sheet from below with the button beside it. */
export function Panel() {
  const narrow = useNarrow();
  if (narrow) {
    return (
      <aside className="dock" aria-label={strings.panel.title}>
        <Sheet />
        <GenerateButton />
      </aside>
    );
  }
  return (
    <aside className="panel" aria-label={strings.panel.title}>
      <div className="panel-scroll">
        <SettingsForm />
      </div>
      <div className="panel-foot">
        <GenerateButton />
      </div>
    </aside>
  );
}
