import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useEffect, useMemo, useRef, useState, type KeyboardEvent, type UIEvent } from "react";
import { ansi } from "../../lib/ansi";
import { useParam } from "../../lib/address";
import { moment, plural } from "../../lib/format";
import { Filter } from "../../ui/Filter";
import { Icon } from "../../ui/Icon";
import { asText, atLeast, hits, LEVELS, split } from "./find";
import { useLog, type LogLine } from "./useLog";
import "./logs.css";

const LINE = 20;
/** So near the end is at the end: it moves on while one gets there. */
const NEAR = 3 * LINE;

export function Logs({ run, task, round, height = "calc(100dvh - 320px)" }: { run: string; task: string; round: string; height?: string }) {
  const log = useLog(run, task, round);
  const [level, setLevel] = useParam("level", "debug");
  const [q, setQ] = useParam("find");
  const [wrap, setWrap] = useState(false);
  const [follow, setFollow] = useState(true);
  const [hit, setHit] = useState(0);
  const scroll = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => atLeast(log.lines, level), [log.lines, level]);
  const found = useMemo(() => hits(lines, q), [lines, q]);
  const errors = useMemo(() => lines.flatMap((line, index) => (line.level === "error" ? [index] : [])), [lines]);
  const list = useVirtualizer({ count: lines.length, getScrollElement: () => scroll.current, estimateSize: () => LINE, overscan: 30 });
  /** Where it stood, and whether a jump has put it there. */
  const place = useRef({ top: 0, jumped: false });
  // By wheel, finger, key or bar: reading back stops following, and coming to the end starts it again.
  const onScroll = ({ currentTarget: { scrollTop, scrollHeight, clientHeight } }: UIEvent<HTMLDivElement>) => {
    const { top, jumped } = place.current;
    place.current.top = scrollTop;
    const left = scrollHeight - clientHeight - scrollTop;
    if (scrollTop > top && left < NEAR && !jumped) setFollow(true);
    // What is cut off below, as by a filter, leaves it at the end.
    else if (scrollTop < top && left > 1) setFollow(false);
  };
  const byHand = () => {
    place.current.jumped = false;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    byHand();
    if (event.key !== "End") return;
    event.preventDefault();
    setFollow(true);
  };
  const jump = (index: number | undefined) => {
    if (index === undefined) return;
    setFollow(false);
    place.current.jumped = true;
    list.scrollToIndex(index, { align: "center" });
  };
  const turn = (way: number) => {
    if (found.length === 0) return;
    const next = (hit + way + found.length) % found.length;
    setHit(next);
    jump(found[next]);
  };
  useEffect(() => {
    if (follow && lines.length > 0) list.scrollToIndex(lines.length - 1, { align: "end" });
  }, [follow, lines.length, list]);
  useEffect(() => setHit(0), [q]);
  const current = found[hit];
  return (
    <div className="section">
      <div className="bar">
        <span className="bar grow" onKeyDown={(event) => event.key === "Enter" && turn(event.shiftKey ? -1 : 1)}>
          <Filter label="search the log" value={q} onChange={setQ} />
          {q && (
            <>
              <span className="small soft nowrap" role="status">
                {found.length > 0 ? `${hit + 1} of ${plural(found.length, "hit")}` : "no hit"}
              </span>
              <button type="button" className="btn icon" aria-label="previous hit" onClick={() => turn(-1)} disabled={found.length === 0}>
                ↑
              </button>
              <button type="button" className="btn icon" aria-label="next hit" onClick={() => turn(1)} disabled={found.length === 0}>
                ↓
              </button>
            </>
          )}
        </span>
        <select className="input" aria-label="least level" value={level} onChange={(event) => setLevel(event.target.value)}>
          {LEVELS.map((one) => (
            <option key={one} value={one}>
              {one === "debug" ? "every level" : one === "error" ? "errors only" : `${one} and up`}
            </option>
          ))}
        </select>
        <button type="button" className="btn" onClick={() => jump(errors.find((index) => index > (current ?? -1)) ?? errors[0])} disabled={errors.length === 0}>
          {errors.length === 0 ? "No error" : `Jump to error (${errors.length})`}
        </button>
        <label className="check">
          <input type="checkbox" checked={follow} onChange={(event) => setFollow(event.target.checked)} /> Follow
        </label>
        <label className="check">
          <input type="checkbox" checked={wrap} onChange={(event) => setWrap(event.target.checked)} /> Wrap
        </label>
        <button type="button" className="btn" onClick={() => download(`${task.replaceAll(/[^\w.-]+/g, "_")}.log`, asText(log.lines))} disabled={log.lines.length === 0}>
          <Icon name="download" size={14} /> Download
        </button>
      </div>
      <div
        className={wrap ? "log wrap" : "log"}
        ref={scroll}
        style={{ height }}
        role="log"
        aria-label={`log of ${task}`}
        aria-live="off"
        tabIndex={0}
        data-testid="log"
        onScroll={onScroll}
        onWheel={byHand}
        onPointerDown={byHand}
        onKeyDown={onKeyDown}
      >
        {lines.length === 0 ? (
          <p className="soft log-empty">{log.state === "connecting" ? "Reading the log…" : log.state === "end" ? "This task wrote no line." : "Nothing written yet; lines appear here as they come."}</p>
        ) : (
          <div style={{ height: list.getTotalSize(), position: "relative" }}>
            {list.getVirtualItems().map(({ index, start }) => {
              const line = lines[index];
              return line ? (
                <div key={line.cursor} ref={wrap ? list.measureElement : undefined} data-index={index} className={`log-line level-${line.level} ${index === current ? "on" : ""}`} style={{ top: start }}>
                  <Line line={line} q={q} />
                </div>
              ) : null;
            })}
          </div>
        )}
      </div>
      <p className="small soft" role="status">
        {plural(lines.length, "line")}
        {log.dropped > 0 && `, the first ${log.dropped} are in the file only`}
        {{ connecting: ", connecting…", open: ", live", end: "", lost: ", connection lost, trying again…" }[log.state]}
      </p>
    </div>
  );
}

const Line = memo(function Line({ line, q }: { line: LogLine; q: string }) {
  return (
    <>
      <time dateTime={line.time} title={`${moment(line.time)}, attempt ${line.attempt}`}>
        {new Date(line.time).toLocaleTimeString(undefined, { hour12: false })}
      </time>
      <span className="level">{line.level}</span>
      <span className="text">
        {ansi(line.message).map((piece, index) => (
          <span key={index} className={piece.className || undefined}>
            {split(piece.text, q).map((part, at) => (at % 2 === 1 ? <mark key={at}>{part}</mark> : part))}
          </span>
        ))}
      </span>
    </>
  );
});

export function download(name: string, text: string) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
