/** Strokes the present path, light on dark: seen on every picture. */
export function outline(context: CanvasRenderingContext2D): void {
  context.lineJoin = "round";
  context.lineCap = "round";
  context.strokeStyle = "rgb(0 0 0 / 0.65)";
  context.lineWidth = 3;
  context.stroke();
  context.strokeStyle = "white";
  context.lineWidth = 1.25;
  context.stroke();
}
