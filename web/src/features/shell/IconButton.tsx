import { Tooltip } from "radix-ui";
import type { ComponentPropsWithRef } from "react";
import { Icon } from "./Icon";
import type { IconName } from "./Icon";

type Props = Omit<ComponentPropsWithRef<"button">, "children" | "title"> & {
  icon: IconName;
  label: string;
  /** What the tip says; the label if there is nothing to add. */
  tip?: string;
  side?: "top" | "right" | "bottom" | "left";
  caption?: boolean;
};

/** A button with a picture on it, a name and a tip. */
export function IconButton({ icon, label, tip, side = "bottom", caption, className = "", ...rest }: Props) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <button type="button" className={`icon-button ${className}`} aria-label={label} {...rest}>
          <Icon name={icon} />
          {caption ? <span>{label}</span> : null}
        </button>
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className="tip" side={side} sideOffset={6} collisionPadding={8}>
          {tip ?? label}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
