// The DAG files that the tests run. Small programs stand for slow steps; everything else is the real thing.

export const DAGS = {
  "hello.yaml": `apiVersion: twinloom/v1
kind: Dag
name: hello
description: Says hello, some seconds long, with a log in colours.
owner: ada
params:
  who: {type: string, default: world, description: Whom to greet.}
  times: {type: integer, default: 3, minimum: 1, maximum: 30, description: How often.}
  tags: {type: array, default: [{kind: test}], description: Anything.}
steps:
  greet:
    uses: command
    cache: false
    with:
      argv:
        - sh
        - -c
        - 'i=0; while [ $i -lt $2 ]; do i=$((i+1)); printf "\\033[32mhello\\033[0m %s, line %s\\n" "$1" "$i"; sleep 0.4; done'
        - sh
        - \${{ params.who }}
        - \${{ params.times | string }}
  after:
    uses: command
    after: [greet]
    cache: false
    with: {argv: [echo, done]}
`,
  "matrix.yaml": `apiVersion: twinloom/v1
kind: Dag
name: matrix
description: A sweep whose variants report metrics; one step fails, and what needs it does not run.
params:
  base: {type: string, default: nano}
  lr: {type: number, default: 0.1}
steps:
  prepare:
    uses: command
    with:
      argv: [sh, -c, 'seq 1 40 | sed "s/.*/{\\"id\\":\\"&\\",\\"text\\":\\"row &\\"}/" > $TWINLOOM_OUTPUT_DIR/rows.jsonl']
      keys: {rows: [id]}
    out: {rows: numbers}
  train:
    uses: command
    cache: false
    in: {rows: prepare.rows}
    matrix: {rank: [4, 8, 16], seed: [1, 2]}
    with:
      argv:
        - sh
        - -c
        - 'for s in 1 2 3 4 5 6 7 8; do echo "{\\"type\\":\\"metric\\",\\"name\\":\\"train_loss\\",\\"value\\":$(awk "BEGIN{print $2*10/(\$s+$1)}"),\\"step\\":$s}"; done; echo "{\\"type\\":\\"metric\\",\\"name\\":\\"eval_loss\\",\\"value\\":$(awk "BEGIN{print 30/($1+$2*10)}")}"'
        - sh
        - \${{ matrix.rank | string }}
        - \${{ params.lr | string }}
  check:
    uses: command
    cache: false
    after: [prepare]
    retries: {max: 1, initial: 100ms}
    with: {argv: [sh, -c, 'echo "looking at the rows"; echo "row 7 has no author" >&2; exit 75']}
  report:
    uses: command
    after: [check, train]
    with: {argv: [echo, report]}
  later:
    uses: command
    if: \${{ params.base == "other" }}
    with: {argv: [echo, later]}
`,
  "articles.yaml": `apiVersion: twinloom/v1
kind: Dag
name: articles
description: Publishes a version of the dataset articles.
params:
  text: {type: string, default: first}
on:
  schedule: {cron: "0 6 * * *", timezone: Europe/Berlin, catchup: none}
steps:
  write:
    uses: command
    with:
      argv: [sh, -c, 'printf "{\\"id\\":\\"1\\",\\"title\\":\\"One\\",\\"text\\":\\"%s\\",\\"n\\":1}\\n{\\"id\\":\\"2\\",\\"title\\":\\"Two\\",\\"text\\":\\"stays\\",\\"n\\":2}\\n" "$1" > $TWINLOOM_OUTPUT_DIR/rows.jsonl', sh, "\${{ params.text }}"]
      keys: {rows: [id]}
    out: {rows: articles}
`,
  "follow.yaml": `apiVersion: twinloom/v1
kind: Dag
name: follow
description: Started by each version of articles.
on:
  datasets: {any: [articles]}
steps:
  look:
    uses: command
    in: {rows: "dataset:articles@latest"}
    with: {argv: [sh, -c, 'wc -l < $TWINLOOM_INPUT_ROWS_FILE || true']}
    out: {}
`,
  "voice.yaml": `apiVersion: twinloom/v1
kind: Dag
name: voice
description: A small model from the writing beside it, released once a person says so.
params:
  vocab: {type: integer, default: 512}
steps:
  collect:
    uses: scrape
    with: {sources: [{kind: folder, path: writing}], author: Ada}
    out: {documents: raw_documents}
  clean:
    uses: clean
    in: {documents: collect.documents}
    out: {documents: cleaned_documents}
  tokenizer:
    uses: tokenizer
    in: {documents: clean.documents}
    with: {vocab_size: "\${{ params.vocab }}", eval_share: 0.1}
    out: {tokenizer: voice}
  evaluate:
    uses: command
    after: [tokenizer]
    with:
      argv:
        - sh
        - -c
        - 'printf "%s\\n" "metric,subject,value,low,high,threshold,passed,evidence" "eval_loss,candidate,1.52,1.41,1.63,2.5,true,{}" "style_distance,candidate,0.31,0.22,0.40,0.5,true,{}" "memorised,candidate,0.02,0.01,0.04,0.05,true,{}" "eval_loss,base,2.31,2.20,2.44,,,{}" > $TWINLOOM_OUTPUT_DIR/report.csv'
      keys: {report: [metric, subject]}
    out: {report: evaluation}
  release: {uses: pipeline/release, in: {model: tokenizer.tokenizer, report: evaluate.report}}
`,
};

/** Written by the tests that need them. */
export const ASK = `apiVersion: twinloom/v1
kind: Dag
name: ask
steps:
  report:
    uses: command
    with:
      argv: [sh, -c, 'printf "%s\\n" "metric,subject,value,low,high,threshold,passed,evidence" "eval_loss,candidate,1.5,1.4,1.6,2.5,true,{}" > $TWINLOOM_OUTPUT_DIR/report.csv']
      keys: {report: [metric, subject]}
    out: {report: asked_report}
  approve:
    uses: approve
    cache: false
    in: {report: report.report}
    with: {question: "Shall it go on?", required: 2}
`;
export const NIGHTLY = `apiVersion: twinloom/v1
kind: Dag
name: nightly
on:
  schedule: {cron: "0 6 * * *", timezone: Europe/Berlin, catchup: none}
steps:
  note: {uses: command, cache: false, with: {argv: [echo, noted]}}
`;

export const PIPELINES = {
  "pipelines/release.yaml": `apiVersion: twinloom/v1
kind: Pipeline
name: release
inputs:
  model: {kind: model}
  report: {kind: dataset}
steps:
  approve:
    uses: approve
    in: {candidate: inputs.model, report: inputs.report}
    with: {approvers: ["role:approver"], timeout: 7d, on_timeout: reject}
    out: {verdict: verdict}
  promote:
    uses: promote
    in: {model: inputs.model, verdict: approve.verdict}
    out: {promotion: promotion}
`,
};

export const BROKEN = `apiVersion: twinloom/v1
kind: Dag
name: broken
steps:
  first:
    uses: comand
    with: {argv: [echo]}
  second:
    uses: command
    in: {rows: frist.rows}
    with: {argv: [echo]}
`;

/** Text enough for a tokenizer. */
export function writing(n) {
  const words = "the loom keeps every thread apart until the weaver asks for a pattern and then it gives them back in order of their colours".split(" ");
  return Array.from({ length: 12 }, (_, line) => Array.from({ length: 18 }, (_, at) => words[(line * 7 + at * (n + 3)) % words.length]).join(" ") + ".").join("\n\n");
}
