import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { begin } from "./features/save/begin";
import { setStage } from "./stage";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/layout.css";
import "./styles/start.css";
import "./styles/results.css";
import "./styles/dialogs.css";

setStage(null); // window.ediffuser is there from the start
void begin(); // reads the work of last time while React starts
const root = document.getElementById("root");
if (root) createRoot(root).render(<StrictMode><App /></StrictMode>);
