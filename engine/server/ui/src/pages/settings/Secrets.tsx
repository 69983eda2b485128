import { useState } from "react";
import { api, client, type Schemas } from "../../api/client";
import { ActButton, useAct } from "../../ui/Act";
import { Code } from "../../ui/Copy";
import { Confirm, Dialog } from "../../ui/Dialog";
import { Empty, Loaded, Problem } from "../../ui/Notes";
import { Table } from "../../ui/Table";
import { Time } from "../../ui/Time";

type Secret = Schemas["SecretItem"];

export default function Secrets() {
  const secrets = api.useQuery("get", "/api/v1/secrets");
  const [setting, setSetting] = useState<string>();
  const [leaving, setLeaving] = useState<Secret>();
  const { act, busy } = useAct();
  return (
    <Loaded of={secrets} rows={4}>
      {({ items }) => (
        <>
          <div className="bar">
            <ActButton need="admin" className="primary" onClick={() => setSetting("")}>
              Set a secret
            </ActButton>
            <span className="soft">Names only: no page, log or answer of this server shows a value.</span>
          </div>
          {items.length === 0 ? (
            <Empty title="No secret yet">
              <p>
                DAG files name secrets, <code>secret:PUBLISH_HOOK</code>, and never hold them. Set one here, in the environment, or from a shell:
              </p>
              <Code text="twinloom secret set PUBLISH_HOOK" label="command" />
            </Empty>
          ) : (
            <Table
              label="secrets"
              rows={items}
              rowKey={(secret) => secret.name}
              columns={[
                { key: "name", head: "Name", cell: (secret) => <code>secret:{secret.name}</code> },
                { key: "source", head: "From", cell: (secret) => secret.source },
                { key: "at", head: "Set", num: true, cell: (secret) => <Time at={secret.updated_at} /> },
                { key: "by", head: "By", cell: (secret) => secret.by ?? "–" },
                {
                  key: "act",
                  head: <span className="visually-hidden">Actions</span>,
                  cell: (secret) =>
                    secret.source === "store" || secret.updated_at ? (
                      <span className="bar" style={{ flexWrap: "nowrap" }}>
                        <ActButton need="admin" onClick={() => setSetting(secret.name)}>
                          Replace
                        </ActButton>
                        <ActButton need="admin" className="danger" onClick={() => setLeaving(secret)}>
                          Delete
                        </ActButton>
                      </span>
                    ) : null,
                },
              ]}
            />
          )}
          {setting !== undefined && <Put name={setting} onClose={() => setSetting(undefined)} />}
          {leaving && (
            <Confirm title={`Delete secret:${leaving.name}?`} verb="Delete it" busy={busy} onClose={() => setLeaving(undefined)} onConfirm={() => void act(() => client.DELETE("/api/v1/secrets/{name}", { params: { path: { name: leaving.name } } }), `${leaving.name} is deleted.`).then(() => setLeaving(undefined))}>
              <p>
                Steps and triggers that name <code>secret:{leaving.name}</code> fail with <code>secret.missing</code> from their next start on.
              </p>
            </Confirm>
          )}
        </>
      )}
    </Loaded>
  );
}

function Put({ name: given, onClose }: { name: string; onClose: () => void }) {
  const [name, setName] = useState(given);
  const [value, setValue] = useState("");
  const { act, busy, error } = useAct();
  return (
    <Dialog title={given ? `Replace ${given}` : "Set a secret"} onClose={onClose}>
      <form
        className="section"
        style={{ gap: 14 }}
        onSubmit={(event) => {
          event.preventDefault();
          void act(() => client.PUT("/api/v1/secrets/{name}", { params: { path: { name } }, body: { value } }), `${name} is set.`).then((done) => done && onClose());
        }}
      >
        {!given && (
          <div className="field">
            <label htmlFor="secret-name">Name</label>
            <input id="secret-name" className="input mono" value={name} onChange={(event) => setName(event.target.value)} required autoFocus autoComplete="off" />
          </div>
        )}
        <div className="field">
          <label htmlFor="secret-value">Value</label>
          <input id="secret-value" className="input mono" type="password" value={value} onChange={(event) => setValue(event.target.value)} required autoComplete="off" />
        </div>
        {error !== undefined && <Problem error={error} />}
        <div className="foot">
          <button type="button" className="btn" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" className="btn primary" disabled={busy || !name || !value}>
            Set
          </button>
        </div>
      </form>
    </Dialog>
  );
}
