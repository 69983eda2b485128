import { useState } from "react";
import { api, client, type Schemas } from "../../api/client";
import { bytes, count, plural } from "../../lib/format";
import { ActButton, useAct } from "../../ui/Act";
import { Facts, Section } from "../../ui/Bits";
import { Confirm } from "../../ui/Dialog";
import { Loaded, Problem } from "../../ui/Notes";

type Found = Schemas["CollectAnswer"];

export default function Storage() {
  const storage = api.useQuery("get", "/api/v1/storage");
  return (
    <Loaded of={storage} rows={5}>
      {(data) => (
        <>
          <Facts
            stack
            items={[
              ["Feature store", <code key="s">{data.store}</code>],
              ["Database", <code key="d">{data.database}</code>],
              ["Datasets", `${count(data.datasets)} with ${plural(data.dataset_versions, "version")}; the newest take ${bytes(data.latest_bytes)}`],
              ["Models", `${count(data.models)} with ${plural(data.model_versions, "version")}`],
              ["Runs", count(data.runs)],
              ["Events", count(data.events)],
            ]}
          />
          <Collect />
        </>
      )}
    </Loaded>
  );
}

/** Garbage collection: looks first, and removes what was looked at. */
function Collect() {
  const [keep, setKeep] = useState("");
  const [found, setFound] = useState<Found>();
  const [asking, setAsking] = useState(false);
  const { act, busy, error } = useAct();
  const collect = (dry: boolean) =>
    act(async () => {
      const { data } = await client.POST("/api/v1/storage/gc", { body: { dry_run: dry, grace_hours: null, keep_versions: keep ? Number(keep) : null } });
      setFound(data);
    });
  const some = found !== undefined && found.dry_run && found.removed_blobs + found.retired.length > 0;
  return (
    <Section title="Garbage collection" aside="removes what no version, tag, alias or retention rule keeps">
      <div className="bar">
        <label className="check">
          Keep of each dataset the newest
          <input className="input" type="number" min="1" placeholder="all" value={keep} onChange={(event) => (setKeep(event.target.value), setFound(undefined))} style={{ width: 80 }} />
          versions
        </label>
        <ActButton need="admin" disabled={busy} onClick={() => void collect(true)}>
          {busy ? "Looking…" : "Look what would go"}
        </ActButton>
        <ActButton need="admin" className="danger" disabled={busy || !some} onClick={() => setAsking(true)}>
          Remove it
        </ActButton>
      </div>
      {error !== undefined && <Problem error={error} />}
      {found && (
        <div className="note" role="status">
          <div className="title">
            {found.dry_run ? "Would remove" : "Removed"} {plural(found.removed_blobs, "blob")}, {bytes(found.removed_bytes)}
          </div>
          <div>
            {plural(found.retired.length, "version")} {found.dry_run ? "would be retired" : "retired"}
            {found.retired.length > 0 ? `: ${found.retired.slice(0, 10).join(", ")}${found.retired.length > 10 ? ", …" : ""}` : ""}. {plural(found.kept_blobs, "blob")} kept, {plural(found.young_blobs, "blob")} too young to judge.
          </div>
        </div>
      )}
      {asking && found && (
        <Confirm title={`Remove ${plural(found.removed_blobs, "blob")}, ${bytes(found.removed_bytes)}?`} verb="Remove for ever" busy={busy} onClose={() => setAsking(false)} onConfirm={() => void collect(false).then(() => setAsking(false))}>
          <p>{found.retired.length > 0 ? `These versions go with them: ${found.retired.slice(0, 20).join(", ")}${found.retired.length > 20 ? ` and ${found.retired.length - 20} more` : ""}.` : "No version loses anything: nothing refers to them."}</p>
          <p>This cannot be undone.</p>
        </Confirm>
      )}
    </Section>
  );
}
