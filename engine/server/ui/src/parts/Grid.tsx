// Runs across, newest first; tasks down. One cell, one state. Only what is in view exists, and cells are pictures.
import { useVirtualizer, type VirtualItem } from "@tanstack/react-virtual";
import { memo, useCallback, useEffect, useId, useMemo, useRef, useState, type KeyboardEvent, type MouseEvent } from "react";
import { Link, useLocation } from "wouter";
import type { Schemas } from "../api/client";
import { useTheme } from "../app/theme";
import { to } from "../lib/address";
import { duration, moment, plural } from "../lib/format";
import type { GridData } from "../lib/grid";
import { look } from "../lib/states";
import { StateShape } from "../ui/Status";
import { GridTile, TILE } from "./GridTile";
import { CELL } from "./tile";
import "./grid.css";

/** The row above the tasks, where the runs are. */
const HEAD = -1;
const BARS = 46;

/** Beyond what is in view. */
const OVERSCAN = 4;

/** Tiles that can be in view at once. What leaves on one side is drawn anew on the other, and no picture is made. */
function ring(size: number | undefined): number {
  return Math.ceil(((size ?? 0) / CELL + 2 * OVERSCAN) / TILE) + 1;
}

/** The tiles that hold what is in view. */
function tilesOf(items: VirtualItem[]): number[] {
  return [...new Set(items.map(({ index }) => Math.floor(index / TILE)))];
}

export function Grid({ data, onEnd }: { data: GridData; onEnd?: () => void }) {
  const { runs, tasks, cells } = data;
  const scroll = useRef<HTMLDivElement>(null);
  const [, go] = useLocation();
  const [at, setAt] = useState<{ run: number; task: number }>();
  const id = useId();
  const theme = useTheme();
  const across = useVirtualizer({ horizontal: true, count: runs.length, getScrollElement: () => scroll.current, estimateSize: () => CELL, overscan: OVERSCAN, useFlushSync: false });
  const down = useVirtualizer({ count: tasks.length, getScrollElement: () => scroll.current, estimateSize: () => CELL, overscan: OVERSCAN, useFlushSync: false });
  const columns = across.getVirtualItems();
  const rows = down.getVirtualItems();
  const lastColumn = columns.at(-1)?.index ?? 0;
  useEffect(() => {
    if (onEnd && lastColumn > runs.length - 20) onEnd();
  }, [onEnd, lastColumn, runs.length]);
  const longest = useMemo(() => Math.max(1, ...runs.map(length)), [runs]);

  const cell = at && cells.get(runs[at.run]?.id ?? "")?.get(tasks[at.task]?.id ?? "");
  const under = ({ currentTarget, clientX, clientY }: MouseEvent) => {
    const { left, top } = currentTarget.getBoundingClientRect();
    const [run, task] = [Math.floor((clientX - left) / CELL), Math.floor((clientY - top) / CELL)];
    return runs[run] && tasks[task] ? { run, task } : undefined;
  };
  const onPoint = (event: MouseEvent) => {
    const next = under(event);
    if (next && (next.run !== at?.run || next.task !== at.task)) setAt(next);
  };
  const onPick = (event: MouseEvent) => {
    const next = under(event);
    if (next && cells.get(runs[next.run]?.id ?? "")?.has(tasks[next.task]?.id ?? "")) open(next.run, next.task);
  };
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
  const [wide, high] = [ring(across.scrollRect?.width), ring(down.scrollRect?.height)];
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
            return run && <Head key={run.id} id={`${id}-${index}-${HEAD}`} run={run} left={start} longest={longest} on={at?.run === index && at.task === HEAD} />;
          })}
        </div>
        <div className="grid-names" role="presentation" style={{ height }}>
          {rows.map(({ index, start }) => {
            const task = tasks[index];
            return task && <Name key={task.id} task={task} row={index + 1} top={start} on={at?.task === index} />;
          })}
        </div>
        <div className="grid-cells" role="presentation" style={{ width, height }} onMouseMove={onPoint} onClick={onPick}>
          {tilesOf(rows).map((row) => tilesOf(columns).map((column) => <GridTile key={`${row % high} ${column % wide}`} data={data} across={column} down={row} theme={theme} scale={devicePixelRatio} />))}
          {at && at.task !== HEAD && (
            <div role="row" aria-rowindex={at.task + 1}>
              <div role="gridcell" id={`${id}-${at.run}-${at.task}`} aria-colindex={at.run + 1} aria-label={`${tasks[at.task]?.id ?? ""}: ${cell ? look(cell.state).word : "not in this run"}`} className="grid-at" style={{ left: at.run * CELL, top: at.task * CELL, width: CELL, height: CELL }} />
            </div>
          )}
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

/** A run, at the top. Links take their time, so those that stay are left alone. */
const Head = memo(function Head({ id, run, left, longest, on }: { id: string; run: Schemas["RunItem"]; left: number; longest: number; on: boolean }) {
  const { tone, word } = look(run.state);
  return (
    <Link role="columnheader" href={to.run(run.id)} tabIndex={-1} id={id} className={`grid-head tone-${tone} ${on ? "on" : ""}`} style={{ left, width: CELL }} title={heading(run)} aria-label={`run ${run.id.slice(-6)}, ${word}`}>
      <span className="bar-fill" style={{ height: Math.max(2, (length(run) / longest) * (BARS - 20)) }} />
      <StateShape state={run.state} size={12} />
    </Link>
  );
});

const Name = memo(function Name({ task, row, top, on }: { task: Schemas["GridTask"]; row: number; top: number; on: boolean }) {
  return (
    <div role="row" aria-rowindex={row} className={`clip ${on ? "on" : ""}`} style={{ top, height: CELL }} title={`${task.id} (${task.operator})`}>
      <span role="rowheader">{task.id}</span>
    </div>
  );
});

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
