import { keepPreviousData } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import { useParam } from "../../lib/address";
import { count, oneLine } from "../../lib/format";
import { Section } from "../../ui/Bits";
import { CopyButton } from "../../ui/Copy";
import { Empty, Loaded } from "../../ui/Notes";
import { Table } from "../../ui/Table";
import type { PartProps } from "../Dataset";
import { kindOf } from "./SchemaTab";

const PAGE = 50;
/** Cells show so much of a value; the rest is in the side panel. */
const SHOWN = 160;

export default function RowsTab({ version }: PartProps) {
  const [offsetText, setOffset] = useParam("offset", "0");
  const offset = Math.max(0, Number(offsetText) || 0);
  const rows = api.useQuery(
    "get",
    "/api/v1/datasets/{dataset}/versions/{version}/rows",
    { params: { path: { dataset: version.name, version: String(version.version) }, query: { limit: PAGE, offset } } },
    { placeholderData: keepPreviousData, staleTime: Infinity },
  );
  const [open, setOpen] = useState<{ row: number; column: string }>();
  if (version.rows === 0) return <Empty title="This version has no row" />;
  return (
    <Loaded of={rows} rows={10}>
      {(data) => {
        const row = open && (data.rows[open.row] as Record<string, unknown> | undefined);
        return (
          <div className={row ? "split" : "section"}>
            <div className="section">
              <div className="bar">
                <button type="button" className="btn" disabled={offset === 0} onClick={() => setOffset(String(Math.max(0, offset - PAGE)))}>
                  Previous {PAGE}
                </button>
                <span>
                  {count(data.offset + 1)} to {count(data.offset + data.rows.length)} of {count(data.total)}
                </span>
                <button type="button" className="btn" disabled={offset + PAGE >= data.total} onClick={() => setOffset(String(offset + PAGE))}>
                  Next {PAGE}
                </button>
              </div>
              <div className="preview">
                <Table
                  label="rows"
                  rows={data.rows.map((values, index) => ({ values: values as Record<string, unknown>, index }))}
                  rowKey={({ index }) => String(index)}
                  selected={open ? String(open.row) : ""}
                  columns={data.columns.map((column) => ({
                    key: column.name,
                    head: (
                      <span title={column.data_type}>
                        {column.name} <span className={`mono type-${kindOf(column.data_type)}`}>{column.data_type.toLowerCase()}</span>
                      </span>
                    ),
                    num: kindOf(column.data_type) === "number",
                    cell: ({ values, index }) => (
                      <button type="button" className={values[column.name] === null ? "soft" : `type-${kindOf(column.data_type)}`} onClick={() => setOpen({ row: index, column: column.name })} title="show the whole value">
                        {values[column.name] === null ? "null" : oneLine(values[column.name]).slice(0, SHOWN)}
                      </button>
                    ),
                  }))}
                />
              </div>
            </div>
            {row && open && (
              <Section title={open.column} aside={`row ${data.offset + open.row + 1}`}>
                <div className="bar">
                  <CopyButton text={oneLine(row[open.column])} what="value" />
                  <button type="button" className="btn" onClick={() => setOpen(undefined)}>
                    Close
                  </button>
                </div>
                <div className="value-full" tabIndex={0} role="region" aria-label="whole value">
                  {typeof row[open.column] === "string" ? (row[open.column] as string) : JSON.stringify(row[open.column], null, 2)}
                </div>
              </Section>
            )}
          </div>
        );
      }}
    </Loaded>
  );
}
