import { useCallback, useMemo } from "react";
import { criticalPath } from "../../lib/critical";
import { useParam } from "../../lib/address";
import Graph from "./Graph";
import { fold, type Picture } from "./fold";

interface Props {
  label: string;
  picture: Picture;
  height?: number | string;
}

/** From so many tasks on, pipelines are folded until one unfolds them. */
const FOLD_FROM = 120;

/** Tasks with foldable groups, and the critical path on demand; folds and selection are in the address. */
export default function TaskGraph({ label, picture, height }: Props) {
  const [selected, select] = useParam("task");
  const [foldParam, setFold] = useParam("fold");
  const [critical, setCritical] = useParam("critical");
  const groups = useMemo(() => picture.groups.map(({ id }) => id), [picture]);
  // A large picture starts folded.
  const usual = picture.nodes.length > FOLD_FROM ? groups.join(",") : "";
  const folded = useMemo(() => new Set((foldParam === "none" ? "" : foldParam || usual).split(",").filter(Boolean)), [foldParam, usual]);
  const view = useMemo(() => fold(picture, folded), [picture, folded]);
  const path = useMemo(() => (critical ? criticalPath(picture.nodes, picture.edges) : undefined), [critical, picture]);
  const put = useCallback((next: string[]) => setFold(next.join(",") === usual ? "" : next.join(",") || "none"), [usual, setFold]);
  const flip = useCallback((group: string) => put(groups.filter((id) => (id === group) !== folded.has(id))), [groups, folded, put]);
  const timed = picture.nodes.some((node) => node.ended_at);
  return (
    <div className="section">
      <div className="bar">
        {groups.length > 0 && (
          <>
            <button type="button" className="btn" onClick={() => put(groups)} disabled={groups.every((id) => folded.has(id))}>
              Fold pipelines
            </button>
            <button type="button" className="btn" onClick={() => put([])} disabled={folded.size === 0}>
              Unfold all
            </button>
          </>
        )}
        {timed && (
          <label className="check">
            <input type="checkbox" checked={critical === "1"} onChange={(event) => setCritical(event.target.checked ? "1" : "")} /> Critical path
          </label>
        )}
        <span className="soft small">{picture.nodes.length} tasks</span>
      </div>
      <Graph label={label} view={view} selected={selected} onSelect={select} onFold={flip} path={path} height={height ?? "max(320px, calc(100dvh - 330px))"} />
    </div>
  );
}
