import { useState } from "react";
import { client, type Schemas } from "../../api/client";
import { useAct } from "../../ui/Act";
import { Dialog } from "../../ui/Dialog";
import { Problem } from "../../ui/Notes";

type Destination = Schemas["Destination"];
type Wanted = Schemas["Wanted"];
type Kind = Destination["kind"];

export const KINDS: [Kind, string][] = [
  ["slack", "Slack"],
  ["webhook", "webhook"],
  ["email", "e-mail"],
];
export const TOLD: [Wanted, string][] = [
  ["run_failed", "a run fails"],
  ["approval_wanted", "an approval waits"],
  ["freshness_missed", "a dataset is late"],
];

/** Fields of each kind: name, label, whether it has to be filled, and what it looks like. */
const FIELDS: Record<Kind, [string, string, boolean, string][]> = {
  slack: [["url", "Incoming webhook", true, "secret:SLACK_HOOK"]],
  webhook: [
    ["url", "URL", true, "https://example.org/hook"],
    ["secret", "Secret that signs", false, "secret:HOOK_KEY"],
  ],
  email: [
    ["host", "SMTP server", true, "smtp.example.org"],
    ["port", "Port", false, "587"],
    ["user", "User", false, "twinloom"],
    ["password", "Password", false, "secret:SMTP_PASSWORD"],
    ["tls", "TLS: required, or none for a relay of your own network", false, "required"],
    ["from", "From", true, "twinloom@example.org"],
    ["to", "To, with commas between", true, "ada@example.org"],
  ],
};

/** What was typed, as the API takes it. */
export function destinationOf(kind: Kind, values: Record<string, string>, events: Wanted[], allow_private: boolean): Destination {
  const given = FIELDS[kind].flatMap(([name]) => (values[name]?.trim() ? [[name, values[name].trim()] as const] : []));
  const fields: Record<string, unknown> = Object.fromEntries(given);
  if (typeof fields.port === "string") fields.port = Number(fields.port);
  if (typeof fields.to === "string") fields.to = fields.to.split(",").map((one) => one.trim()).filter(Boolean);
  return { kind, ...fields, events, allow_private } as Destination;
}

export function DestinationForm({ item, onClose }: { item: Schemas["DestinationItem"] | undefined; onClose: () => void }) {
  const known = item?.destination as (Destination & Record<string, unknown>) | undefined;
  const [name, setName] = useState(item?.name ?? "");
  const [kind, setKind] = useState<Kind>(known?.kind ?? "slack");
  const [values, setValues] = useState<Record<string, string>>(Object.fromEntries(Object.entries(known ?? {}).map(([key, value]) => [key, value === null ? "" : String(value)])));
  const [events, setEvents] = useState<Wanted[]>(known?.events ?? TOLD.map(([event]) => event));
  const [within, setWithin] = useState(known?.allow_private ?? false);
  const { act, busy, error } = useAct();
  const missing = FIELDS[kind].some(([field, , needed]) => needed && !values[field]?.trim());
  const save = () => void act(() => client.PUT("/api/v1/destinations/{name}", { params: { path: { name } }, body: destinationOf(kind, values, events, within) }), `${name} is told from now on.`).then((done) => done && onClose());
  return (
    <Dialog title={item ? `Change ${item.name}` : "Add a destination"} onClose={onClose}>
      <form
        className="section"
        style={{ gap: 14 }}
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        {!item && <Text name="name" label="Name" value={name} onChange={setName} required autoFocus example="team" />}
        <div className="field">
          <label htmlFor="destination-kind">By</label>
          <select id="destination-kind" className="input" value={kind} onChange={(event) => setKind(event.target.value as Kind)}>
            {KINDS.map(([key, word]) => (
              <option key={key} value={key}>
                {word}
              </option>
            ))}
          </select>
        </div>
        {FIELDS[kind].map(([field, label, required, example]) => (
          <Text key={field} name={field} label={label} required={required} example={example} value={values[field] ?? ""} onChange={(value) => setValues({ ...values, [field]: value })} />
        ))}
        <fieldset style={{ border: 0, padding: 0, margin: 0 }}>
          <legend>Told when</legend>
          {TOLD.map(([event, words]) => (
            <label key={event} className="check" style={{ marginRight: 14 }}>
              <input type="checkbox" checked={events.includes(event)} onChange={() => setEvents(events.includes(event) ? events.filter((one) => one !== event) : [...events, event])} /> {words}
            </label>
          ))}
        </fieldset>
        <label className="check">
          <input type="checkbox" checked={within} onChange={(event) => setWithin(event.target.checked)} /> The address may be in a private network
        </label>
        {error !== undefined && <Problem error={error} />}
        <div className="foot">
          <button type="button" className="btn" onClick={onClose}>
            Leave it
          </button>
          <button type="submit" className="btn primary" disabled={busy || !name || missing || events.length === 0}>
            {item ? "Change" : "Add"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Text({ name, label, value, onChange, required, example, autoFocus }: { name: string; label: string; value: string; onChange: (value: string) => void; required: boolean; example: string; autoFocus?: boolean }) {
  const id = `destination-${name}`;
  return (
    <div className="field">
      <label htmlFor={id}>
        {label} {!required && <span className="soft">(may be empty)</span>}
      </label>
      <input id={id} className="input" value={value} onChange={(event) => onChange(event.target.value)} required={required} autoFocus={autoFocus} autoComplete="off" placeholder={example} />
    </div>
  );
}
