import { QueryClientProvider } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link, Route, Switch } from "wouter";
import { queries } from "../api/client";
import { listen } from "../api/live";
import { useMe } from "../api/me";
import { preloadIdle } from "../ui/later";
import { Empty, Loading, Problem } from "../ui/Notes";
import { Login } from "./Login";
import { ROUTES } from "./pages";
import { Shell } from "./Shell";

export function App() {
  return (
    <QueryClientProvider client={queries}>
      <Gate />
    </QueryClientProvider>
  );
}

/** The login where the server has users and knows none; the pages otherwise. */
function Gate() {
  const me = useMe();
  if (me.data?.login_required && !me.data.signed_in) return <Login />;
  if (me.data) return <Pages />;
  if (!me.error) return <Bare><Loading rows={4} /></Bare>;
  return <Bare><Problem error={me.error} retry={() => void me.refetch()} /></Bare>;
}

function Bare({ children }: { children: React.ReactNode }) {
  return (
    <main className="page" style={{ maxWidth: 560, margin: "8vh auto" }}>
      {children}
    </main>
  );
}

function Pages() {
  useEffect(listen, []);
  useEffect(() => preloadIdle(ROUTES.map(([, Page]) => Page)), []);
  return (
    <Shell>
      <Switch>
        {ROUTES.map(([path, Page]) => (
          <Route key={path} path={path}>
            <Page />
          </Route>
        ))}
        <Route>
          <Empty title="There is no such page">
            <p>
              The address may be mistyped. <Link href="/">Go to the overview</Link>, or press <kbd>Ctrl</kbd> <kbd>K</kbd> to search.
            </p>
          </Empty>
        </Route>
      </Switch>
    </Shell>
  );
}
