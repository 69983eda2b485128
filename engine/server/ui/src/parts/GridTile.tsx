import { memo, useLayoutEffect, useMemo, useRef } from "react";
import type { GridData } from "../lib/grid";
import { StateShape } from "../ui/Status";
import { CELL, draw, GLYPH, turns } from "./tile";

/** Cells of a side. */
export const TILE = 16;

interface Props {
  data: GridData;
  /** Which tile from the left and from the top. */
  across: number;
  down: number;
  theme: string;
  /** Pixels of the screen to one of the page. */
  scale: number;
}

/** A square of the grid as one picture, which scrolls without being drawn again. Its words are the grid's. */
export const GridTile = memo(function GridTile({ data, across, down, theme, scale }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const rows = useMemo(() => {
    const runs = data.runs.slice(across * TILE, (across + 1) * TILE).map(({ id }) => data.cells.get(id));
    return data.tasks.slice(down * TILE, (down + 1) * TILE).map(({ id }) => runs.map((cells) => cells?.get(id)?.state));
  }, [data, across, down]);
  useLayoutEffect(() => {
    if (canvas.current) draw(canvas.current, rows, theme, scale);
  }, [rows, theme, scale]);
  const left = across * TILE * CELL;
  const top = down * TILE * CELL;
  const moving = rows.flatMap((states, row) => states.flatMap((state, column) => (state && turns(state) ? [{ state, row, column }] : [])));
  return (
    <>
      <canvas ref={canvas} className="grid-tile" aria-hidden="true" style={{ left, top, width: (rows[0]?.length ?? 0) * CELL, height: rows.length * CELL }} />
      {moving.map(({ state, row, column }) => (
        <span key={`${row} ${column}`} className="grid-moving tone-blue" style={{ left: left + column * CELL + (CELL - GLYPH) / 2, top: top + row * CELL + (CELL - GLYPH) / 2 }}>
          <StateShape state={state} size={GLYPH} />
        </span>
      ))}
    </>
  );
});
