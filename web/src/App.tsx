import { QueryClientProvider } from "@tanstack/react-query";
import { Tooltip } from "radix-ui";
import { useEffect } from "react";
import { onAway } from "./api/connection";
import { queries } from "./api/queries";
import { Alerts } from "./features/alerts/Alerts";
import { Announcer } from "./features/alerts/Announcer";
import { AwayBanner } from "./features/alerts/AwayBanner";
import { Busy } from "./features/alerts/Busy";
import { Canvas } from "./features/canvas/Canvas";
import { ReplaceDialog } from "./features/dialogs/ReplaceDialog";
import { ExtendDialog } from "./features/extend/ExtendDialog";
import { listen } from "./features/keys/keys";
import { ShortcutSheet } from "./features/keys/ShortcutSheet";
import { DropZone } from "./features/open/DropZone";
import { Panel } from "./features/panel/Panel";
import { DownloadDialog } from "./features/results/DownloadDialog";
import { Strip } from "./features/results/Strip";
import { TopBar } from "./features/shell/TopBar";
import { Start } from "./features/start/Start";
import { Options } from "./features/tools/Options";
import { ToolBar } from "./features/tools/ToolBar";
import { set, useStore } from "./store";
import { strings } from "./strings";

function Editor() {
  return (
    <div className="editor">
      <TopBar />
      <ToolBar />
      <main className="work" aria-label={strings.view.region}>
        <h1 className="unseen">{strings.name}</h1>
        <Options />
        <Canvas />
        <Strip />
      </main>
      <Panel />
    </div>
  );
}

export function App() {
  const open = useStore((state) => state.base !== null);
  const restored = useStore((state) => state.restored);
  const theme = useStore((state) => state.theme);
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
  }, [theme]);
  useEffect(() => {
    const stops = [onAway((away) => set({ away })), listen()];
    return () => stops.forEach((stop) => stop());
  }, []);
  return (
    <QueryClientProvider client={queries}>
      <Tooltip.Provider delayDuration={500}>
        {open ? <Editor /> : restored ? <Start /> : null}
        <AwayBanner />
        <Alerts />
        <Busy />
        <Announcer />
        <DropZone />
        <ReplaceDialog />
        <ExtendDialog />
        <DownloadDialog />
        <ShortcutSheet />
      </Tooltip.Provider>
    </QueryClientProvider>
  );
}
