import { api } from "../../api/client";
import { useParam } from "../../lib/address";
import { EventList } from "../../parts/EventList";
import { Section } from "../../ui/Bits";
import { Loaded } from "../../ui/Notes";
import { Words } from "../../ui/Words";
import type { RunDetail } from "../Run";

export default function WhyTab({ run }: { run: RunDetail }) {
  const [task, setTask] = useParam("task");
  const why = api.useQuery("get", "/api/v1/runs/{run}/why", { params: { path: { run: run.id }, query: { task: task || undefined } } });
  return (
    <div className="section">
      <div className="bar">
        <select className="input" aria-label="explain" value={task} onChange={(event) => setTask(event.target.value)}>
          <option value="">the whole run</option>
          {run.tasks.map(({ id }) => (
            <option key={id}>{id}</option>
          ))}
        </select>
      </div>
      <Loaded of={why} rows={6}>
        {(data) => (
          <>
            <pre className="why" tabIndex={0} role="region" aria-label="explanation">
              <Words text={data.text} />
            </pre>
            {data.events.length > 0 && (
              <Section title="Events">
                <EventList items={data.events} />
              </Section>
            )}
          </>
        )}
      </Loaded>
    </div>
  );
}
