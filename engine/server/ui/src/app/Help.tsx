import { Dialog } from "../ui/Dialog";
import { PAGES } from "./pages";

const KEYS: [string[], string][] = [
  [["Ctrl", "K"], "command palette"],
  [["/"], "search on this page"],
  [["?"], "this help"],
  [["Esc"], "close what is open"],
  [["↑", "↓"], "move in tables and lists"],
  [["←", "↑", "↓", "→"], "move in the grid and in graphs"],
  [["Enter"], "open what is selected"],
  [["f"], "fold the pipeline of a task in a graph"],
];

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <div className="keys">
        {KEYS.map(([keys, what]) => (
          <div key={what}>
            <span>{what}</span>
            <span className="nowrap">
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </span>
          </div>
        ))}
        {PAGES.map(({ key, word }) => (
          <div key={key}>
            <span>{word}</span>
            <span className="nowrap">
              <kbd>g</kbd> <kbd>{key}</kbd>
            </span>
          </div>
        ))}
      </div>
      <div className="foot">
        <button type="button" className="btn" onClick={onClose} autoFocus>
          Close
        </button>
      </div>
    </Dialog>
  );
}
