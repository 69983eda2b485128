import { lazy } from "react";
import { useParams } from "wouter";
import { Tabs } from "../ui/Bits";

const TABS: [string, string][] = [
  ["users", "Users"],
  ["tokens", "Tokens"],
  ["secrets", "Secrets"],
  ["notifications", "Notifications"],
  ["pools", "Pools"],
  ["storage", "Storage"],
];

const PARTS: Record<string, React.LazyExoticComponent<React.ComponentType>> = {
  users: lazy(() => import("./settings/Users")),
  tokens: lazy(() => import("./settings/Tokens")),
  secrets: lazy(() => import("./settings/Secrets")),
  notifications: lazy(() => import("./settings/Notifications")),
  pools: lazy(() => import("./settings/Pools")),
  storage: lazy(() => import("./settings/Storage")),
};

export default function Settings() {
  const { tab = "users" } = useParams<{ tab?: string }>();
  const Part = PARTS[tab] ?? PARTS.users;
  return (
    <>
      <div className="page-head">
        <h1>Settings</h1>
      </div>
      <Tabs base="/settings" tabs={TABS} current={tab in PARTS ? tab : "users"} />
      {Part && <Part />}
    </>
  );
}
