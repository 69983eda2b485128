import { useParam } from "../lib/address";
import { Segmented } from "../ui/Bits";

export interface Controls {
  log: boolean;
  setLog: (value: string) => void;
  byTime: boolean;
  setBy: (value: string) => void;
  weight: number;
  setWeight: (value: string) => void;
}

/** How curves are drawn; in the address, so that a view can be shared. */
export function useCurveControls(): Controls {
  const [scale, setLog] = useParam("scale", "linear");
  const [by, setBy] = useParam("by", "step");
  const [weight, setWeight] = useParam("smooth", "0");
  return { log: scale === "log", setLog, byTime: by === "time", setBy, weight: Math.min(0.99, Math.max(0, Number(weight) || 0)), setWeight };
}

export function CurveControls({ log, setLog, byTime, setBy, weight, setWeight }: Controls) {
  return (
    <div className="bar">
      <Segmented
        label="scale"
        value={log ? "log" : "linear"}
        options={[
          ["linear", "Linear"],
          ["log", "Log"],
        ]}
        onChange={setLog}
      />
      <Segmented
        label="abscissa"
        value={byTime ? "time" : "step"}
        options={[
          ["step", "By step"],
          ["time", "By time"],
        ]}
        onChange={setBy}
      />
      <label className="check">
        Smoothing
        <input type="range" min="0" max="0.99" step="0.01" value={weight} onChange={(event) => setWeight(event.target.value)} />
        <span className="mono">{weight.toFixed(2)}</span>
      </label>
    </div>
  );
}
