import { useState } from "react";
import { api, client, type Schemas } from "../../api/client";
import { useMay, useMe } from "../../api/me";
import { ActButton, useAct } from "../../ui/Act";
import { Code } from "../../ui/Copy";
import { Confirm, Dialog } from "../../ui/Dialog";
import { Empty, Loaded, Problem } from "../../ui/Notes";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { Time } from "../../ui/Time";

type User = Schemas["UserItem"];
type Role = Schemas["Role"];
const ROLES: [Role, string][] = [
  ["viewer", "looks at everything but accounts"],
  ["operator", "runs, cancels, retries, edits DAGs"],
  ["approver", "answers approvals, moves aliases"],
  ["admin", "everything, and accounts"],
];

export default function Users() {
  const may = useMay("admin");
  const me = useMe();
  const users = api.useQuery("get", "/api/v1/users", {}, { enabled: may });
  const [editing, setEditing] = useState<User | "new">();
  const [leaving, setLeaving] = useState<User>();
  const { act, busy, error, clear } = useAct();
  if (!may) return <Empty title="Only admins see the users" />;
  return (
    <Loaded of={users} rows={4}>
      {({ items }) => (
        <>
          <div>
            <ActButton need="admin" className="primary" onClick={() => setEditing("new")}>
              Add a user
            </ActButton>
          </div>
          {items.length === 0 ? (
            <Empty title="No login is needed">
              <p>
                This server has no users: it listens on this machine alone, and whoever is at the machine may do everything. With the first user everyone has to log in, so make that one an admin. From a shell:
              </p>
              <Code text="twinloom user create ada --role admin" label="command" />
            </Empty>
          ) : (
            <Table
              label="users"
              rows={items}
              rowKey={(user) => user.name}
              columns={[
                { key: "name", head: "Name", cell: (user) => <strong>{user.name}</strong> },
                { key: "state", head: "State", cell: (user) => (user.disabled ? <Status state="cancelled" word="disabled" /> : <Status state="succeeded" word="may log in" />) },
                { key: "roles", head: "Roles", cell: (user) => user.roles.join(", ") || "none" },
                { key: "login", head: "Last login", num: true, cell: (user) => <Time at={user.last_login_at} none="never" /> },
                { key: "created", head: "Made", num: true, cell: (user) => <Time at={user.created_at} /> },
                {
                  key: "act",
                  head: <span className="visually-hidden">Actions</span>,
                  cell: (user) => (
                    <span className="bar" style={{ flexWrap: "nowrap" }}>
                      <button type="button" className="btn" onClick={() => setEditing(user)}>
                        Change
                      </button>
                      <button type="button" className="btn danger" onClick={() => setLeaving(user)} disabled={user.name === me.data?.name}>
                        Delete
                      </button>
                    </span>
                  ),
                },
              ]}
            />
          )}
          {editing && (
            <Edit
              user={editing === "new" ? undefined : editing}
              busy={busy}
              error={error}
              onClose={() => (setEditing(undefined), clear())}
              onSave={(name, roles, password, disabled) =>
                void act(
                  () => (editing === "new" ? client.POST("/api/v1/users", { body: { name, roles, password } }) : client.PATCH("/api/v1/users/{user}", { params: { path: { user: name } }, body: { roles, disabled, password: password || null } })),
                  editing === "new" ? `${name} may log in.` : `${name} is changed.`,
                ).then((done) => done && setEditing(undefined))
              }
            />
          )}
          {leaving && (
            <Confirm
              title={`Delete the user ${leaving.name}?`}
              verb={`Delete ${leaving.name}`}
              busy={busy}
              onClose={() => setLeaving(undefined)}
              onConfirm={() => void act(() => client.DELETE("/api/v1/users/{user}", { params: { path: { user: leaving.name } } }), `${leaving.name} is deleted.`).then(() => setLeaving(undefined))}
            >
              <p>Sessions and tokens of {leaving.name} end at once. What {leaving.name} did stays in the audit log.</p>
            </Confirm>
          )}
        </>
      )}
    </Loaded>
  );
}

function Edit({ user, busy, error, onSave, onClose }: { user: User | undefined; busy: boolean; error: unknown; onSave: (name: string, roles: Role[], password: string, disabled: boolean) => void; onClose: () => void }) {
  const [name, setName] = useState(user?.name ?? "");
  const [roles, setRoles] = useState<Role[]>(user?.roles ?? ["viewer"]);
  const [password, setPassword] = useState("");
  const [disabled, setDisabled] = useState(user?.disabled ?? false);
  return (
    <Dialog title={user ? `Change ${user.name}` : "Add a user"} onClose={onClose}>
      <form
        className="section"
        style={{ gap: 14 }}
        onSubmit={(event) => {
          event.preventDefault();
          onSave(name, roles, password, disabled);
        }}
      >
        {!user && (
          <div className="field">
            <label htmlFor="user-name">Name</label>
            <input id="user-name" className="input" value={name} onChange={(event) => setName(event.target.value)} required autoFocus autoComplete="off" />
          </div>
        )}
        <fieldset style={{ border: 0, padding: 0, margin: 0 }}>
          <legend>Roles</legend>
          {ROLES.map(([role, what]) => (
            <label key={role} className="check" style={{ display: "flex" }}>
              <input type="checkbox" checked={roles.includes(role)} onChange={() => setRoles(roles.includes(role) ? roles.filter((one) => one !== role) : [...roles, role])} />
              <strong>{role}</strong> <span className="soft">{what}</span>
            </label>
          ))}
        </fieldset>
        <div className="field">
          <label htmlFor="user-password">{user ? "New password (empty: unchanged)" : "Password"}</label>
          <input id="user-password" className="input" type="password" value={password} onChange={(event) => setPassword(event.target.value)} required={!user} autoComplete="new-password" />
        </div>
        {user && (
          <label className="check">
            <input type="checkbox" checked={disabled} onChange={(event) => setDisabled(event.target.checked)} /> May not log in
          </label>
        )}
        {error !== undefined && <Problem error={error} />}
        <div className="foot">
          <button type="button" className="btn" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" className="btn primary" disabled={busy || !name || roles.length === 0}>
            {user ? "Change" : "Add"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
