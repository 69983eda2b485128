import { Link } from "wouter";
import { to } from "../../lib/address";
import { bytes, count, figure } from "../../lib/format";
import { ChangeMarks, Facts, Section } from "../../ui/Bits";
import { Code } from "../../ui/Copy";
import { Icon } from "../../ui/Icon";
import { Verdict } from "../../ui/Status";
import { Table, type Column } from "../../ui/Table";
import { Time } from "../../ui/Time";
import type { Detail, PartProps } from "../Dataset";
import { Made } from "../Datasets";

type Row = Detail["items"][number];

/** Versions as a timeline of rows, with what came, changed and went. */
export default function VersionsTab({ dataset, version }: PartProps) {
  const most = Math.max(1, ...dataset.items.map(({ rows }) => rows));
  const columns: Column<Row>[] = [
    { key: "version", head: "Version", num: true, width: 70, cell: (row) => <Link href={to.dataset(dataset.name, row.version)}>{row.version}</Link> },
    { key: "at", head: "Published", cell: (row) => <Time at={row.created_at} />, width: 100 },
    { key: "rows", head: "Rows", num: true, width: 90, cell: (row) => count(row.rows) },
    { key: "bar", head: <span className="visually-hidden">Rows as a bar</span>, cell: (row) => <RowBar row={row} most={most} /> },
    { key: "changes", head: "Changed", num: true, cell: (row) => <ChangeMarks changes={row.changes} /> },
    { key: "bytes", head: "Size", num: true, cell: (row) => bytes(row.bytes) },
    { key: "by", head: "Made by", cell: (row) => <Made run={row.run} task={row.task} /> },
    {
      key: "tags",
      head: "Tags",
      cell: (row) =>
        row.tags.map((tag) => (
          <span key={tag} className="chip">
            <Icon name="tag" size={11} /> {tag}
          </span>
        )),
    },
    { key: "diff", head: <span className="visually-hidden">Difference</span>, cell: (row) => (row.parent ? <Link className="nowrap" href={`${to.dataset(dataset.name, null, "diff")}?version=${row.version}&from=${row.parent}`}>what changed</Link> : <span className="soft">first</span>) },
  ];
  return (
    <>
      <Table label="versions" rows={dataset.items} columns={columns} rowKey={(row) => String(row.version)} selected={String(version.version)} />
      <div className="split">
        <Section title="Figures and checks">
          <Facts stack items={[...Object.entries(version.metrics).map(([name, value]): [string, React.ReactNode] => [name, figure(value)]), ...Object.entries(version.checks).map(([name, held]): [string, React.ReactNode] => [name, <Verdict key={name} good={held} />])]} />
          {Object.keys(version.metrics).length + Object.keys(version.checks).length === 0 && <p className="soft">This version carries none.</p>}
        </Section>
        <Section title="Made from">
          {version.inputs.length > 0 ? (
            <ul className="list">
              {version.inputs.map((input) => (
                <li key={`${input.port} ${input.name}`}>
                  <Link href={to.artifact(input.kind, input.name, input.version)}>
                    {input.name}@{input.version}
                  </Link>
                  <span className="soft small">{input.port}</span>
                </li>
              ))}
            </ul>
          ) : (
            <p className="soft">Nothing that Twinloom knows: it came from outside.</p>
          )}
          <details>
            <summary>Read it with another tool</summary>
            <Code text={`twinloom dataset path ${version.name}@${version.version}\n\n# Parquet files:\n${version.paths.slice(0, 20).join("\n")}`} label="paths" />
          </details>
        </Section>
      </div>
    </>
  );
}

function RowBar({ row, most }: { row: Row; most: number }) {
  const width = (n: number) => `${(n / most) * 100}%`;
  const { added = 0, changed = 0 } = row.changes ?? {};
  // Changes count entities, of which there are at most as many as rows.
  const fresh = Math.min(added, row.rows);
  const other = Math.min(changed, row.rows - fresh);
  return (
    <span className="row-bar" aria-hidden="true" title={`${count(fresh)} added, ${count(other)} changed, ${count(row.rows - fresh - other)} as before`}>
      <span style={{ width: width(row.rows - fresh - other), background: "var(--line-strong)" }} />
      <span style={{ width: width(other), background: "var(--amber)" }} />
      <span style={{ width: width(fresh), background: "var(--green)" }} />
    </span>
  );
}
