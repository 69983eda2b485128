import { useEffect, useRef, type ReactNode } from "react";
import { Link } from "wouter";

/** Name and value pairs; those without a value are left out. */
export function Facts({ items, stack }: { items: [string, ReactNode][]; stack?: boolean }) {
  return (
    <dl className={stack ? "facts stack" : "facts"}>
      {items
        .filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

export function Section({ title, aside, children }: { title: ReactNode; aside?: ReactNode; children: ReactNode }) {
  return (
    <section className="section">
      <header>
        <h2>{title}</h2>
        {aside && <span className="soft small">{aside}</span>}
      </header>
      {children}
    </section>
  );
}

/** Tabs are links: the address says which one is open. */
export function Tabs({ base, tabs, current, query = "" }: { base: string; tabs: [string, string][]; current: string; query?: string }) {
  const nav = useRef<HTMLElement>(null);
  // On a phone not all tabs are in view.
  useEffect(() => {
    const [row, open] = [nav.current, nav.current?.querySelector<HTMLElement>("[aria-current]")];
    if (row && open) row.scrollLeft = open.offsetLeft - row.offsetLeft - 40;
  }, [current]);
  return (
    <nav ref={nav} className="tabs" aria-label="parts of this page">
      {tabs.map(([key, word], index) => (
        <Link key={key} href={`${index === 0 ? base : `${base}/${key}`}${query}`} aria-current={current === key ? "page" : undefined}>
          {word}
        </Link>
      ))}
    </nav>
  );
}

export function Segmented<T extends string>({ label, value, options, onChange }: { label: string; value: T; options: [T, string][]; onChange: (value: T) => void }) {
  return (
    <div className="seg" role="group" aria-label={label}>
      {options.map(([key, word]) => (
        <button key={key} type="button" aria-pressed={value === key} onClick={() => onChange(key)}>
          {word}
        </button>
      ))}
    </div>
  );
}

/** Rows added, changed and removed. */
export function ChangeMarks({ changes }: { changes: { added: number; changed: number; removed: number } | null | undefined }) {
  if (!changes) return <span className="soft">–</span>;
  return (
    <span className="nowrap">
      <span className="plus">+{changes.added}</span> <span className="tilde">~{changes.changed}</span> <span className="minus">−{changes.removed}</span>
    </span>
  );
}
