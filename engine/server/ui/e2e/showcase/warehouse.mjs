// A DAG of 500 tasks: 50 tables of nine steps, gathered by region and once more.

const REGIONS = ["north", "south", "east", "west", "centre"];
const TABLES = ["orders", "returns", "customers", "stock", "yarns", "dyes", "prices", "suppliers", "visits", "letters"];

export const table = `apiVersion: twinloom/v1
kind: Pipeline
name: table
description: Brings one table over.
params:
  name: {type: string, default: orders}
steps:
  extract: {uses: command, with: {argv: [echo, "\${{ params.name }}"]}}
  decode: {uses: command, after: [extract], with: {argv: [echo, "decode \${{ params.name }}"]}}
  types: {uses: command, after: [decode], with: {argv: [echo, "types \${{ params.name }}"]}}
  keys: {uses: command, after: [decode], with: {argv: [echo, "keys \${{ params.name }}"]}}
  nulls: {uses: command, after: [types], with: {argv: [echo, "nulls \${{ params.name }}"]}}
  join: {uses: command, after: [types, keys], with: {argv: [echo, "join \${{ params.name }}"]}}
  checks: {uses: command, after: [nulls, join], with: {argv: [echo, "checks \${{ params.name }}"]}}
  totals: {uses: command, after: [join], with: {argv: [echo, "totals \${{ params.name }}"]}}
  publish: {uses: command, after: [checks, totals], with: {argv: [echo, "publish \${{ params.name }}"]}}
`;

const brought = REGIONS.flatMap((region) => TABLES.map((name) => ({ id: `${name}_${region}`, region, name })));
const step = (id, words, after) => `  ${id}: {uses: command, after: [${after.join(", ")}], with: {argv: [echo, "${words} \${{ params.day }}"]}}\n`;

export const warehouse = `apiVersion: twinloom/v1
kind: Dag
name: warehouse
description: Brings fifty tables over, five regions, every night.
owner: ben
on: {schedule: {cron: "30 2 * * *", timezone: Europe/Berlin, catchup: latest}}
params:
  day: {type: string, default: "2026-11-20"}
steps:
  begin: {uses: command, with: {argv: [echo, "begin \${{ params.day }}"]}}
${brought.map(({ id, region, name }) => `  ${id}: {uses: pipeline/table, after: [begin], with: {name: "${name} of ${region}"}}\n`).join("")}${REGIONS.map((region) => step(`sums_${region}`, `sums of ${region}`, brought.filter((one) => one.region === region).map(({ id }) => id))).join("")}${TABLES.map((name) => step(`compare_${name}`, `compare ${name}`, brought.filter((one) => one.name === name).map(({ id }) => id))).join("")}${REGIONS.map((region) => step(`mart_${region}`, `mart of ${region}`, [`sums_${region}`, ...TABLES.map((name) => `compare_${name}`)])).join("")}${REGIONS.map((region) => step(`view_${region}`, `view of ${region}`, [`mart_${region}`])).join("")}${REGIONS.map((region) => step(`grants_${region}`, `grants of ${region}`, [`view_${region}`])).join("")}${["catalogue", "lineage", "sizes", "ages", "costs", "quality", "owners", "index", "search", "snapshot"].map((name) => step(name, name, REGIONS.map((region) => `grants_${region}`))).join("")}${["readers", "mail", "board", "backup", "prune", "audit", "seal", "notes"].map((name) => step(name, name, ["catalogue", "quality", "snapshot"])).join("")}  done: {uses: command, after: [readers, mail, board, backup, prune, audit, seal, notes], with: {argv: [echo, "done \${{ params.day }}"]}}
`;
