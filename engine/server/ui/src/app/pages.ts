import { lazy, type ComponentType } from "react";
import type { IconName } from "../ui/Icon";

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
export const ROUTES: [string, ComponentType][] = [
  ["/", lazy(() => import("../pages/Overview"))],
  ["/dags", lazy(() => import("../pages/Dags"))],
  ["/dags/:name/:tab?", lazy(() => import("../pages/Dag"))],
  ["/runs", lazy(() => import("../pages/Runs"))],
  ["/runs/:run/:tab?", lazy(() => import("../pages/Run"))],
  ["/datasets", lazy(() => import("../pages/Datasets"))],
  ["/datasets/:name/:tab?", lazy(() => import("../pages/Dataset"))],
  ["/models", lazy(() => import("../pages/Models"))],
  ["/models/:name/:tab?", lazy(() => import("../pages/Model"))],
  ["/experiments", lazy(() => import("../pages/Experiments"))],
  ["/approvals", lazy(() => import("../pages/Approvals"))],
  ["/approvals/:run/:task", lazy(() => import("../pages/Approval"))],
  ["/events", lazy(() => import("../pages/Events"))],
  ["/settings/:tab?", lazy(() => import("../pages/Settings"))],
];
