import { useState } from "react";
import { client, type Schemas } from "../../api/client";
import { ActButton, useAct } from "../../ui/Act";
import { Dialog } from "../../ui/Dialog";
import { Problem } from "../../ui/Notes";

/** Points an alias at a version, with a reason. */
export function MoveAlias({ model, version }: { model: Schemas["ModelDetail"]; version: number }) {
  const [open, setOpen] = useState(false);
  const [alias, setAlias] = useState("production");
  const [reason, setReason] = useState("");
  const { act, busy, error } = useAct();
  const current = model.aliases.find(({ label }) => label === alias);
  const go = () =>
    void act(() => client.POST("/api/v1/models/{model}/aliases/{alias}", { params: { path: { model: model.name, alias } }, body: { version, reason } }), `${alias} points at ${model.name}@${version}.`).then((done) => done && setOpen(false));
  return (
    <>
      <ActButton need="approve" onClick={() => setOpen(true)}>
        Point an alias here
      </ActButton>
      {open && (
        <Dialog title={`Point an alias at ${model.name}@${version}`} onClose={() => setOpen(false)}>
          <form
            className="section"
            style={{ gap: 14 }}
            onSubmit={(event) => {
              event.preventDefault();
              go();
            }}
          >
            <div className="field">
              <label htmlFor="alias">Alias</label>
              <input id="alias" className="input" value={alias} onChange={(event) => setAlias(event.target.value)} list="aliases" required pattern="[a-z0-9][a-z0-9._-]*" />
              <datalist id="aliases">
                {model.aliases.map(({ label }) => (
                  <option key={label} value={label} />
                ))}
              </datalist>
            </div>
            <p>
              {current ? (
                current.version === version ? (
                  `${alias} points here already.`
                ) : (
                  <>
                    <strong>{alias}</strong> points at version {current.version} now. Endpoints that follow it answer from version {version} within seconds, without dropping a request.
                  </>
                )
              ) : (
                `There is no alias ${alias} yet; it will be made.`
              )}
            </p>
            <div className="field">
              <label htmlFor="reason">Why</label>
              <textarea id="reason" className="input" rows={2} value={reason} onChange={(event) => setReason(event.target.value)} required />
            </div>
            {error !== undefined && <Problem error={error} />}
            <div className="foot">
              <button type="button" className="btn" onClick={() => setOpen(false)}>
                Leave it
              </button>
              <button type="submit" className="btn primary" disabled={busy || !alias || !reason.trim() || current?.version === version}>
                {busy ? "Moving…" : `Point ${alias} at ${version}`}
              </button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}
