import { Link, useParams } from "wouter";
import { api, type Schemas } from "../api/client";
import { to, useParam } from "../lib/address";
import { bytes, count, plural } from "../lib/format";
import { ChangeMarks, Facts, Tabs } from "../ui/Bits";
import { Id } from "../ui/Copy";
import { Icon } from "../ui/Icon";
import { Loaded } from "../ui/Notes";
import { Time } from "../ui/Time";
import { Made, Starts } from "./Datasets";
import { later, usePreloaded, type Later } from "../ui/later";

export type Version = Schemas["DatasetVersionDetail"];
export type Detail = Schemas["DatasetDetail"];
export interface PartProps {
  dataset: Detail;
  version: Version;
}

const TABS: [string, string][] = [
  ["versions", "Versions"],
  ["schema", "Schema and statistics"],
  ["rows", "Rows"],
  ["diff", "Difference"],
  ["lineage", "Lineage"],
];

const PARTS: Record<string, Later<PartProps>> = {
  versions: later(() => import("./dataset/VersionsTab")),
  schema: later(() => import("./dataset/SchemaTab")),
  rows: later(() => import("./dataset/RowsTab")),
  diff: later(() => import("./dataset/DiffTab")),
  lineage: later(() => import("./dataset/LineageTab")),
};

export default function Dataset() {
  usePreloaded(PARTS);
  const { name = "", tab = "versions" } = useParams<{ name: string; tab?: string }>();
  const [chosen] = useParam("version");
  const dataset = api.useQuery("get", "/api/v1/datasets/{dataset}", { params: { path: { dataset: name }, query: { limit: 200 } } });
  const version = api.useQuery("get", "/api/v1/datasets/{dataset}/versions/{version}", { params: { path: { dataset: name, version: chosen || "latest" } } });
  const Part = PARTS[tab] ?? PARTS.versions;
  return (
    <Loaded of={dataset} rows={8}>
      {(data) => (
        <Loaded of={version} rows={8}>
          {(one) => (
            <>
              <Header dataset={data} version={one} />
              <Tabs base={to.dataset(name)} tabs={TABS} current={tab in PARTS ? tab : "versions"} query={chosen ? `?version=${chosen}` : ""} />
              {Part && <Part dataset={data} version={one} />}
            </>
          )}
        </Loaded>
      )}
    </Loaded>
  );
}

function Header({ dataset, version }: PartProps) {
  const latest = dataset.items[0]?.version;
  return (
    <>
      <div className="page-head">
        <h1>
          {version.name}@{version.version}
        </h1>
        {version.version !== latest && latest !== undefined && (
          <Link href={to.dataset(version.name)} className="chip tone-amber">
            not the newest, {latest} is
          </Link>
        )}
        {version.tags.map((tag) => (
          <span key={tag} className="chip">
            <Icon name="tag" size={12} /> {tag}
          </span>
        ))}
      </div>
      <Facts
        items={[
          ["Rows", count(version.rows)],
          ["Changed", version.changes && <ChangeMarks changes={version.changes} />],
          ["Size", `${bytes(version.bytes)} in ${plural(version.parts, "part")}, ${bytes(version.bytes_written)} of it new`],
          ["Published", <Time key="t" at={version.created_at} />],
          ["Made by", <Made key="m" run={version.producer.run} task={version.producer.task} />],
          ["Key", version.keys.length > 0 && <code>{version.keys.join(", ")}</code>],
          ["Content", <Id key="h" id={version.hash} what="content hash" />],
          ["Starts", dataset.starts.length > 0 && <Starts dags={dataset.starts} />],
        ]}
      />
    </>
  );
}
