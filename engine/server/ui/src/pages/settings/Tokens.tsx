import { useState } from "react";
import { api, client, type Schemas } from "../../api/client";
import { useMe } from "../../api/me";
import { useAct } from "../../ui/Act";
import { Code } from "../../ui/Copy";
import { Confirm, Dialog } from "../../ui/Dialog";
import { Empty, Loaded, Problem } from "../../ui/Notes";
import { Table } from "../../ui/Table";
import { Time } from "../../ui/Time";

type Token = Schemas["TokenItem"];
type Scope = Schemas["Permission"];

export default function Tokens() {
  const me = useMe();
  const needed = me.data?.login_required ?? false;
  const tokens = api.useQuery("get", "/api/v1/tokens", {}, { enabled: needed });
  const [making, setMaking] = useState(false);
  const [ending, setEnding] = useState<Token>();
  const { act, busy } = useAct();
  if (!needed) return <Empty title="No token is needed"><p>This server has no login. Tokens are for programs, once there are users.</p></Empty>;
  return (
    <Loaded of={tokens} rows={4}>
      {({ items }) => (
        <>
          <div>
            <button type="button" className="btn primary" onClick={() => setMaking(true)}>
              Make a token
            </button>
          </div>
          {items.length === 0 ? (
            <Empty title="No token yet">
              <p>A token lets a program or the command line in:</p>
              <Code text={`TWINLOOM_TOKEN=… twinloom runs --server ${location.origin}`} label="command" />
            </Empty>
          ) : (
            <Table
              label="tokens"
              rows={items}
              rowKey={(token) => token.id}
              columns={[
                { key: "name", head: "For", cell: (token) => <strong>{token.name}</strong> },
                { key: "user", head: "Of", cell: (token) => token.user },
                { key: "scopes", head: "May", cell: (token) => token.scopes.join(", ") },
                { key: "used", head: "Last used", num: true, cell: (token) => <Time at={token.last_used_at} none="never" /> },
                { key: "expires", head: "Expires", num: true, cell: (token) => <Time at={token.expires_at} /> },
                {
                  key: "act",
                  head: <span className="visually-hidden">Actions</span>,
                  cell: (token) => (
                    <button type="button" className="btn danger" onClick={() => setEnding(token)}>
                      Revoke
                    </button>
                  ),
                },
              ]}
            />
          )}
          {making && <Make permissions={me.data?.permissions ?? []} onClose={() => setMaking(false)} />}
          {ending && (
            <Confirm title={`Revoke the token ${ending.name}?`} verb="Revoke it" busy={busy} onClose={() => setEnding(undefined)} onConfirm={() => void act(() => client.DELETE("/api/v1/tokens/{id}", { params: { path: { id: ending.id } } }), "The token is revoked.").then(() => setEnding(undefined))}>
              <p>Programs that use it are refused from now on.</p>
            </Confirm>
          )}
        </>
      )}
    </Loaded>
  );
}

function Make({ permissions, onClose }: { permissions: Scope[]; onClose: () => void }) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<Scope[]>(["read"]);
  const [days, setDays] = useState("90");
  const [made, setMade] = useState("");
  const { act, busy, error } = useAct();
  if (made) {
    return (
      <Dialog title="Copy the token now" onClose={onClose}>
        <p>It is shown this once: the server keeps only its hash.</p>
        <Code text={made} label="token" />
        <div className="foot">
          <button type="button" className="btn primary" onClick={onClose}>
            I have it
          </button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title="Make a token" onClose={onClose}>
      <form
        className="section"
        style={{ gap: 14 }}
        onSubmit={(event) => {
          event.preventDefault();
          void act(async () => {
            const { data } = await client.POST("/api/v1/tokens", { body: { name, scopes, days: Number(days) } });
            if (data) setMade(data.token);
          });
        }}
      >
        <div className="field">
          <label htmlFor="token-name">What it is for</label>
          <input id="token-name" className="input" value={name} onChange={(event) => setName(event.target.value)} required autoFocus />
        </div>
        <fieldset style={{ border: 0, padding: 0, margin: 0 }}>
          <legend>It may</legend>
          {permissions.map((scope) => (
            <label key={scope} className="check" style={{ marginRight: 14 }}>
              <input type="checkbox" checked={scopes.includes(scope)} onChange={() => setScopes(scopes.includes(scope) ? scopes.filter((one) => one !== scope) : [...scopes, scope])} /> {scope}
            </label>
          ))}
        </fieldset>
        <div className="field">
          <label htmlFor="token-days">For how many days</label>
          <input id="token-days" className="input" type="number" min="1" max="730" value={days} onChange={(event) => setDays(event.target.value)} />
        </div>
        {error !== undefined && <Problem error={error} />}
        <div className="foot">
          <button type="button" className="btn" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" className="btn primary" disabled={busy || !name || scopes.length === 0}>
            Make it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
