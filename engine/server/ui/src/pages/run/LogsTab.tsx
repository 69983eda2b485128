import { useParam } from "../../lib/address";
import { look } from "../../lib/states";
import { Logs } from "../../parts/logs/Logs";
import { Empty } from "../../ui/Notes";
import { Status } from "../../ui/Status";
import { Words } from "../../ui/Words";
import type { RunDetail } from "../Run";

/** Whose log one wants first: what failed, else what runs, else what ran last. */
export function firstTask(tasks: RunDetail["tasks"]): string {
  const started = tasks.filter((task) => task.started_at);
  const last = [...started].sort((a, b) => Date.parse(b.started_at ?? "") - Date.parse(a.started_at ?? ""))[0];
  return (tasks.find(({ state }) => state === "failed") ?? tasks.find(({ state }) => state === "running") ?? last)?.id ?? "";
}

export default function LogsTab({ run }: { run: RunDetail }) {
  const [chosen, choose] = useParam("task");
  const task = chosen || firstTask(run.tasks);
  const item = run.tasks.find(({ id }) => id === task);
  if (run.tasks.length === 0) return <Empty title="This run has no task" />;
  return (
    <div className="section">
      <div className="bar">
        <select className="input" aria-label="task" value={task} onChange={(event) => choose(event.target.value)} style={{ minWidth: 240 }}>
          {!item && <option value={task}>{task || "choose a task"}</option>}
          {run.tasks.map((one) => (
            <option key={one.id} value={one.id}>
              {one.id} ({look(one.state).word})
            </option>
          ))}
        </select>
        {item && <Status state={item.state} />}
        {item?.state === "cached" && <span className="soft"><Words text={item.reason ?? ""} /></span>}
      </div>
      {task ? <Logs key={task} run={run.id} task={task} round={`${item?.attempts ?? 0} ${item?.state ?? ""}`} /> : <Empty title="No task has started yet" />}
    </div>
  );
}
