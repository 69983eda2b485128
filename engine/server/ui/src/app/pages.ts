import type { IconName } from "../ui/Icon";
import { later, type Later } from "../ui/later";

export interface PageInfo {
  path: string;
  word: string;
  icon: IconName;
  key: string;
}

/** The pages of the navigation, with the letter that follows `g`. */
export const PAGES: PageInfo[] = [
  { path: "/", word: "Overview", icon: "overview", key: "o" },
  { path: "/dags", word: "DAGs", icon: "dags", key: "d" },
  { path: "/runs", word: "Runs", icon: "runs", key: "r" },
  { path: "/datasets", word: "Datasets", icon: "datasets", key: "s" },
  { path: "/models", word: "Models", icon: "models", key: "m" },
  { path: "/experiments", word: "Experiments", icon: "experiments", key: "x" },
  { path: "/approvals", word: "Approvals", icon: "approvals", key: "a" },
  { path: "/events", word: "Events", icon: "events", key: "e" },
  { path: "/settings", word: "Settings", icon: "settings", key: "t" },
];

/** Every page is a chunk of its own. */
export const ROUTES: [string, Later<object>][] = [
  ["/", later(() => import("../pages/Overview"))],
  ["/dags", later(() => import("../pages/Dags"))],
  ["/dags/:name/:tab?", later(() => import("../pages/Dag"))],
  ["/runs", later(() => import("../pages/Runs"))],
  ["/runs/:run/:tab?", later(() => import("../pages/Run"))],
  ["/datasets", later(() => import("../pages/Datasets"))],
  ["/datasets/:name/:tab?", later(() => import("../pages/Dataset"))],
  ["/models", later(() => import("../pages/Models"))],
  ["/models/:name/:tab?", later(() => import("../pages/Model"))],
  ["/experiments", later(() => import("../pages/Experiments"))],
  ["/approvals", later(() => import("../pages/Approvals"))],
  ["/approvals/:run/:task", later(() => import("../pages/Approval"))],
  ["/events", later(() => import("../pages/Events"))],
  ["/settings/:tab?", later(() => import("../pages/Settings"))],
];

/** Loads the page of an address ahead of its turn, while the server is still asked who looks. */
export function preload(path: string) {
  const [first, second] = path.split("/").filter(Boolean);
  const wanted = ROUTES.find(([route]) => {
    const [head, rest] = route.split("/").filter(Boolean);
    return head === first && (second === undefined || rest !== undefined);
  });
  void wanted?.[1].preload().catch(() => undefined);
}
