import { useParams } from "wouter";
import { Tabs } from "../ui/Bits";
import { later, usePreloaded, type Later } from "../ui/later";

const TABS: [string, string][] = [
  ["users", "Users"],
  ["tokens", "Tokens"],
  ["secrets", "Secrets"],
  ["notifications", "Notifications"],
  ["pools", "Pools"],
  ["storage", "Storage"],
];

const PARTS: Record<string, Later<object>> = {
  users: later(() => import("./settings/Users")),
  tokens: later(() => import("./settings/Tokens")),
  secrets: later(() => import("./settings/Secrets")),
  notifications: later(() => import("./settings/Notifications")),
  pools: later(() => import("./settings/Pools")),
  storage: later(() => import("./settings/Storage")),
};

export default function Settings() {
  usePreloaded(PARTS);
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
