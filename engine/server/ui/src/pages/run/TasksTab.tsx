import { useMemo } from "react";
import { Link } from "wouter";
import type { Schemas } from "../../api/client";
import { useHere, useParam } from "../../lib/address";
import { rank } from "../../lib/rank";
import { unmarked } from "../../lib/words";
import { Filter } from "../../ui/Filter";
import { Status } from "../../ui/Status";
import { Table, type Column } from "../../ui/Table";
import { Took } from "../../ui/Time";
import type { RunDetail } from "../Run";
import { Words } from "../../ui/Words";
import { TaskPanel } from "./TaskPanel";

type Task = Schemas["TaskItem"];
const took = (task: Task) => (task.started_at && task.ended_at ? Date.parse(task.ended_at) - Date.parse(task.started_at) : null);

export default function TasksTab({ run }: { run: RunDetail }) {
  const [selected] = useParam("task");
  const [q, setQ] = useParam("q");
  const here = useHere();
  const columns = useMemo<Column<Task>[]>(
    () => [
      { key: "state", head: "State", value: (task) => task.state, cell: (task) => <Status state={task.state} />, width: 130 },
      { key: "task", head: "Task", value: (task) => task.id, cell: (task) => <Link href={here("task", task.id)}>{task.id}</Link> },
      { key: "operator", head: "Operator", value: (task) => task.operator, cell: (task) => <code>{task.operator}</code> },
      { key: "queue", head: "In the queue", num: true, cell: (task) => <Took from={task.queued_at} to={task.started_at ?? task.ended_at} /> },
      { key: "took", head: "At work", num: true, value: took, cell: (task) => <Took from={task.started_at} to={task.ended_at} /> },
      { key: "attempts", head: "Attempts", num: true, value: (task) => task.attempts, cell: (task) => task.attempts || "–" },
      {
        key: "why",
        head: "Why",
        cell: (task) => {
          const text = task.error?.message ?? task.reason ?? "";
          return (
            <div className="clip" title={unmarked(text)}>
              <Words text={text} />
            </div>
          );
        },
      },
    ],
    [here],
  );
  const known = run.tasks.some(({ id }) => id === selected);
  return (
    <div className={known ? "split" : "section"}>
      <div className="section">
        <div className="bar">
          <Filter label="search tasks" value={q} onChange={setQ} />
        </div>
        <Table label="tasks" rows={rank(run.tasks, q, (task) => `${task.id} ${task.operator} ${task.state}`)} columns={columns} rowKey={(task) => task.id} selected={selected} sortParam="sort" height="calc(100dvh - 320px)" />
      </div>
      {known && <TaskPanel run={run} task={selected} />}
    </div>
  );
}
