import { Link } from "wouter";
import { api } from "../../api/client";
import { to } from "../../lib/address";
import { changesIn, summary } from "../../lib/events";
import { Subject } from "../../parts/EventList";
import { ChangeMarks, Section } from "../../ui/Bits";
import { Icon, type IconName } from "../../ui/Icon";
import { Time } from "../../ui/Time";

/** So many changes are shown, of so many events that are looked at. */
const SHOWN = 8;
const LOOKED_AT = 200;

const KINDS: Record<string, [IconName, string]> = {
  "dataset.published": ["datasets", "new version"],
  "model.registered": ["models", "new version"],
  "alias.moved": ["tag", "moved"],
  "approval.decided": ["approvals", "answered"],
  "dag.paused": ["pause", "paused"],
  "dag.resumed": ["play", "resumed"],
};

const text = (value: unknown) => (typeof value === "string" ? value : "");

/** Versions, aliases, answers and pauses, newest first. */
export function Changes() {
  const events = api.useQuery("get", "/api/v1/events", { params: { query: { limit: LOOKED_AT } } });
  const items = (events.data?.items ?? []).filter(({ kind }) => kind in KINDS).slice(0, SHOWN);
  if (items.length === 0) return null;
  return (
    <Section title="What changed" aside={<Link href="/events">all events</Link>}>
      <ul className="list">
        {items.map((event) => {
          const [icon, word] = KINDS[event.kind] ?? ["events", event.kind];
          return (
            <li key={event.id}>
              <Icon name={icon} size={14} />
              <Subject event={event} />
              <span className="soft">{word}</span>
              <span className="break">
                {summary(event)} {changesIn(event) && <ChangeMarks changes={changesIn(event)} />}
              </span>
              <span className="soft push">
                {text(event.payload.run) && !event.kind.startsWith("approval") ? <Link href={to.run(text(event.payload.run), "tasks", text(event.payload.task))}>{text(event.payload.task)}</Link> : text(event.payload.by)} <Time at={event.at} />
              </span>
            </li>
          );
        })}
      </ul>
    </Section>
  );
}
