// Runs across, newest first; tasks down. One cell, one state. Only the cells in view exist.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useCallback, useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { Link, useLocation } from "wouter";
import type { Schemas } from "../api/client";
import { to } from "../lib/address";
import { duration, moment, plural } from "../lib/format";
import type { GridData } from "../lib/grid";
import { look } from "../lib/states";
import { StateShape } from "../ui/Status";
import { GridCell } from "./GridCell";
import "./grid.css";

/** The row above the tasks, where the runs are. */
const HEAD = -1;
const CELL = 22;
const BARS = 46;

export function Grid({ data, onEnd }: { data: GridData; onEnd?: () => void }) {
  const { runs, tasks, cells } = data;
  const scroll = useRef<HTMLDivElement>(null);
  const [, go] = useLocation();
  const [at, setAt] = useState<{ run: number; task: number }>();
  const id = useId();
  const across = useVirtualizer({ horizontal: true, count: runs.length, getScrollElement: () => scroll.current, estimateSize: () => CELL, overscan: 4 });
  const down = useVirtualizer({ count: tasks.length, getScrollElement: () => scroll.current, estimateSize: () => CELL, overscan: 4 });
  const columns = across.getVirtualItems();
  const rows = down.getVirtualItems();
  const lastColumn = columns.at(-1)?.index ?? 0;
  useEffect(() => {
    if (onEnd && lastColumn > runs.length - 20) onEnd();
  }, [onEnd, lastColumn, runs.length]);
  const longest = useMemo(() => Math.max(1, ...runs.map(length)), [runs]);

  const cell = at && cells.get(runs[at.run]?.id ?? "")?.get(tasks[at.task]?.id ?? "");
  const point = useCallback((run: number, task: number) => setAt({ run, task }), []);
  const open = useCallback(
    (run: number, task: number) => {
      const [one, other] = [runs[run], tasks[task]];
      if (one && (other || task === HEAD)) go(to.run(one.id, "", other?.id ?? ""));
    },
    [runs, tasks, go],
  );
  const onKeyDown = (event: KeyboardEvent) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-1e9, 0], End: [1e9, 0] }[event.key];
    if (move) {
      event.preventDefault();
      const clamp = (value: number, least: number, count: number) => Math.max(least, Math.min(count - 1, value));
      const next = { run: clamp((at?.run ?? 0) + (at ? (move[0] ?? 0) : 0), 0, runs.length), task: clamp((at?.task ?? 0) + (at ? (move[1] ?? 0) : 0), HEAD, tasks.length) };
      setAt(next);
      across.scrollToIndex(next.run);
      down.scrollToIndex(Math.max(0, next.task));
    } else if (event.key === "Enter" && at) open(at.run, at.task);
    else if (event.key === "Escape") setAt(undefined);
  };
  const width = across.getTotalSize();
  const height = down.getTotalSize();
  return (
    <div className="grid-part">
      <div
        className="grid-scroll"
        ref={scroll}
        role="grid"
        aria-label={`${plural(tasks.length, "task")} by ${plural(runs.length, "run")}, newest run first`}
        aria-rowcount={tasks.length}
        aria-colcount={runs.length}
        aria-activedescendant={at ? `${id}-${at.run}-${at.task}` : undefined}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onMouseLeave={() => setAt(undefined)}
        data-testid="grid"
      >
        <div className="grid-corner" role="presentation">
          <span className="small soft">{duration(longest)}</span>
        </div>
        <div className="grid-heads" role="row" style={{ width, height: BARS }}>
          {columns.map(({ index, start }) => {
            const run = runs[index];
            if (!run) return null;
            const { tone, word } = look(run.state);
            return (
              <Link key={run.id} role="columnheader" href={to.run(run.id)} tabIndex={-1} id={`${id}-${index}-${HEAD}`} className={`grid-head tone-${tone} ${at?.run === index && at.task === HEAD ? "on" : ""}`} style={{ left: start, width: CELL }} title={heading(run)} aria-label={`run ${run.id.slice(-6)}, ${word}`}>
                <span className="bar-fill" style={{ height: Math.max(2, (length(run) / longest) * (BARS - 20)) }} />
                <StateShape state={run.state} size={12} />
              </Link>
            );
          })}
        </div>
        <div className="grid-names" style={{ height }}>
          {rows.map(({ index, start }) => {
            const task = tasks[index];
            return task ? (
              <div key={task.id} className={`clip ${at?.task === index ? "on" : ""}`} style={{ top: start, height: CELL }} title={`${task.id} (${task.operator})`}>
                {task.id}
              </div>
            ) : null;
          })}
        </div>
        <div className="grid-cells" role="presentation" style={{ width, height }}>
          {rows.map((row) => (
            <div key={row.key} role="row" aria-rowindex={row.index + 1}>
              {columns.map((column) => (
                <GridCell
                  key={column.key}
                  id={`${id}-${column.index}-${row.index}`}
                  run={column.index}
                  task={row.index}
                  name={tasks[row.index]?.id ?? ""}
                  state={cells.get(runs[column.index]?.id ?? "")?.get(tasks[row.index]?.id ?? "")?.state}
                  left={column.start}
                  top={row.start}
                  size={CELL}
                  on={at?.run === column.index && at.task === row.index}
                  onPoint={point}
                  onOpen={open}
                />
              ))}
            </div>
          ))}
        </div>
      </div>
      <p className="grid-detail small" aria-live="polite">
        {at && runs[at.run] ? (
          <>
            {at.task !== HEAD && (
              <>
                <strong>{tasks[at.task]?.id}</strong> in{" "}
              </>
            )}
            run <span className="mono">{runs[at.run]?.id.slice(-6)}</span>: {at.task === HEAD ? heading(runs[at.run]) : cell ? `${look(cell.state).word}${timing(cell)}` : "not in this run"}
          </>
        ) : (
          <span className="soft">Point at a cell for its timing. Arrow keys move, Enter opens the task, or the run at the top.</span>
        )}
      </p>
    </div>
  );
}

function length(run: Schemas["RunItem"]): number {
  if (!run.started_at) return 0;
  return (run.ended_at ? Date.parse(run.ended_at) : Date.now()) - Date.parse(run.started_at);
}

function heading(run: Schemas["RunItem"] | undefined): string {
  return run ? `${look(run.state).word}, ${moment(run.created_at)}, ${duration(length(run))}` : "";
}

function timing(cell: Schemas["GridCell"]): string {
  const parts: string[] = [];
  if (cell.queued_at && cell.started_at) parts.push(`queued ${duration(Date.parse(cell.started_at) - Date.parse(cell.queued_at))}`);
  if (cell.started_at && cell.ended_at) parts.push(`ran ${duration(Date.parse(cell.ended_at) - Date.parse(cell.started_at))}`);
  if (cell.attempts > 1) parts.push(plural(cell.attempts, "attempt"));
  return parts.length > 0 ? `, ${parts.join(", ")}` : "";
}
