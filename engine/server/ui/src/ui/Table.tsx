import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, type KeyboardEvent, type ReactNode } from "react";
import { useParam } from "../lib/address";

export interface Column<T> {
  key: string;
  head: ReactNode;
  cell: (row: T) => ReactNode;
  /** What to sort by; a column without it is not sortable. */
  value?: (row: T) => string | number | null | undefined;
  num?: boolean;
  width?: number | string;
}

interface Props<T> {
  label: string;
  rows: T[];
  columns: Column<T>[];
  rowKey: (row: T) => string;
  selected?: string;
  /** Called when the end comes near, for lists that load as one scrolls. */
  onEnd?: () => void;
  /** Name of the address parameter that holds the order. */
  sortParam?: string;
  height?: string;
}

/** Fewer rows are laid out whole, so that the page scrolls and not the table. */
const VIRTUAL_FROM = 60;
const ROW = 34;

/** A table that stays fast with 10,000 rows: only those in view exist. Arrow keys move between its rows' first links. */
export function Table<T>({ label, rows, columns, rowKey, selected, onEnd, sortParam, height = "calc(100dvh - 210px)" }: Props<T>) {
  const scroll = useRef<HTMLDivElement>(null);
  const [sort, setSort] = useParam(sortParam ?? "sort");
  const shown = useMemo(() => (sortParam ? sorted(rows, columns, sort) : rows), [rows, columns, sort, sortParam]);
  const virtual = shown.length > VIRTUAL_FROM;
  const list = useVirtualizer({
    count: virtual ? shown.length : 0,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW,
    overscan: 15,
  });
  const items = list.getVirtualItems();
  const first = virtual ? (items[0]?.index ?? 0) : 0;
  const last = virtual ? (items.at(-1)?.index ?? 0) : shown.length - 1;
  useEffect(() => {
    if (onEnd && last > shown.length - 30) onEnd();
  }, [onEnd, last, shown.length]);

  const focusRow = (index: number) => {
    if (index < 0 || index >= shown.length) return;
    if (virtual) list.scrollToIndex(index);
    requestAnimationFrame(() => {
      const row = scroll.current?.querySelector(`tr[data-index="${index}"]`);
      row?.querySelector<HTMLElement>("a, button")?.focus();
    });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = (event.target as HTMLElement).closest("tr");
    if (!step || !row?.dataset.index || (event.target as HTMLElement).matches("input, select, textarea")) return;
    event.preventDefault();
    focusRow(Number(row.dataset.index) + step);
  };
  const above = virtual ? (items[0]?.start ?? 0) : 0;
  const below = virtual ? list.getTotalSize() - (items.at(-1)?.end ?? 0) : 0;
  return (
    <div
      className="table-wrap"
      ref={scroll}
      style={virtual ? { maxHeight: height } : undefined}
      role="region"
      aria-label={label}
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      <table className="table" aria-rowcount={shown.length + 1}>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.key} column={column} sort={sortParam ? sort : undefined} setSort={setSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          <Spacer height={above} span={columns.length} />
          {shown.slice(first, last + 1).map((row, offset) => (
            <tr key={rowKey(row)} data-index={first + offset} aria-rowindex={first + offset + 2} className={selected === rowKey(row) ? "on" : undefined}>
              {columns.map((column) => (
                <td key={column.key} className={column.num ? "num" : undefined}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
          <Spacer height={below} span={columns.length} />
        </tbody>
      </table>
    </div>
  );
}

function Head<T>({ column, sort, setSort }: { column: Column<T>; sort: string | undefined; setSort: (sort: string) => void }) {
  const up = sort === column.key;
  const down = sort === `-${column.key}`;
  const order = up ? "ascending" : down ? "descending" : undefined;
  return (
    <th scope="col" className={column.num ? "num" : undefined} style={{ width: column.width }} aria-sort={order}>
      {sort !== undefined && column.value ? (
        <button type="button" onClick={() => setSort(up ? `-${column.key}` : column.key)}>
          {column.head}
          <span aria-hidden="true">{up ? "↑" : down ? "↓" : ""}</span>
        </button>
      ) : (
        column.head
      )}
    </th>
  );
}

function Spacer({ height, span }: { height: number; span: number }) {
  return height > 0 ? (
    <tr className="spacer" aria-hidden="true">
      <td colSpan={span} style={{ height }} />
    </tr>
  ) : null;
}

/** Rows in the order that `name` or `-name` asks for; rows without a value come last, equal ones keep their order. */
export function sorted<T>(rows: T[], columns: Column<T>[], sort: string): T[] {
  const key = sort.replace(/^-/, "");
  const value = columns.find((column) => column.key === key)?.value;
  if (!value) return rows;
  const way = sort.startsWith("-") ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || x === undefined) return y === null || y === undefined ? 0 : 1;
    if (y === null || y === undefined) return -1;
    return way * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true }));
  });
}
