import { prefer, useStore } from "../../store";
import type { Theme } from "../../store";
import { strings } from "../../strings";
import { IconButton } from "./IconButton";

const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const ICONS = { system: "system", light: "sun", dark: "moon" } as const;

export function ThemeSwitch() {
  const theme = useStore((state) => state.theme);
  const label = strings.theme.title(strings.theme[theme]);
  return <IconButton icon={ICONS[theme]} label={label} onClick={() => prefer({ theme: NEXT[theme] })} />;
}
