import { api, type Schemas } from "../../api/client";
import { useParam } from "../../lib/address";
import { changedColumns, middle, near } from "../../lib/diff";
import { count, oneLine } from "../../lib/format";
import { Empty, Loaded } from "../../ui/Notes";
import type { PartProps } from "../Dataset";

type Item = Schemas["DiffItem"];
const MARKS: Record<Item["change"], [string, string]> = { added: ["+", "plus"], removed: ["−", "minus"], changed: ["~", "tilde"] };

export default function DiffTab({ dataset, version }: PartProps) {
  const [from, setFrom] = useParam("from", String(version.parent ?? ""));
  const [, setVersion] = useParam("version");
  const [kind, setKind] = useParam("change");
  const diff = api.useQuery("get", "/api/v1/datasets/{dataset}/diff", { params: { path: { dataset: dataset.name }, query: { from, to: String(version.version), limit: 200 } } }, { enabled: from !== "", staleTime: Infinity });
  if (dataset.items.length < 2) return <Empty title="There is one version, and nothing to compare it with" />;
  const options = dataset.items.map((one) => (
    <option key={one.version} value={one.version}>
      {one.version}
      {one.tags.length > 0 ? ` (${one.tags.join(", ")})` : ""}
    </option>
  ));
  return (
    <>
      <div className="bar">
        <label className="check">
          From
          <select className="input" value={from} onChange={(event) => setFrom(event.target.value)}>
            <option value="">choose</option>
            {options}
          </select>
        </label>
        <label className="check">
          to
          <select className="input" value={version.version} onChange={(event) => setVersion(event.target.value)}>
            {options}
          </select>
        </label>
        <select className="input" aria-label="kind of change" value={kind} onChange={(event) => setKind(event.target.value)}>
          <option value="">every change</option>
          <option value="added">added</option>
          <option value="changed">changed</option>
          <option value="removed">removed</option>
        </select>
      </div>
      {from === "" ? (
        <Empty title="Choose the version to compare with" />
      ) : (
        <Loaded of={diff} rows={8}>
          {(data) => (
            <>
              <p>
                <span className="plus">{count(data.added)} added</span>, <span className="tilde">{count(data.changed)} changed</span>, <span className="minus">{count(data.removed)} removed</span>
                <span className="soft"> by {version.keys[0] ? <code>{version.keys[0]}</code> : "whole rows"}</span>
                {data.truncated && <span className="soft">; the first {data.items.length} are shown</span>}
              </p>
              <ul className="list">
                {data.items
                  .filter(({ change }) => kind === "" || change === kind)
                  .map((item) => (
                    <Entity key={`${item.change} ${item.key}`} item={item} />
                  ))}
                {data.items.length === 0 && <li className="soft">No row differs.</li>}
              </ul>
            </>
          )}
        </Loaded>
      )}
    </>
  );
}

function Entity({ item }: { item: Item }) {
  const [mark, tone] = MARKS[item.change];
  const rows = Math.max(item.before.length, item.after.length);
  return (
    <li style={{ display: "block" }}>
      <details open={item.change === "changed"}>
        <summary className="break">
          <strong className={tone}>{mark}</strong> <span className="visually-hidden">{item.change}</span> <code>{item.key}</code> {rows > 1 && <span className="soft small">{rows} rows</span>}
        </summary>
        {Array.from({ length: Math.min(rows, 5) }, (_, index) => (
          <Row key={index} before={item.before[index] as Record<string, unknown> | undefined} after={item.after[index] as Record<string, unknown> | undefined} />
        ))}
      </details>
    </li>
  );
}

function Row({ before, after }: { before: Record<string, unknown> | undefined; after: Record<string, unknown> | undefined }) {
  return (
    <dl className="facts stack" style={{ padding: "6px 0 6px 18px" }}>
      {changedColumns(before, after).map((column) => (
        <div key={column}>
          <dt className="mono">{column}</dt>
          <dd>{before && after ? <Change before={oneLine(before[column])} after={oneLine(after[column])} /> : <span className={after ? "plus" : "minus"}>{near(oneLine((after ?? before)?.[column]), "start", 300)}</span>}</dd>
        </div>
      ))}
    </dl>
  );
}

function Change({ before, after }: { before: string; after: string }) {
  const { head, tail, ...part } = middle(before, after);
  return (
    <span className="break">
      {near(head, "end")}
      <del className="minus">{near(part.before, "start", 400)}</del>
      <ins className="plus">{near(part.after, "start", 400)}</ins>
      {near(tail, "start")}
    </span>
  );
}
