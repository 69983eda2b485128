import { api } from "../../api/client";
import { useParam } from "../../lib/address";
import { Loaded } from "../../ui/Notes";
import type { RunDetail } from "../Run";
import { TaskPanel } from "./TaskPanel";
import { later, preloadIdle } from "../../ui/later";

const TaskGraph = later(() => import("../../parts/graph/TaskGraph"));
preloadIdle([TaskGraph]);

export default function GraphTab({ run }: { run: RunDetail }) {
  const [task] = useParam("task");
  const graph = api.useQuery("get", "/api/v1/runs/{run}/graph", { params: { path: { run: run.id } } });
  const known = run.tasks.some(({ id }) => id === task);
  return (
    <div className={known ? "split" : "section"}>
      <Loaded of={graph} rows={10}>
        {(picture) => <TaskGraph label={`graph of run ${run.id.slice(-6)}`} picture={picture} />}
      </Loaded>
      {known && <TaskPanel run={run} task={task} />}
    </div>
  );
}
