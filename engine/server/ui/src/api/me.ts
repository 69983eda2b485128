import { useEffect } from "react";
import { api, setCsrf } from "./client";

export type Permission = "read" | "operate" | "approve" | "admin";

/** Who looks at the page, and what they may do. */
export function useMe() {
  const me = api.useQuery("get", "/api/v1/me", {}, { staleTime: 60_000 });
  const csrf = me.data?.csrf;
  useEffect(() => setCsrf(csrf), [csrf]);
  if (csrf) setCsrf(csrf);
  return me;
}

export function useMay(permission: Permission): boolean {
  return useMe().data?.permissions.includes(permission) ?? false;
}

export const ROLE_FOR: Record<Permission, string> = { read: "viewer", operate: "operator", approve: "approver", admin: "admin" };
