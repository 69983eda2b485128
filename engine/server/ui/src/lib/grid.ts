// Pages of a DAG's grid as one grid.
import type { Schemas } from "../api/client";

type Page = Schemas["Grid"];
type Cells = Map<string, Schemas["GridCell"]>;

export interface GridData {
  runs: Schemas["RunItem"][];
  tasks: Schemas["GridTask"][];
  /** Cells of a run by task. */
  cells: Map<string, Cells>;
}

// A page is read once, however often pages are put together.
const read = new WeakMap<Page, Map<string, Cells>>();

function cellsOf(page: Page): Map<string, Cells> {
  const known = read.get(page);
  if (known) return known;
  const runs = page.runs.map((): Cells => new Map());
  for (const cell of page.cells) {
    const task = page.tasks[cell.task];
    if (task) runs[cell.run]?.set(task.id, cell);
  }
  const found = new Map(page.runs.map((run, index) => [run.id, runs[index] ?? new Map()]));
  read.set(page, found);
  return found;
}

/** Tasks in the order of the newest run that has them; of a run on two pages the first counts. */
export function mergeGrid(pages: Page[]): GridData {
  const tasks = new Map<string, Schemas["GridTask"]>();
  const data: GridData = { runs: [], tasks: [], cells: new Map() };
  for (const page of pages) {
    for (const task of page.tasks) if (!tasks.has(task.id)) tasks.set(task.id, task);
    const cells = cellsOf(page);
    for (const run of page.runs) {
      if (data.cells.has(run.id)) continue;
      data.cells.set(run.id, cells.get(run.id) ?? new Map());
      data.runs.push(run);
    }
  }
  data.tasks = [...tasks.values()];
  return data;
}
