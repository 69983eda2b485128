import { keepPreviousData } from "@tanstack/react-query";
import { api } from "../../api/client";
import { useParam } from "../../lib/address";
import { Lineage } from "../../parts/Lineage";
import { Loaded } from "../../ui/Notes";
import type { PartProps } from "../Model";

export default function LineageTab({ version }: PartProps) {
  const [depth, setDepth] = useParam("depth", "8");
  const lineage = api.useQuery("get", "/api/v1/models/{model}/lineage", { params: { path: { model: version.name }, query: { version: String(version.version), depth: Math.min(100, Math.max(1, Number(depth) || 8)) } } }, { placeholderData: keepPreviousData });
  return (
    <Loaded of={lineage} rows={8}>
      {(picture) => <Lineage picture={picture} depth={depth} setDepth={setDepth} />}
    </Loaded>
  );
}
