const PATHS = {
  overview: "M2.500 8.500h3l1.500-5 2.500 9 1.500-4h2.500",
  dags: "M4 4h0M12 8h0M4 12h0M5.500 4.500 10.500 7.500M5.500 11.500 10.500 8.500",
  runs: "M5 3.500v9l7-4.500z",
  datasets: "M3 4.500c0-1.100 2.200-2 5-2s5 .9 5 2-2.200 2-5 2-5-.9-5-2zM3 4.500v7c0 1.100 2.200 2 5 2s5-.9 5-2v-7M3 8c0 1.100 2.200 2 5 2s5-.9 5-2",
  models: "M8 2 13.500 5v6L8 14l-5.500-3V5zM2.500 5 8 8l5.500-3M8 8v6",
  experiments: "M2.500 13.500v-11M2.500 13.500h11M4.500 10.500 7.500 7l2 2 4-5",
  approvals: "M3 8.500 6.500 12 13 4.500",
  events: "M8 2.500v5.500l3.500 2M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12z",
  settings: "M2.500 4.500h6M11.500 4.500h2M2.500 11.500h2M7.500 11.500h6M10 3v3M6 10v3",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.600 10.600 14 14",
  menu: "M2.500 4.500h11M2.500 8h11M2.500 11.500h11",
  close: "m4 4 8 8m0-8-8 8",
  copy: "M5.500 5.500h7v7h-7zM10.500 5.500v-2h-7v7h2",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.500v1M8 13.500v1M1.500 8h1M13.500 8h1M3.400 3.400l.7.700M11.900 11.900l.7.700M3.400 12.600l.7-.7M11.900 4.100l.7-.7",
  moon: "M13.500 9.500A6 6 0 0 1 6.500 2.500a6 6 0 1 0 7 7z",
  help: "M6 6a2 2 0 1 1 2.800 1.800c-.6.3-.8.600-.8 1.200M8 11.500h0M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12z",
  play: "M5 3.500v9l7-4.500z",
  retry: "M13 8a5 5 0 1 1-1.500-3.600M13 2.500v3h-3",
  stop: "M4 4h8v8H4z",
  pause: "M5.500 3.500v9M10.500 3.500v9",
  download: "M8 2.500v7.500M4.800 7 8 10.200 11.200 7M3 13.500h10",
  link: "M6.500 9.500 9.500 6.500M7 4.500 8.500 3a3 3 0 0 1 4.500 4.500L11.500 9M9 11.500 7.500 13A3 3 0 0 1 3 8.500L4.500 7",
  down: "m4 6 4 4 4-4",
  right: "m6 4 4 4-4 4",
  tag: "M2.500 2.500h5l6 6-5 5-6-6zM5.200 5.200h0",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === "dags" ? 1.6 : 1.5}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {name === "dags" ? (
        <>
          <circle cx="4" cy="4" r="1.800" />
          <circle cx="4" cy="12" r="1.800" />
          <circle cx="12" cy="8" r="1.800" />
          <path d="M5.700 4.900 10.300 7.200M5.700 11.100l4.600-2.300" />
        </>
      ) : (
        <path d={PATHS[name]} />
      )}
    </svg>
  );
}
