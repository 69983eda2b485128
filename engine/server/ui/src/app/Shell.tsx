import { Component, Suspense, useEffect, useState, type ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { api, client, queries } from "../api/client";
import { reconnect, useConnection } from "../api/live";
import { useMe } from "../api/me";
import { shortId } from "../lib/format";
import { Icon } from "../ui/Icon";
import { Loading, Problem } from "../ui/Notes";
import { Time } from "../ui/Time";
import { Toasts, toastError } from "../ui/Toasts";
import { Help } from "./Help";
import { useKeys } from "./keys";
import { PAGES } from "./pages";
import { Palette } from "./Palette";
import { flipTheme, useTheme } from "./theme";

export function Shell({ children }: { children: ReactNode }) {
  const [open, setOpen] = useState<"" | "palette" | "help" | "menu">("");
  const [path] = useLocation();
  const close = () => setOpen("");
  useKeys({ palette: () => setOpen("palette"), help: () => setOpen("help") });
  useEffect(close, [path]);
  return (
    <div className="shell">
      <a className="skip-link" href="#main">
        Skip to the content
      </a>
      <Side open={open === "menu"} />
      {open === "menu" && <button type="button" className="side-veil" aria-label="close the menu" onClick={close} />}
      <div className="main">
        <header className="top">
          <button type="button" className="btn quiet icon menu-open" aria-label="menu" aria-expanded={open === "menu"} onClick={() => setOpen("menu")}>
            <Icon name="menu" />
          </button>
          <Crumbs path={path} />
          <button type="button" className="btn search-open" onClick={() => setOpen("palette")}>
            <Icon name="search" />
            <span>Search</span>
            <kbd>Ctrl K</kbd>
          </button>
          <ThemeButton />
          <button type="button" className="btn quiet icon" aria-label="keyboard help" title="keyboard help (?)" onClick={() => setOpen("help")}>
            <Icon name="help" />
          </button>
        </header>
        <LostBanner />
        <main className="page" id="main" tabIndex={-1}>
          <Boundary key={path.split("/").slice(0, 3).join("/")}>
            <Suspense fallback={<Loading rows={8} />}>{children}</Suspense>
          </Boundary>
        </main>
      </div>
      {open === "palette" && <Palette onClose={close} />}
      {open === "help" && <Help onClose={close} />}
      <Toasts />
    </div>
  );
}

function Side({ open }: { open: boolean }) {
  const [path] = useLocation();
  const overview = api.useQuery("get", "/api/v1/overview");
  const waiting = overview.data?.waiting.length ?? 0;
  const me = useMe();
  const current = (page: string) => (page === "/" ? path === "/" : path === page || path.startsWith(`${page}/`));
  return (
    <aside className={open ? "side open" : "side"} aria-label="navigation">
      <Link href="/" className="brand">
        <img src="/icon.svg" width="22" height="22" alt="" />
        Twinloom
      </Link>
      <nav aria-label="pages">
        {PAGES.map(({ path: page, word, icon, key }) => (
          <Link key={page} href={page} aria-current={current(page) ? "page" : undefined} title={`g ${key}`}>
            <Icon name={icon} />
            {word}
            {page === "/approvals" && waiting > 0 && (
              <span className="count">
                {waiting}
                <span className="visually-hidden"> waiting</span>
              </span>
            )}
          </Link>
        ))}
      </nav>
      <div className="side-foot">
        <Live />
        {me.data?.login_required && <span className="clip">signed in as {me.data.name}</span>}
        {me.data?.login_required && <LogOut />}
        {me.data && <span className="clip">version {me.data.version}</span>}
      </div>
    </aside>
  );
}

function LogOut() {
  const out = () => {
    client
      .DELETE("/api/v1/session")
      .then(() => {
        queries.clear();
        location.assign("/");
      })
      .catch(toastError);
  };
  return (
    <button type="button" className="btn" onClick={out}>
      Log out
    </button>
  );
}

function Live() {
  const { state } = useConnection();
  const word = { live: "live", connecting: "connecting…", lost: "connection lost" }[state];
  return (
    <span className={`status tone-${state === "live" ? "green" : state === "lost" ? "amber" : "grey"}`}>
      <svg width="9" height="9" viewBox="0 0 9 9" aria-hidden="true">
        <circle cx="4.500" cy="4.500" r="3.500" fill={state === "live" ? "currentColor" : "none"} stroke="currentColor" strokeWidth="1.500" />
      </svg>
      {word}
    </span>
  );
}

function LostBanner() {
  const connection = useConnection();
  // The region stands from the start, so that what comes into it is read out.
  return (
    <div role="status" aria-live="polite">
      {connection.state === "lost" && (
        <div className="banner" data-testid="lost">
          <span>
            <strong>Connection lost</strong> <Time at={new Date(connection.since).toISOString()} />. What you see may be old; the page catches up by itself.
          </span>
          <button type="button" className="btn" onClick={reconnect}>
            Try now
          </button>
        </div>
      )}
    </div>
  );
}

function ThemeButton() {
  const theme = useTheme();
  const other = theme === "dark" ? "light" : "dark";
  return (
    <button type="button" className="btn quiet icon" aria-label={`${other} theme`} title={`${other} theme`} onClick={flipTheme}>
      <Icon name={theme === "dark" ? "sun" : "moon"} />
    </button>
  );
}

/** Where a part of the path leads. An approval lies below its run, which has a page of its own. */
function crumb(parts: string[], index: number): string {
  return parts[0] === "approvals" && index === 1 ? `/runs/${parts[1] ?? ""}` : `/${parts.slice(0, index + 1).join("/")}`;
}

/** The path in the address. */
function Crumbs({ path }: { path: string }) {
  const parts = path.split("/").filter(Boolean);
  const home = PAGES.find((page) => page.path === `/${parts[0] ?? ""}`);
  const words = [home?.word ?? parts[0] ?? "", ...parts.slice(1).map((part) => decodeURIComponent(part)).map((part) => (/^[0-9A-Z]{26}$/.test(part) ? shortId(part) : part))];
  useEffect(() => {
    document.title = [...words].reverse().concat("Twinloom").join(" · ");
  });
  return (
    <nav className="crumbs" aria-label="breadcrumbs">
      <ol>
        {words.map((word, index) => {
          const last = index === words.length - 1;
          return <li key={index}>{last ? <span aria-current="page">{word}</span> : <Link href={crumb(parts, index)}>{word}</Link>}</li>;
        })}
      </ol>
    </nav>
  );
}

/** A page that breaks leaves the rest standing. */
class Boundary extends Component<{ children: ReactNode }, { error?: unknown }> {
  state: { error?: unknown } = {};
  static getDerivedStateFromError(error: unknown) {
    return { error };
  }
  render() {
    return this.state.error ? <Problem error={this.state.error} retry={() => location.reload()} /> : this.props.children;
  }
}
