// What a small team's server looks like after some weeks: the DAGs of the pictures. Programs stand for what takes long.
import { table, warehouse } from "./warehouse.mjs";

const argv = (script, ...rest) => JSON.stringify(["sh", "-c", script, "sh", ...rest]);
// A measured loss: falls with steps, lower for a good rank and rate.
const CURVE = 'awk -v r="$1" -v l="$2" -v s="$3" \'BEGIN { srand(s); f = 1.7 + 0.9/r + 12*(l-0.004)*(l-0.004)*1000; for (i = 1; i <= 40; i++) { n = (rand()-0.5)*0.12; print "{\\"type\\":\\"metric\\",\\"name\\":\\"train_loss\\",\\"value\\":" f + 2.4*exp(-i/9) + n ",\\"step\\":" i*5 "}"; if (i % 5 == 0) print "{\\"type\\":\\"metric\\",\\"name\\":\\"eval_loss\\",\\"value\\":" f + 0.1 + 2.2*exp(-i/9) ",\\"step\\":" i*5 "}" } print "{\\"type\\":\\"result\\",\\"metrics\\":{\\"eval_loss\\":" f + 0.12 ",\\"train_loss\\":" f + 0.01 ",\\"tokens_per_second\\":" 5200 - 60*r "}}" }\'';
const VERDICTS = `awk -v v="$1" 'BEGIN { print "metric,subject,value,low,high,threshold,passed"; d = (v % 7) * 0.03; split("improvement style_distance recited_share extracted_share ability_drop regression", m, " "); print "improvement,candidate," 0.61+d "," 0.48+d "," 0.74+d ",0,true"; print "style_distance,candidate," 0.31-d/2 "," 0.22-d/2 "," 0.40-d/2 ",0.5,true"; print "recited_share,candidate," 0.08+d/3 "," 0.04 "," 0.15+d/3 ",0.5,true"; print "extracted_share,candidate,0.0,0.0,0.03,0.25,true"; print "ability_drop,candidate," 0.02+d/2 ",-0.03," 0.07+d/2 ",0.15,true"; bad = (v == 520); print "regression,production," (bad ? 0.09 : -0.03) "," (bad ? 0.06 : -0.07) "," (bad ? 0.12 : 0.01) ",0.05," (bad ? "false" : "true"); print "eval_loss,candidate,1.52,1.41,1.63,,"; print "eval_loss,base,2.31,2.20,2.44,,"; print "eval_loss,production,1.55,1.44,1.66,," }' > $TWINLOOM_OUTPUT_DIR/report.csv; sleep 0.4`;

export const PIPELINES = {
  "table.yaml": table,
  "features.yaml": `apiVersion: twinloom/v1
kind: Pipeline
name: features
description: Cleans documents, cuts them into chunks, and makes instruct pairs.
inputs:
  documents: {kind: dataset}
steps:
  clean: {uses: clean, in: {documents: inputs.documents}, out: {documents: cleaned_documents}}
  chunk: {uses: chunk, in: {documents: clean.documents}, out: {chunks: chunks}}
  instruct: {uses: instruct, in: {documents: clean.documents}, out: {instruct: instruct, documents: training_documents}}
outputs:
  documents: instruct.documents
  instruct: instruct.instruct
`,
  "release.yaml": `apiVersion: twinloom/v1
kind: Pipeline
name: release
description: Judges a model, asks a person, and points the alias at it.
params:
  vocab: {type: integer, default: 512}
inputs:
  model: {kind: model}
  documents: {kind: dataset}
steps:
  evaluate:
    uses: command
    in: {documents: inputs.documents}
    with: {argv: ${argv(VERDICTS, "${{ params.vocab | string }}")}, keys: {report: [metric, subject]}}
    out: {report: evaluation}
  approve:
    uses: approve
    in: {candidate: inputs.model, report: evaluate.report}
    with: {approvers: ["role:approver"], timeout: 7d, on_timeout: reject}
    out: {verdict: verdict}
  promote: {uses: promote, in: {model: inputs.model, verdict: approve.verdict}, out: {promotion: promotion}}
outputs:
  report: evaluate.report
`,
};

export const DAGS = {
  "warehouse.yaml": warehouse,
  "collect.yaml": `apiVersion: twinloom/v1
kind: Dag
name: collect
description: Reads what the author has written since the last time.
owner: ada
labels: {team: writing}
on:
  schedule: {cron: "0 */6 * * *", timezone: Europe/Berlin, catchup: none, jitter: 5m}
freshness: {raw_documents: 12h}
params:
  author: {type: string, default: Ada Larsen, description: Fills the author of documents that name none.}
steps:
  scrape:
    uses: scrape
    cache: false
    with: {sources: [{kind: folder, path: writing}], author: "\${{ params.author }}"}
    out: {documents: raw_documents}
`,
  "twin.yaml": `apiVersion: twinloom/v1
kind: Dag
name: twin
description: Builds features from an author's writing, makes a model of it, and releases it once a person says so.
owner: ada
params:
  vocab: {type: integer, default: 512, minimum: 300, maximum: 4000, description: Tokens of the vocabulary.}
on:
  datasets: {any: [{name: raw_documents, min_changed_rows: 3}], debounce: 20m}
concurrency: {max_runs: 2, when_busy: queue}
defaults:
  retries: {max: 2, backoff: exponential, initial: 1s}
  timeout: 30m
steps:
  features: {uses: pipeline/features, in: {documents: "dataset:raw_documents@latest"}}
  tokenizer:
    uses: tokenizer
    in: {documents: features.documents, instruct: features.instruct}
    with: {vocab_size: "\${{ params.vocab }}"}
    out: {tokenizer: twin}
  release:
    uses: pipeline/release
    in: {model: tokenizer.tokenizer, documents: features.documents}
    with: {vocab: "\${{ params.vocab }}"}
`,
  "tune.yaml": `apiVersion: twinloom/v1
kind: Dag
name: tune
description: Which rank and learning rate suit the author.
owner: ben
params:
  learning_rate: {type: number, default: 0.003, description: Highest learning rate.}
  method: {type: string, default: lora, enum: [lora, rslora, dora], description: What is trained.}
pools: {gpu: 2}
steps:
  train:
    uses: command
    cache: false
    pool: gpu
    matrix: {rank: [4, 8, 16, 32]}
    select: {metric: eval_loss, goal: minimize}
    with: {argv: ${argv(CURVE, "${{ matrix.rank | string }}", "${{ params.learning_rate | string }}", "7")}}
`,
  "prices.yaml": `apiVersion: twinloom/v1
kind: Dag
name: prices
description: Fetches the day's yarn prices, checks them and writes the report.
owner: ben
on: {schedule: {every: 12h}}
freshness: {prices: 20s}
defaults:
  retries: {max: 2, backoff: constant, initial: 300ms}
params:
  day: {type: string, default: today}
  strict: {type: boolean, default: false, description: Whether a missing price fails the run.}
steps:
  fetch:
    uses: command
    cache: false
    with:
      argv: ${argv('echo "GET /prices?day=$1"; if [ "$TWINLOOM_ATTEMPT" -lt 2 ]; then echo "503 Service Unavailable, retry after 1 s" >&2; exit 75; fi; i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo "{\\"sku\\":\\"yarn-$i\\",\\"price\\":$((i*7%90+10)).50,\\"day\\":\\"$1\\",\\"colour\\":\\"madder $((i%9))\\"}"; done > $TWINLOOM_OUTPUT_DIR/rows.jsonl; printf "\\033[32mok\\033[0m 60 prices\\n"', "${{ params.day }}")}
      keys: {rows: [sku]}
    out: {rows: prices}
  check:
    uses: command
    cache: false
    in: {rows: fetch.rows}
    with: {argv: ${argv('echo "checking 60 prices"; printf "\\033[33mwarning\\033[0m yarn-12 changed by 41 %%\\n"; if [ "$1" = True ] || [ "$1" = true ]; then echo "Traceback: no price for yarn-61, which the catalogue lists" >&2; echo "1 of 61 prices is missing" >&2; exit 3; fi; sleep 0.5', "${{ params.strict | string }}")}}
  report: {uses: command, cache: false, after: [check], with: {argv: [sleep, "0.3"]}}
  archive: {uses: command, if: "\${{ params.day == 'sunday' }}", after: [check], with: {argv: [echo, archived]}}
`,
  "digest.yaml": `apiVersion: twinloom/v1
kind: Dag
name: digest
description: Writes the week's digest whenever the shop calls.
owner: ben
on:
  webhook: {secret: "secret:SHOP_HOOK"}
  runs: {dag: prices, state: failed}
  queue: {name: shop_orders}
concurrency: {max_runs: 1, when_busy: skip}
steps:
  gather: {uses: command, cache: false, with: {argv: [sleep, "1"]}}
  summarise:
    uses: command
    cache: false
    after: [gather]
    with: {argv: ${argv('i=0; while [ $i -lt 1200 ]; do i=$((i+1)); echo "{\\"type\\":\\"progress\\",\\"done\\":$i,\\"total\\":1200,\\"unit\\":\\"letters\\"}"; echo "letter $i read"; sleep 0.5; done')}}
  send: {uses: command, after: [summarise], with: {argv: [echo, sent]}}
`,
  "newsletter.yaml": `apiVersion: twinloom/v1
kind: Dag
name: newsletter
description: Not loaded, its file has errors.
steps:
  first:
    uses: comand
    with: {argv: [echo]}
  second:
    uses: command
    in: {rows: frist.rows}
    with: {argv: [echo]}
`,
};
