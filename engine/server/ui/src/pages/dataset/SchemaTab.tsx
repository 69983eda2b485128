import { count, plural } from "../../lib/format";
import { Table, type Column } from "../../ui/Table";
import type { PartProps, Version } from "../Dataset";

type Row = Version["columns"][number];

export default function SchemaTab({ version }: PartProps) {
  const columns: Column<Row>[] = [
    {
      key: "name",
      head: "Column",
      value: (row) => row.name,
      cell: (row) => (
        <span>
          <code>{row.name}</code> {row.key && <span className="chip">key</span>} {row.change && <span className="chip tone-amber">{row.change}</span>}
        </span>
      ),
    },
    { key: "type", head: "Type", value: (row) => row.data_type, cell: (row) => <span className={`mono type-${kindOf(row.data_type)}`}>{row.data_type}</span> },
    { key: "nullable", head: "May be null", cell: (row) => (row.nullable ? "yes" : "no") },
    {
      key: "nulls",
      head: "Nulls",
      num: true,
      value: (row) => row.nulls,
      cell: (row) => (row.nulls === null || row.nulls === undefined ? "–" : row.nulls === 0 ? "0" : `${count(row.nulls)} (${((row.nulls / Math.max(1, version.rows)) * 100).toFixed(1)} %)`),
    },
    { key: "min", head: "Smallest", cell: (row) => <div className="clip mono">{row.min ?? "–"}</div> },
    { key: "max", head: "Largest", cell: (row) => <div className="clip mono">{row.max ?? "–"}</div> },
  ];
  return (
    <>
      {version.removed_columns.length > 0 && (
        <p className="status tone-amber">
          {plural(version.removed_columns.length, "column")} gone since the version before: {version.removed_columns.join(", ")}
        </p>
      )}
      <Table label="columns" rows={version.columns} columns={columns} rowKey={(row) => row.name} sortParam="sort" />
    </>
  );
}

/** The family of an Arrow type, for its colour. */
export function kindOf(type: string): string {
  if (/utf8|string/i.test(type)) return "text";
  if (/^(u?int|float|decimal)/i.test(type)) return "number";
  if (/timestamp|date|time/i.test(type)) return "time";
  if (/bool/i.test(type)) return "bool";
  return "other";
}
