export type { Box, Edit, Mode, Place, Point, SelectPoint } from "./edits";
export { Mask } from "./mask";
export { Stage } from "./stage";
export type { Compare, MaskStyle, Patch, Preview, StageEvents, ToolName } from "./stage";
export { View } from "./view";
