import { Link, useParams } from "wouter";
import { api, type Schemas } from "../api/client";
import { to, useParam } from "../lib/address";
import { bytes } from "../lib/format";
import { Facts, Tabs } from "../ui/Bits";
import { Id } from "../ui/Copy";
import { Icon } from "../ui/Icon";
import { Loaded } from "../ui/Notes";
import { Time } from "../ui/Time";
import { Made } from "./Datasets";
import { MoveAlias } from "./model/MoveAlias";
import { later, usePreloaded, type Later } from "../ui/later";

export interface PartProps {
  model: Schemas["ModelDetail"];
  version: Schemas["ModelVersionDetail"];
}

const TABS: [string, string][] = [
  ["version", "Version"],
  ["versions", "Versions and aliases"],
  ["gate", "Gate"],
  ["compare", "Compare"],
  ["lineage", "Lineage"],
];

const PARTS: Record<string, Later<PartProps>> = {
  version: later(() => import("./model/VersionTab")),
  versions: later(() => import("./model/VersionsTab")),
  gate: later(() => import("./model/GateTab")),
  compare: later(() => import("./model/CompareTab")),
  lineage: later(() => import("./model/LineageTab")),
};

export default function Model() {
  usePreloaded(PARTS);
  const { name = "", tab = "version" } = useParams<{ name: string; tab?: string }>();
  const [chosen] = useParam("version");
  const model = api.useQuery("get", "/api/v1/models/{model}", { params: { path: { model: name }, query: { limit: 500 } } });
  const version = api.useQuery("get", "/api/v1/models/{model}/versions/{version}", { params: { path: { model: name, version: chosen || "latest" } } });
  const Part = PARTS[tab] ?? PARTS.version;
  return (
    <Loaded of={model} rows={8}>
      {(data) => (
        <Loaded of={version} rows={8}>
          {(one) => (
            <>
              <Header model={data} version={one} />
              <Tabs base={to.model(name)} tabs={TABS} current={tab in PARTS ? tab : "version"} query={chosen ? `?version=${chosen}` : ""} />
              {Part && <Part model={data} version={one} />}
            </>
          )}
        </Loaded>
      )}
    </Loaded>
  );
}

function Header({ model, version }: PartProps) {
  const newest = model.versions[0]?.version;
  const size = version.files.reduce((sum, file) => sum + file.bytes, 0);
  return (
    <>
      <div className="page-head">
        <h1>
          {version.name}@{version.version}
        </h1>
        {version.version !== newest && newest !== undefined && (
          <Link href={to.model(version.name)} className="chip tone-amber">
            not the newest, {newest} is
          </Link>
        )}
        {version.aliases.map((alias) => (
          <span key={alias} className="chip tone-green">
            <Icon name="tag" size={12} /> {alias}
          </span>
        ))}
        <div className="actions">
          <MoveAlias model={model} version={version.version} />
        </div>
      </div>
      <Facts
        items={[
          ["On", version.base],
          ["Registered", <Time key="t" at={version.created_at} />],
          ["Made by", <Made key="m" run={version.producer.run} task={version.producer.task} />],
          ["Size", bytes(size)],
          ["Content", <Id key="h" id={version.hash} what="content hash" />],
        ]}
      />
    </>
  );
}
