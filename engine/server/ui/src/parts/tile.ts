// Cells of the grid as pictures: some thousand are in view, and as elements each would be laid out and painted.
import { shapeOf } from "../lib/shapes";
import { look } from "../lib/states";

export const CELL = 22;
/** Around a cell, in pixels. */
const GAP = 1.5;
const RADIUS = 3;
export const GLYPH = 13;

// One picture for each state, theme and resolution.
const sprites = new Map<string, ImageBitmap>();

function sprite(state: string, theme: string, scale: number): ImageBitmap {
  const key = `${state} ${theme} ${scale}`;
  const known = sprites.get(key);
  if (known) return known;
  const side = Math.round(CELL * scale);
  const canvas = new OffscreenCanvas(side, side);
  const context = canvas.getContext("2d");
  if (context) {
    const colours = getComputedStyle(document.documentElement);
    const { tone } = look(state);
    context.scale(scale, scale);
    context.fillStyle = colours.getPropertyValue(`--${tone}-soft`);
    context.beginPath();
    context.roundRect(GAP, GAP, CELL - 2 * GAP, CELL - 2 * GAP, RADIUS);
    context.fill();
    // What turns is an element above the picture.
    if (!turns(state)) {
      context.translate((CELL - GLYPH) / 2, (CELL - GLYPH) / 2);
      context.scale(GLYPH / 16, GLYPH / 16);
      context.strokeStyle = colours.getPropertyValue(`--${tone}`);
      context.lineCap = "round";
      for (const { d, width = 2, dash = [], opacity = 1, join = "miter" } of shapeOf(state)) {
        Object.assign(context, { lineWidth: width, globalAlpha: opacity, lineJoin: join });
        context.setLineDash(dash);
        context.stroke(new Path2D(d));
      }
    }
  }
  const drawn = canvas.transferToImageBitmap();
  sprites.set(key, drawn);
  return drawn;
}

export function turns(state: string): boolean {
  return shapeOf(state).some((stroke) => stroke.turns);
}

/** Draws rows of states; a place without one stays empty. */
export function draw(canvas: HTMLCanvasElement, rows: (string | undefined)[][], theme: string, scale: number) {
  const width = Math.round((rows[0]?.length ?? 0) * CELL * scale);
  const height = Math.round(rows.length * CELL * scale);
  const context = canvas.getContext("2d");
  if (!context) return;
  // A new size takes new memory.
  if (canvas.width === width && canvas.height === height) context.clearRect(0, 0, width, height);
  else Object.assign(canvas, { width, height });
  for (const [row, states] of rows.entries()) {
    for (const [column, state] of states.entries()) {
      if (state) context.drawImage(sprite(state, theme, scale), Math.round(column * CELL * scale), Math.round(row * CELL * scale));
    }
  }
}
