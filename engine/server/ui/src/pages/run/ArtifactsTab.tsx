import { Link } from "wouter";
import type { Schemas } from "../../api/client";
import { to } from "../../lib/address";
import { count } from "../../lib/format";
import { Id } from "../../ui/Copy";
import { Icon } from "../../ui/Icon";
import { Empty } from "../../ui/Notes";
import { Table, type Column } from "../../ui/Table";
import type { RunDetail } from "../Run";

type Row = Schemas["OutputItem"] & { task: string; run: string };

const columns: Column<Row>[] = [
  {
    key: "name",
    head: "Artifact",
    value: (row) => row.name,
    cell: (row) => (
      <span className="bar" style={{ gap: 6, flexWrap: "nowrap" }}>
        <Icon name={row.kind === "model" ? "models" : "datasets"} size={14} />
        <Link href={to.artifact(row.kind, row.name, row.version)}>
          {row.name}@{row.version}
        </Link>
      </span>
    ),
  },
  { key: "task", head: "Made by", value: (row) => row.task, cell: (row) => <Link href={to.run(row.run, "tasks", row.task)}>{row.task}</Link> },
  { key: "port", head: "Output", value: (row) => row.port, cell: (row) => <code>{row.port}</code> },
  { key: "rows", head: "Rows", num: true, value: (row) => row.rows, cell: (row) => (row.rows === null || row.rows === undefined ? "–" : count(row.rows)) },
  { key: "outcome", head: "Outcome", value: (row) => row.outcome, cell: (row) => row.outcome },
  { key: "hash", head: "Content", cell: (row) => <Id id={row.hash} what="content hash" /> },
];

export default function ArtifactsTab({ run }: { run: RunDetail }) {
  const rows = run.tasks.flatMap((task) => task.outputs.map((output): Row => ({ ...output, task: task.id, run: run.id })));
  if (rows.length === 0) {
    return (
      <Empty title="Nothing published yet">
        <p>
          A step publishes what it names below <code>out:</code>, once it has succeeded.
        </p>
      </Empty>
    );
  }
  return <Table label="artifacts" rows={rows} columns={columns} rowKey={(row) => `${row.task} ${row.port}`} sortParam="sort" height="calc(100dvh - 300px)" />;
}
