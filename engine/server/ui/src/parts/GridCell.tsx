import { memo } from "react";
import { look } from "../lib/states";
import { StateShape } from "../ui/Status";

/** Around a cell, in pixels. */
const GAP = 1.5;

interface Props {
  id: string;
  run: number;
  task: number;
  name: string;
  /** None where the run has no such task. */
  state: string | undefined;
  left: number;
  top: number;
  size: number;
  on: boolean;
  onPoint: (run: number, task: number) => void;
  onOpen: (run: number, task: number) => void;
}

/** One task in one run. Drawn again only when it changes: some thousand are in view. */
export const GridCell = memo(function GridCell({ id, run, task, name, state, left, top, size, on, onPoint, onOpen }: Props) {
  const { tone, word } = look(state ?? "");
  return (
    <div
      role="gridcell"
      id={id}
      aria-colindex={run + 1}
      aria-label={`${name}: ${state ? word : "not in this run"}`}
      className={`grid-cell ${state ? `tone-${tone}` : ""} ${on ? "on" : ""}`}
      style={{ left: left + GAP, top: top + GAP, width: size - 2 * GAP, height: size - 2 * GAP }}
      onMouseEnter={() => onPoint(run, task)}
      onClick={() => state && onOpen(run, task)}
    >
      {state && <StateShape state={state} size={13} />}
    </div>
  );
});
