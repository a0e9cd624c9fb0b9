// The one keyboard handler of the page. Tab is nobody's but the browser's.
import { get, set } from "../../store";
import { letter } from "./letter";
import { arrow, commands, enter, escape, single } from "./table";

const TYPING = "input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]";
const OWN_ARROWS = "[role=slider], [role=radio], [role=radiogroup], [role=combobox], [role=listbox], [role=menu], [role=tab], input, [data-keys=own]";
const OWN_ENTER = "a, button:not([data-tool]), summary, [role=combobox], [role=option], [role=menuitem]";

const inDialog = () => get().question !== null || document.querySelector("[role=dialog], [role=alertdialog], [role=menu], [role=listbox]") !== null;

function handle(event: KeyboardEvent): boolean {
  const target = event.target instanceof Element ? event.target : document.body;
  const key = letter(event);
  const altGraph = event.getModifierState("AltGraph");
  const command = (event.ctrlKey || event.metaKey) && !altGraph;
  if (inDialog()) return false;
  const typing = target.matches(TYPING);
  if (command && !event.altKey) {
    if (typing && key !== "enter" && key !== "o" && key !== "s") return false;
    const run = commands[event.shiftKey ? `shift+${key}` : key];
    if (!run) return false;
    run();
    return true;
  }
  if (key === "escape") return escape();
  if (typing || (event.altKey && !altGraph)) return false;
  if (key === "enter") return !target.matches(OWN_ENTER) && enter();
  if (key.startsWith("arrow")) return !target.closest(OWN_ARROWS) && arrow(key, event.shiftKey);
  if (!get().singleKeys && key !== "?") return false;
  if (key === "c") {
    if (!event.repeat && get().shown !== null) set({ compare: "input" });
    return true;
  }
  const run = single[key];
  if (!run || get().restored === false) return false;
  run();
  return true;
}

/** Listens; returns how to stop. */
export function listen(): () => void {
  const down = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (handle(event)) event.preventDefault();
  };
  const release = () => {
    if (get().compare === "input") set({ compare: null });
  };
  const up = (event: KeyboardEvent) => {
    if (letter(event) === "c") release();
  };
  window.addEventListener("keydown", down);
  window.addEventListener("keyup", up);
  window.addEventListener("blur", release);
  return () => {
    window.removeEventListener("keydown", down);
    window.removeEventListener("keyup", up);
    window.removeEventListener("blur", release);
  };
}
