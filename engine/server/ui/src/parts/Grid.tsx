// Runs across, newest first; tasks down. One cell, one state. Only the cells in view exist.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { Link, useLocation } from "wouter";
import type { Schemas } from "../api/client";
import { to } from "../lib/address";
import { duration, moment, plural } from "../lib/format";
import { look } from "../lib/states";
import { StateShape } from "../ui/Status";
import "./grid.css";

export interface GridData {
  runs: Schemas["RunItem"][];
  tasks: Schemas["GridTask"][];
  cells: Map<string, Schemas["GridCell"]>;
}

/** Pages of the grid as one: tasks in the order of the newest run that has them; of a run on two pages the first counts. */
export function mergeGrid(pages: Schemas["Grid"][]): GridData {
  const known = new Set<string>();
  const tasks = new Map<string, Schemas["GridTask"]>();
  const cells: GridData["cells"] = new Map();
  const runs: GridData["runs"] = [];
  for (const page of pages) {
    for (const task of page.tasks) if (!tasks.has(task.id)) tasks.set(task.id, task);
    const fresh = page.runs.map(({ id }) => !known.has(id));
    for (const cell of page.cells) {
      const [run, task] = [page.runs[cell.run], page.tasks[cell.task]];
      if (run && task && fresh[cell.run]) cells.set(`${run.id} ${task.id}`, cell);
    }
    for (const [index, run] of page.runs.entries()) {
      known.add(run.id);
      if (fresh[index]) runs.push(run);
    }
  }
  return { runs, tasks: [...tasks.values()], cells };
}

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
  const across = useVirtualizer({ horizontal: true, count: runs.length, getScrollElement: () => scroll.current, estimateSize: () => CELL, overscan: 12 });
  const down = useVirtualizer({ count: tasks.length, getScrollElement: () => scroll.current, estimateSize: () => CELL, overscan: 12 });
  const columns = across.getVirtualItems();
  const rows = down.getVirtualItems();
  const lastColumn = columns.at(-1)?.index ?? 0;
  useEffect(() => {
    if (onEnd && lastColumn > runs.length - 20) onEnd();
  }, [onEnd, lastColumn, runs.length]);
  const longest = useMemo(() => Math.max(1, ...runs.map(length)), [runs]);

  const cell = at && runs[at.run] && tasks[at.task] ? cells.get(`${runs[at.run]?.id} ${tasks[at.task]?.id}`) : undefined;
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
  const open = (run: number, task: number) => {
    const [one, other] = [runs[run], tasks[task]];
    if (one && (other || task === HEAD)) go(to.run(one.id, "", other?.id ?? ""));
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
              {columns.map((column) => {
                const [run, task] = [runs[column.index], tasks[row.index]];
                const one = run && task ? cells.get(`${run.id} ${task.id}`) : undefined;
                const on = at?.run === column.index && at.task === row.index;
                const { tone, word } = look(one?.state ?? "");
                return (
                  <div
                    key={column.key}
                    role="gridcell"
                    id={`${id}-${column.index}-${row.index}`}
                    aria-colindex={column.index + 1}
                    aria-label={one ? `${task?.id}: ${word}` : `${task?.id}: not in this run`}
                    className={`grid-cell ${one ? `tone-${tone}` : ""} ${on ? "on" : ""}`}
                    style={{ left: column.start, top: row.start, width: CELL, height: CELL }}
                    onMouseEnter={() => setAt({ run: column.index, task: row.index })}
                    onClick={() => one && open(column.index, row.index)}
                  >
                    {one && (
                      <span>
                        <StateShape state={one.state} size={13} />
                      </span>
                    )}
                  </div>
                );
              })}
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
