import { api } from "../../api/client";
import { count } from "../../lib/format";
import { Code } from "../../ui/Copy";
import { Empty, Loaded } from "../../ui/Notes";
import { Table } from "../../ui/Table";

export default function Pools() {
  const pools = api.useQuery("get", "/api/v1/pools", {}, { refetchInterval: 5000 });
  return (
    <Loaded of={pools} rows={3}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty title="No pool is in use">
            <p>A pool bounds how many tasks run at a time, for instance on the GPU:</p>
            <Code text={"pools: {gpu: 1}\nsteps:\n  train:\n    uses: train\n    pool: gpu\n"} label="a pool" />
          </Empty>
        ) : (
          <>
          <p className="soft">A slot is a task at a time. Steps without a pool share <code>default</code>, whose slots <code>twinloom up --jobs</code> sets.</p>
          <Table
            label="pools"
            rows={items}
            rowKey={(pool) => pool.name}
            columns={[
              { key: "name", head: "Pool", cell: (pool) => <strong>{pool.name}</strong> },
              { key: "slots", head: "Slots", num: true, cell: (pool) => (pool.slots === null || pool.slots === undefined ? "no bound" : count(pool.slots)) },
              { key: "running", head: "Running", num: true, cell: (pool) => count(pool.running) },
              { key: "queued", head: "In the queue", num: true, cell: (pool) => count(pool.queued) },
              { key: "use", head: "In use", cell: (pool) => (pool.slots ? <progress value={Math.min(pool.running, pool.slots)} max={pool.slots} aria-label={`${pool.name} in use`} /> : "–") },
            ]}
          />
          </>
        )
      }
    </Loaded>
  );
}
