// The addresses of the pictures: every page, and those of its states that one sees often.

const part = encodeURIComponent;

export async function addresses(world) {
  const items = async (path) => (await world.get(path)).items;
  const runs = await items("/runs?limit=200");
  const of = (dag, state) => runs.find((run) => run.dag === dag && (!state || run.state === state))?.id;
  const [large, failed, digest, tune] = [of("warehouse"), of("prices", "failed"), of("digest", "running"), of("tune")];
  const waiting = of("twin", "waiting") ?? of("twin") ?? failed;
  const approvals = await items("/approvals?state=all");
  const open = approvals.find(({ outcome }) => !outcome);
  const refused = approvals.find(({ outcome }) => outcome === "rejected");
  const approval = (one) => (one ? `/approvals/${part(one.run)}/${part(one.task)}` : "/approvals");
  return {
    overview: "/",
    dags: "/dags",
    "dag-grid": "/dags/prices",
    "dag-grid-500": "/dags/warehouse",
    "dag-graph": "/dags/twin/graph",
    "dag-schedule": "/dags/prices/schedule",
    "dag-triggers": "/dags/digest/schedule",
    "dag-yaml": "/dags/twin/yaml",
    "dag-yaml-errors": "/dags/newsletter/yaml",
    "dag-run": "/dags/tune/run",
    "dag-backfill": "/dags/collect/backfill",
    "dag-new": "/dags/new/yaml?new=1",
    runs: "/runs",
    "runs-none": "/runs?q=nothing-like-this",
    "run-graph": `/runs/${waiting}`,
    "run-graph-task": `/runs/${failed}?task=check`,
    "run-graph-500": `/runs/${large}`,
    "run-graph-live": `/runs/${digest}?task=summarise`,
    "run-tasks": `/runs/${failed}/tasks`,
    "run-tasks-500": `/runs/${large}/tasks`,
    "run-timeline": `/runs/${failed}/timeline?critical=1`,
    "run-timeline-waiting": `/runs/${waiting}/timeline`,
    "run-timeline-500": `/runs/${large}/timeline`,
    "run-logs": `/runs/${failed}/logs`,
    "run-metrics": `/runs/${tune}/metrics`,
    "run-artifacts": `/runs/${waiting}/artifacts`,
    "run-why": `/runs/${failed}/why`,
    "run-yaml": `/runs/${waiting}/yaml`,
    datasets: "/datasets",
    dataset: "/datasets/raw_documents",
    "dataset-schema": "/datasets/raw_documents/schema",
    "dataset-rows": "/datasets/raw_documents/rows",
    "dataset-diff": "/datasets/raw_documents/diff",
    "dataset-lineage": "/datasets/cleaned_documents/lineage",
    models: "/models",
    model: "/models/twin",
    "model-versions": "/models/twin/versions",
    "model-gate": "/models/twin/gate",
    "model-compare": "/models/twin/compare",
    "model-lineage": "/models/twin/lineage",
    experiments: "/experiments?dag=tune",
    approvals: "/approvals",
    "approvals-all": "/approvals?state=all",
    approval: approval(open),
    "approval-refused": approval(refused),
    events: "/events",
    audit: "/events?log=audit",
    users: "/settings",
    notifications: "/settings/notifications",
    tokens: "/settings/tokens",
    secrets: "/settings/secrets",
    pools: "/settings/pools",
    storage: "/settings/storage",
    nowhere: "/no/such/page",
    "run-unknown": "/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV",
  };
}

/** Pages of a server on which nothing has happened. */
export const EMPTY = { overview: "/", dags: "/dags", runs: "/runs", datasets: "/datasets", models: "/models", experiments: "/experiments", approvals: "/approvals", events: "/events" };

/** What lies over a page: its name, the page, and what brings it up. */
export const OVERLAYS = [
  ["palette", "overview", (page) => page.keyboard.press("Control+k")],
  ["help", "overview", (page) => page.keyboard.press("?")],
  ["cancel", "run-graph-live", (page) => page.getByRole("button", { name: "Cancel" }).click()],
  ["alias", "model-versions", (page) => page.getByRole("button", { name: "Point an alias here" }).click()],
];
