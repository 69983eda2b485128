import { api, type Schemas } from "../../api/client";
import { Loaded } from "../../ui/Notes";
import { later, preloadIdle } from "../../ui/later";

const TaskGraph = later(() => import("../../parts/graph/TaskGraph"));
preloadIdle([TaskGraph]);

export default function GraphTab({ dag }: { dag: Schemas["DagDetail"] }) {
  const graph = api.useQuery("get", "/api/v1/dags/{dag}/graph", { params: { path: { dag: dag.name } } });
  return (
    <Loaded of={graph} rows={10}>
      {(picture) => <TaskGraph label={`graph of ${dag.name}`} picture={picture} />}
    </Loaded>
  );
}
