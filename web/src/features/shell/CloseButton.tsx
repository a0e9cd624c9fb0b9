import type { ComponentPropsWithRef } from "react";
import { Icon } from "./Icon";

/** Without a tip: it gets the focus when a dialog opens, and a tip would open too. */
export function CloseButton({ label, ...rest }: ComponentPropsWithRef<"button"> & { label: string }) {
  return <button type="button" className="icon-button" aria-label={label} {...rest}><Icon name="close" /></button>;
}
