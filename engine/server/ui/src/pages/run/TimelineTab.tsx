import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import { api } from "../../api/client";
import { useParam } from "../../lib/address";
import { criticalPath } from "../../lib/critical";
import type { Attempt } from "../../lib/gantt";
import { Gantt } from "../../parts/Gantt";
import type { RunDetail } from "../Run";
import { TaskPanel } from "./TaskPanel";

/** Attempts are asked for of so many tasks that were tried more than once. */
const MOST_RETRIED = 50;

export default function TimelineTab({ run }: { run: RunDetail }) {
  const [selected] = useParam("task");
  const [critical, setCritical] = useParam("critical");
  const graph = api.useQuery("get", "/api/v1/runs/{run}/graph", { params: { path: { run: run.id } } }, { enabled: critical === "1" });
  const path = useMemo(() => (critical && graph.data ? criticalPath(run.tasks, graph.data.edges) : undefined), [critical, graph.data, run.tasks]);
  const retried = run.tasks.filter((task) => task.attempts > 1 || task.state === "waiting").slice(0, MOST_RETRIED);
  const details = useQueries({ queries: retried.map((task) => api.queryOptions("get", "/api/v1/runs/{run}/tasks/{task}", { params: { path: { run: run.id, task: task.id } } })) });
  const attempts = useMemo(() => new Map(details.flatMap(({ data }): [string, Attempt[]][] => (data ? [[data.id, data.attempt_history]] : []))), [details]);
  const known = run.tasks.some(({ id }) => id === selected);
  return (
    <div className={known ? "split" : "section"}>
      <div className="section">
        <label className="check">
          <input type="checkbox" checked={critical === "1"} onChange={(event) => setCritical(event.target.checked ? "1" : "")} /> Critical path
        </label>
        <Gantt tasks={run.tasks} attempts={attempts} path={path} selected={selected} />
      </div>
      {known && <TaskPanel run={run} task={selected} />}
    </div>
  );
}
