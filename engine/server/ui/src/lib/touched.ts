/** Which parts of the API an event of the log touches. */
export function partsOf(kind: string): string[] {
  const head = kind.split(".")[0];
  const parts: Record<string, string[]> = {
    dataset: ["datasets", "lineage", "triggers"],
    model: ["models", "lineage"],
    alias: ["models", "datasets"],
    tag: ["datasets"],
    run: ["runs", "dags", "experiments"],
    approval: ["approvals", "audit"],
    dag: ["dags"],
    trigger: ["dags"],
    schedule: ["dags"],
    freshness: ["datasets"],
  };
  return [...(parts[head ?? ""] ?? []), "events", "overview"];
}
