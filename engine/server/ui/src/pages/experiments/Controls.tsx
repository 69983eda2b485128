import { Segmented } from "../../ui/Bits";

interface Props {
  swept: boolean;
  by: string;
  setBy: (by: string) => void;
  metric: string;
  metrics: string[];
  setMetric: (metric: string) => void;
  goal: string;
  setGoal: (goal: string) => void;
  names: string[];
  shown: ReadonlySet<string>;
  setShown: (names: string[]) => void;
}

/** What is a row, what is best, which columns there are. */
export function Controls({ swept, by, setBy, metric, metrics, setMetric, goal, setGoal, names, shown, setShown }: Props) {
  return (
    <div className="bar">
      {swept && (
        <Segmented
          label="rows are"
          value={by}
          options={[
            ["variants", "Variants"],
            ["runs", "Runs"],
          ]}
          onChange={setBy}
        />
      )}
      <label className="check">
        Best by
        <select className="input" value={metric} onChange={(event) => setMetric(event.target.value)}>
          {metrics.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <select className="input" aria-label="goal" value={goal} onChange={(event) => setGoal(event.target.value)}>
        <option value="minimize">less is better</option>
        <option value="maximize">more is better</option>
      </select>
      <details className="columns">
        <summary className="btn">Columns ({shown.size})</summary>
        <div className="bar">
          {names.map((name) => (
            <label key={name} className="check">
              <input type="checkbox" checked={shown.has(name)} onChange={() => setShown(shown.has(name) ? [...shown].filter((one) => one !== name) : [...shown, name])} /> {name}
            </label>
          ))}
        </div>
      </details>
    </div>
  );
}
