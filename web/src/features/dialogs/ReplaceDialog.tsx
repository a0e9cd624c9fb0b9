import { AlertDialog } from "radix-ui";
import { useStore } from "../../store";
import { strings } from "../../strings";

/** Before another picture takes the place of unsaved work. */
export function ReplaceDialog() {
  const question = useStore((state) => state.question);
  const text = strings.open;
  return (
    <AlertDialog.Root open={question !== null} onOpenChange={(open) => !open && question?.(false)}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="overlay" />
        <AlertDialog.Content className="dialog">
          <AlertDialog.Title>{text.replaceTitle}</AlertDialog.Title>
          <AlertDialog.Description className="hint">{text.replaceText}</AlertDialog.Description>
          <div className="dialog-foot">
            <AlertDialog.Cancel asChild><button type="button" className="button">{text.keep}</button></AlertDialog.Cancel>
            <AlertDialog.Action asChild>
              <button type="button" className="button primary" onClick={() => question?.(true)}>{text.replace}</button>
            </AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
