import { Link } from "wouter";
import { api, type Schemas } from "../../api/client";
import { to, useParam } from "../../lib/address";
import { Pairs } from "../../parts/Report";
import { Section } from "../../ui/Bits";
import { Empty, Loaded } from "../../ui/Notes";
import type { PartProps } from "../Model";

export default function CompareTab({ model, version }: PartProps) {
  const production = model.aliases.find(({ label }) => label === "production")?.version;
  const other = [production, version.version - 1, ...model.versions.map((one) => one.version)].find((one) => one !== undefined && one !== version.version && one > 0);
  const [a, setA] = useParam("a", other ? String(other) : "");
  const compare = api.useQuery("get", "/api/v1/models/{model}/compare", { params: { path: { model: model.name }, query: { a, b: String(version.version) } } }, { enabled: a !== "" });
  if (model.versions.length < 2) return <Empty title="There is one version, and nothing to compare it with" />;
  return (
    <>
      <div className="bar">
        <label className="check">
          Version {version.version} against
          <select className="input" value={a} onChange={(event) => setA(event.target.value)}>
            <option value="">choose</option>
            {model.versions.map((one) => (
              <option key={one.version} value={one.version}>
                {one.version}
                {one.aliases.length > 0 ? ` (${one.aliases.join(", ")})` : ""}
              </option>
            ))}
          </select>
        </label>
      </div>
      {a !== "" && (
        <Loaded of={compare} rows={8}>
          {(data) => (
            <>
              <Section title="Figures">
                <Pairs rows={data.metrics} a={data.a} b={data.b} />
              </Section>
              <Section title="Configuration">
                <Pairs head="Setting" rows={data.config} a={data.a} b={data.b} />
              </Section>
              <div className="split" style={{ gridTemplateColumns: "repeat(auto-fit, minmax(min(100%, 300px), 1fr))" }}>
                <Inputs title={`${data.a} was made from`} items={data.inputs_a} />
                <Inputs title={`${data.b} was made from`} items={data.inputs_b} />
              </div>
            </>
          )}
        </Loaded>
      )}
    </>
  );
}

export function Inputs({ title, items }: { title: string; items: Schemas["Input"][] }) {
  return (
    <Section title={title}>
      <ul className="list">
        {items.map((input) => (
          <li key={`${input.port} ${input.name}`}>
            <Link href={to.artifact(input.kind, input.name, input.version)}>
              {input.name}@{input.version}
            </Link>
            <span className="soft small">{input.port}</span>
          </li>
        ))}
        {items.length === 0 && <li className="soft">nothing</li>}
      </ul>
    </Section>
  );
}
