export type { Box, Edit, Mode, Place, Point, SelectPoint } from "./edits";
export type { Compare, Hole, MaskStyle, Patch, Preview, StageEvents, ToolName } from "./events";
export { Mask } from "./mask";
export { Stage } from "./stage";
export { View } from "./view";
