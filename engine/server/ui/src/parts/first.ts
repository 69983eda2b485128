// What an empty installation is taught with.
export const FIRST = `apiVersion: twinloom/v1
kind: Dag
name: hello
description: A first DAG, one step that says hello.
params:
  who: {type: string, default: world}
steps:
  greet:
    uses: command
    with:
      argv: [echo, "hello \${{ params.who }}"]
`;
