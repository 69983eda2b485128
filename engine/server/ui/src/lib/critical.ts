// The chain of tasks that a run's length comes from: from the last one to end, back over whichever need ended last.

export interface Timed {
  id: string;
  started_at?: string | null;
  ended_at?: string | null;
}

export function criticalPath(tasks: Timed[], edges: { from: string; to: string }[]): Set<string> {
  const end = new Map(tasks.map((task) => [task.id, task.ended_at ? Date.parse(task.ended_at) : task.started_at ? Infinity : -1]));
  const needs = new Map<string, string[]>();
  for (const { from, to } of edges) if (end.has(from)) needs.set(to, [...(needs.get(to) ?? []), from]);
  const latest = (ids: string[]) => ids.reduce<string | undefined>((best, id) => ((end.get(id) ?? -1) > (best === undefined ? -1 : (end.get(best) ?? -1)) ? id : best), undefined);
  const path = new Set<string>();
  for (let at = latest(tasks.map(({ id }) => id)); at !== undefined && !path.has(at); at = latest(needs.get(at) ?? [])) path.add(at);
  return path;
}
