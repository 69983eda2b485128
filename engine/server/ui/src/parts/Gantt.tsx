import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, useState, type PointerEvent } from "react";
import { Link } from "wouter";
import { useHere, useParam } from "../lib/address";
import { duration } from "../lib/format";
import { segments, ticks, type Attempt, type GanttTask, type Segment } from "../lib/gantt";
import { look } from "../lib/states";
import { StateShape } from "../ui/Status";
import { useNow } from "../ui/Time";
import "./gantt.css";

interface Props {
  tasks: GanttTask[];
  attempts: Map<string, Attempt[]>;
  path?: ReadonlySet<string> | undefined;
  selected?: string;
}

const ROW = 28;
const WORDS: Record<Segment["kind"], string> = { queued: "in the queue", running: "at work", waiting: "waiting for a person", backoff: "waiting for the next attempt" };

/** Tasks over time. Dragging over the axis zooms in; the range is in the address. */
export function Gantt({ tasks, attempts, path, selected }: Props) {
  const scroll = useRef<HTMLDivElement>(null);
  const now = useNow();
  const here = useHere();
  const live = tasks.some((task) => !task.ended_at && task.queued_at);
  const rows = useMemo(() => tasks.map((task) => ({ task, segments: segments(task, attempts.get(task.id) ?? [], live ? now : 0) })), [tasks, attempts, live, live ? now : 0]);
  const all = rows.flatMap((row) => row.segments);
  const start = Math.min(...all.map(({ from }) => from));
  const end = Math.max(...all.map(({ to }) => to), start + 1);
  const [zoom, setZoom] = useParam("zoom");
  const [a, b] = zoom.split("-").map(Number);
  const [from, until] = a !== undefined && b !== undefined && b > a ? [start + a, Math.min(end, start + b)] : [start, end];
  const span = Math.max(1, until - from);
  const left = (at: number) => `${(Math.min(Math.max((at - from) / span, 0), 1) * 100).toFixed(3)}%`;
  const list = useVirtualizer({ count: rows.length, getScrollElement: () => scroll.current, estimateSize: () => ROW, overscan: 15 });
  const scale = (factor: number) => {
    const middle = (from + until) / 2 - start;
    const half = Math.min((span * factor) / 2, (end - start) / 2);
    const low = Math.max(0, middle - half);
    setZoom(half * 2 >= end - start ? "" : `${Math.round(low)}-${Math.round(low + half * 2)}`);
  };
  if (all.length === 0) return <p className="soft">Nothing has been queued yet.</p>;
  return (
    <div className="section">
      <div className="bar">
        <Legend />
        <span className="push bar">
          <button type="button" className="btn" onClick={() => scale(0.5)} aria-label="zoom in">
            +
          </button>
          <button type="button" className="btn" onClick={() => scale(2)} aria-label="zoom out" disabled={!zoom}>
            −
          </button>
          <button type="button" className="btn" onClick={() => setZoom("")} disabled={!zoom}>
            Whole run
          </button>
        </span>
      </div>
      <div className="gantt" ref={scroll} role="region" aria-label="tasks over time" tabIndex={0}>
        <Axis span={span} offset={from - start} onSelect={(low, high) => setZoom(`${Math.round(from - start + low)}-${Math.round(from - start + high)}`)} />
        <ul style={{ height: list.getTotalSize() }}>
          {list.getVirtualItems().map(({ index, start: top }) => {
            const row = rows[index];
            if (!row) return null;
            const { task } = row;
            const { tone, word } = look(task.state);
            return (
              <li key={task.id} className={`${selected === task.id ? "on" : ""} ${path?.has(task.id) ? "critical" : ""}`} style={{ top, height: ROW }}>
                <Link href={here("task", task.id)} className="gantt-name clip" title={`${task.id}: ${word}`}>
                  <span className={`tone-${tone} status`}>
                    <StateShape state={task.state} size={13} />
                  </span>{" "}
                  {task.id}
                </Link>
                <span className="gantt-lane">
                  {row.segments.map((one, at) =>
                    one.to < from || one.from > until ? null : (
                      <span
                        key={at}
                        className={`seg-bar ${one.kind} tone-${one.outcome ? look(one.outcome).tone === "grey" && one.outcome !== "cancelled" && one.outcome !== "skipped" ? "red" : look(one.outcome).tone : one.kind === "waiting" ? "amber" : "blue"}`}
                        style={{ left: left(one.from), width: `max(2px, calc(${left(one.to)} - ${left(one.from)}))` }}
                        title={`${one.attempt ? `attempt ${one.attempt}, ` : ""}${WORDS[one.kind]} ${duration(one.to - one.from)}${one.outcome ? `, ${look(one.outcome).word}` : ""}`}
                      />
                    ),
                  )}
                  <span className="gantt-took small" aria-label={row.segments.map((one) => `${WORDS[one.kind]} ${duration(one.to - one.from)}`).join(", ")}>
                    {took(row.segments) ?? (task.state === "cached" ? "cached" : "–")}
                  </span>
                </span>
              </li>
            );
          })}
        </ul>
      </div>
    </div>
  );
}

/** All but the queue. */
function took(segments: Segment[]): string | undefined {
  const own = segments.filter(({ kind }) => kind !== "queued");
  return own.length > 0 ? duration(own.reduce((sum, one) => sum + one.to - one.from, 0)) : undefined;
}

function Legend() {
  return (
    <span className="gantt-legend small">
      {(Object.keys(WORDS) as Segment["kind"][]).map((kind) => (
        <span key={kind}>
          <span className={`seg-bar ${kind} tone-${kind === "waiting" ? "amber" : "blue"}`} /> {WORDS[kind]}
        </span>
      ))}
    </span>
  );
}

function Axis({ span, offset, onSelect }: { span: number; offset: number; onSelect: (from: number, to: number) => void }) {
  const lane = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<[number, number]>();
  const at = (event: PointerEvent) => {
    const box = lane.current?.getBoundingClientRect();
    return box ? Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) : 0;
  };
  return (
    <div className="gantt-axis">
      <span className="gantt-name soft small"><span>drag over the axis to zoom</span></span>
      <div
        className="gantt-lane"
        ref={lane}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag([at(event), at(event)]);
        }}
        onPointerMove={(event) => drag && setDrag([drag[0], at(event)])}
        onPointerUp={() => {
          if (drag && Math.abs(drag[1] - drag[0]) > 0.01) onSelect(Math.min(...drag) * span, Math.max(...drag) * span);
          setDrag(undefined);
        }}
      >
        {ticks(span, 7).map((tick) => (
          <span key={tick} className="tick small" style={{ left: `${(tick / span) * 100}%` }}>
            {duration(tick + offset)}
          </span>
        ))}
        {drag && <span className="drag" style={{ left: `${Math.min(...drag) * 100}%`, width: `${Math.abs(drag[1] - drag[0]) * 100}%` }} />}
      </div>
    </div>
  );
}
