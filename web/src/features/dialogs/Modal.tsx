import { Dialog } from "radix-ui";
import type { ReactNode } from "react";
import { set, useStore } from "../../store";
import type { Dialog as DialogName } from "../../store";
import { strings } from "../../strings";
import { CloseButton } from "../shell/CloseButton";

interface Props {
  name: Exclude<DialogName, null>;
  title: string;
  text?: string;
  wide?: boolean;
  children: ReactNode;
}

/** What is most likely wanted, not the button that closes. */
function focusFirst(event: Event): void {
  const content = event.currentTarget;
  if (!(content instanceof HTMLElement)) return;
  event.preventDefault();
  (content.querySelector<HTMLElement>("input, [role=radio][aria-checked=true]") ?? content).focus();
}

/** A dialog that the store opens and closes. */
export function Modal({ name, title, text, wide = false, children }: Props) {
  const open = useStore((state) => state.dialog === name);
  return (
    <Dialog.Root open={open} onOpenChange={(next) => set({ dialog: next ? name : null })}>
      <Dialog.Portal>
        <Dialog.Overlay className="overlay" />
        <Dialog.Content className={`dialog ${wide ? "wide" : ""}`} onOpenAutoFocus={focusFirst} {...(text ? {} : { "aria-describedby": undefined })}>
          <div className="dialog-head">
            <Dialog.Title>{title}</Dialog.Title>
            <Dialog.Close asChild><CloseButton label={strings.common.close} /></Dialog.Close>
          </div>
          {text ? <Dialog.Description className="hint">{text}</Dialog.Description> : null}
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
