import { api } from "../api/client";
import { useParam } from "../lib/address";
import { Code } from "../ui/Copy";
import { Empty, Loaded } from "../ui/Notes";
import { Compare } from "./experiments/Compare";

export default function Experiments() {
  const dags = api.useQuery("get", "/api/v1/dags", { params: { query: { runs: 0, limit: 500 } } });
  const [dag, setDag] = useParam("dag");
  const experiments = api.useQuery("get", "/api/v1/experiments", { params: { query: { dag: dag || undefined, limit: 500 } } });
  return (
    <>
      <div className="page-head">
        <h1>Experiments</h1>
        <select className="input" aria-label="DAG" value={dag} onChange={(event) => setDag(event.target.value)} style={{ width: "auto" }}>
          <option value="">any DAG</option>
          {(dags.data?.items ?? []).map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      <Loaded of={experiments} rows={8}>
        {({ items }) => {
          const measured = items.filter(({ metrics }) => Object.values(metrics).some((value) => typeof value === "number"));
          return measured.length > 0 ? <Compare rows={measured} oneDag={new Set(measured.map(({ dag }) => dag)).size === 1} /> : <Nothing />;
        }}
      </Loaded>
    </>
  );
}

function Nothing() {
  return (
    <Empty title="No run has reported a metric yet">
      <p>
        Runs of steps that measure something, such as <code>train</code> and <code>evaluate</code>, are compared here. A matrix makes variants:
      </p>
      <Code text={"train:\n  uses: train\n  matrix: {rank: [8, 16], lr: [1e-4, 3e-4]}\n  select: {metric: eval_loss, goal: minimize}\n"} label="a matrix" />
    </Empty>
  );
}
