import { keepPreviousData } from "@tanstack/react-query";
import { api } from "../../api/client";
import { useParam } from "../../lib/address";
import { Lineage } from "../../parts/Lineage";
import { Section } from "../../ui/Bits";
import { Loaded } from "../../ui/Notes";
import type { PartProps } from "../Dataset";
import { Starts } from "../Datasets";

export default function LineageTab({ dataset, version }: PartProps) {
  const [depth, setDepth] = useParam("depth", "5");
  const lineage = api.useQuery("get", "/api/v1/datasets/{dataset}/lineage", { params: { path: { dataset: version.name }, query: { version: String(version.version), depth: Math.min(100, Math.max(1, Number(depth) || 5)) } } }, { placeholderData: keepPreviousData });
  return (
    <>
      <Loaded of={lineage} rows={8}>
        {(picture) => <Lineage picture={picture} depth={depth} setDepth={setDepth} />}
      </Loaded>
      <Section title="A new version starts">
        {dataset.starts.length > 0 ? <Starts dags={dataset.starts} /> : <p className="soft">No DAG waits for it.</p>}
      </Section>
    </>
  );
}
