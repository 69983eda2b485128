// Every page of the UI, as an address that a world with some runs answers.

const part = encodeURIComponent;

export async function pages(world) {
  const items = async (path) => (await world.get(path)).items;
  const runs = await items("/runs?limit=200");
  const of = (dag) => runs.find((run) => run.dag === dag)?.id;
  const [matrix, voice] = [of("matrix"), of("voice")];
  const [approval] = await items("/approvals?state=all");
  return {
    overview: "/",
    dags: "/dags",
    "dag-grid": "/dags/matrix",
    "dag-graph": "/dags/voice/graph",
    "dag-schedule": "/dags/follow/schedule",
    "dag-yaml": "/dags/hello/yaml",
    "dag-run": "/dags/hello/run",
    "dag-backfill": "/dags/articles/backfill",
    "dag-new": "/dags/new/yaml?new=1",
    runs: "/runs",
    "run-graph": `/runs/${matrix}`,
    "run-graph-task": `/runs/${matrix}?task=check`,
    "run-tasks": `/runs/${matrix}/tasks`,
    "run-timeline": `/runs/${matrix}/timeline?critical=1`,
    "run-logs": `/runs/${matrix}/logs`,
    "run-metrics": `/runs/${matrix}/metrics`,
    "run-artifacts": `/runs/${voice}/artifacts`,
    "run-why": `/runs/${matrix}/why`,
    "run-yaml": `/runs/${voice}/yaml`,
    datasets: "/datasets",
    dataset: "/datasets/articles",
    "dataset-schema": "/datasets/cleaned_documents/schema",
    "dataset-rows": "/datasets/cleaned_documents/rows",
    "dataset-diff": "/datasets/articles/diff",
    "dataset-lineage": "/datasets/cleaned_documents/lineage",
    models: "/models",
    model: "/models/voice",
    "model-versions": "/models/voice/versions",
    "model-gate": "/models/voice/gate",
    "model-compare": "/models/voice/compare",
    "model-lineage": "/models/voice/lineage",
    experiments: "/experiments?dag=matrix",
    approvals: "/approvals",
    approval: approval ? `/approvals/${part(approval.run)}/${part(approval.task)}` : "/approvals",
    events: "/events",
    audit: "/events?log=audit",
    users: "/settings",
    notifications: "/settings/notifications",
    tokens: "/settings/tokens",
    secrets: "/settings/secrets",
    pools: "/settings/pools",
    storage: "/settings/storage",
    nowhere: "/no/such/page",
  };
}

/** A world with something on every page. */
export async function furnish(world) {
  await world.run("hello", { times: 1 });
  await world.run("matrix", { lr: 0.1 });
  await world.run("matrix", { lr: 0.2 });
  await world.run("articles", { text: "first" });
  await world.run("articles", { text: "second" });
  await world.run("voice", { vocab: 512 });
  await world.run("voice", { vocab: 520 });
}

/** Waits until nothing on the page is being loaded. */
export async function settled(page) {
  await page.waitForSelector("main, form", { state: "attached" });
  await page.waitForFunction(() => document.querySelectorAll('[aria-label="loading"]').length === 0, undefined, { timeout: 20_000 });
  await page.waitForTimeout(150);
}
