import type { SelectPoint } from "./edits";
import type { View } from "./view";

/** The clicked points of a selection: a plus or a minus in a disc. */
export function drawPoints(context: CanvasRenderingContext2D, view: View, points: readonly SelectPoint[]): void {
  for (const point of points) {
    const { x, y } = view.toScreen(point);
    context.beginPath();
    context.arc(x, y, 8, 0, 2 * Math.PI);
    context.fillStyle = point.positive ? "rgb(0 95 204)" : "rgb(190 20 40)";
    context.fill();
    context.strokeStyle = "white";
    context.lineWidth = 2;
    context.moveTo(x - 4, y);
    context.lineTo(x + 4, y);
    if (point.positive) context.moveTo(x, y - 4);
    if (point.positive) context.lineTo(x, y + 4);
    context.stroke();
  }
}

/** The line between input and result, with a handle at half the height. */
export function drawLine(context: CanvasRenderingContext2D, x: number, height: number): void {
  const middle = height / 2;
  context.fillStyle = "rgb(0 0 0 / 0.55)";
  context.fillRect(x - 2, 0, 4, height);
  context.fillStyle = "white";
  context.fillRect(x - 1, 0, 2, height);
  context.beginPath();
  context.arc(x, middle, 16, 0, 2 * Math.PI);
  context.strokeStyle = "rgb(0 0 0 / 0.55)";
  context.lineWidth = 2;
  context.fill();
  context.stroke();
  context.beginPath();
  for (const side of [-1, 1]) {
    context.moveTo(x + side * 5, middle - 5);
    context.lineTo(x + side * 10, middle);
    context.lineTo(x + side * 5, middle + 5);
  }
  context.strokeStyle = "rgb(30 30 30)";
  context.lineWidth = 2;
  context.stroke();
}
