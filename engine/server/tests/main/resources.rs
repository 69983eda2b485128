//! What the pages show, from real runs.

use reqwest::{Method, StatusCode};
use serde_json::json;

use twinloom_meta::DestinationRow;
use twinloom_runtime::service::QueueMessage;

use crate::support::{ASK, GREET, Running, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_shows_on_every_page() {
    let server = Running::start(&[("greet", GREET)]).await;
    let dags = server.get("/dags").await;
    assert_eq!(dags["items"][0]["name"], "greet");
    assert_eq!(dags["items"][0]["valid"], true, "{dags}");
    assert!(dags["items"][0]["next_fire"].is_string());
    let dag = server.get("/dags/greet").await;
    assert_eq!(dag["params_schema"]["properties"]["who"]["default"], "world");
    assert_eq!(dag["params_schema"]["properties"]["count"]["minimum"], 1);
    assert_eq!(dag["trigger_states"][0]["kind"], "schedule");
    assert_eq!(
        server.get("/dags/greet/fires?count=3").await["items"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(server.get("/dags/greet/graph").await["nodes"][0]["id"], "hello");

    let run = server.run("greet", json!({ "who": "Ada" })).await;
    let detail = server.get(&format!("/runs/{run}")).await;
    assert_eq!(detail["state"], "succeeded", "{detail}");
    assert_eq!(detail["params"]["who"], "Ada");
    assert_eq!(detail["trigger"]["by"], "local");
    let output = &detail["tasks"][0]["outputs"][0];
    assert_eq!(
        (output["name"].as_str(), output["version"].as_u64()),
        (Some("greetings"), Some(1))
    );
    assert_eq!(
        server.get(&format!("/runs/{run}/graph")).await["nodes"][0]["state"],
        "succeeded"
    );
    let task = server.get(&format!("/runs/{run}/tasks/hello")).await;
    assert_eq!(task["attempt_history"][0]["outcome"], "succeeded");
    let logs = server.get(&format!("/runs/{run}/tasks/hello/logs?q=HELLO")).await;
    assert!(
        logs["items"][0]["message"]
            .as_str()
            .unwrap()
            .contains("hello Ada"),
        "{logs}"
    );
    assert!(
        server.get(&format!("/runs/{run}/source")).await["text"]
            .as_str()
            .unwrap()
            == GREET
    );
    assert!(
        server.get(&format!("/runs/{run}/why")).await["text"]
            .as_str()
            .unwrap()
            .contains("succeeded")
    );
    assert_eq!(
        server.get("/dags/greet/grid").await["cells"][0]["state"],
        "succeeded"
    );
    assert_eq!(
        server.get("/experiments?dag=greet").await["items"][0]["artifacts"][0],
        "greetings@1"
    );
    assert_eq!(server.get("/runs?state=failed").await["items"], json!([]));
    assert_eq!(server.get("/overview").await["counts"]["succeeded"], 1);
    for path in [
        "/pools",
        "/storage",
        "/events",
        "/audit",
        "/models",
        "/operators",
        "/schema/dag",
        "/tokens",
        "/secrets",
    ] {
        server.get(path).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_shows_its_versions_rows_and_difference() {
    let server = Running::start(&[("greet", GREET)]).await;
    server.run("greet", json!({ "who": "Ada" })).await;
    server.run("greet", json!({ "who": "Bob" })).await;
    assert_eq!(server.get("/datasets").await["items"][0]["versions"], 2);
    let dataset = server.get("/datasets/greetings?limit=1").await;
    assert_eq!(dataset["items"][0]["version"], 2);
    assert_eq!(dataset["next_cursor"], "2");
    let older = server.get("/datasets/greetings?limit=1&cursor=2").await;
    assert_eq!(
        (
            older["items"][0]["version"].as_u64(),
            older["next_cursor"].is_null()
        ),
        (Some(1), true)
    );
    let version = server.get("/datasets/greetings/versions/latest").await;
    assert_eq!(
        version["changes"],
        json!({ "added": 0, "changed": 1, "removed": 0 })
    );
    assert_eq!(version["keys"], json!(["id"]));
    let rows = server.get("/datasets/greetings/versions/2/rows").await;
    assert_eq!(rows["rows"], json!([{ "id": "a", "text": "Bob" }]));
    let diff = server.get("/datasets/greetings/diff?from=1&to=2").await;
    assert_eq!(diff["items"][0]["change"], "changed");
    assert_eq!(diff["items"][0]["before"][0]["text"], "Ada");
    assert_eq!(diff["items"][0]["after"][0]["text"], "Bob");
    let lineage = server.get("/datasets/greetings/lineage").await;
    assert_eq!(lineage["root"], "dataset:greetings@2");
    let (status, problem) = server
        .answer(server.request(Method::GET, "/api/v1/datasets/greeting"))
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(problem["code"], "store.not_found", "{problem}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_shown_with_its_evidence_and_answered_once() {
    let server = Running::start(&[("ask", ASK)]).await;
    let run = server.run("ask", json!({})).await;
    let inbox = server.get("/approvals").await;
    assert_eq!(inbox["items"][0]["run"], run);
    assert_eq!(inbox["items"][0]["approvers"], json!(["role:approver"]));
    let path = format!("/approvals/{run}/approve");
    let question = server.get(&path).await;
    assert_eq!(question["evidence"]["passed"], true, "{question}");
    assert_eq!(question["may_decide"], true);
    let (status, _) = server
        .post(&path, json!({ "approved": true, "comment": "reads well" }))
        .await;
    assert_eq!(status, StatusCode::OK);
    let until = twinloom_runtime::WaitFor::Ended;
    server.service.engine().wait(&run, until).await.unwrap();
    let detail = server.get(&format!("/runs/{run}")).await;
    assert_eq!(detail["state"], "succeeded", "{detail}");
    assert_eq!(detail["decisions"][0]["comment"], "reads well");
    let (status, problem) = server.post(&path, json!({ "approved": true })).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::CONFLICT, Some("run.not_waiting"))
    );
    assert_eq!(
        server.get("/approvals?state=all").await["items"][0]["outcome"],
        "approved"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_come_in_pages_that_meet() {
    let server = Running::start(&[("greet", GREET)]).await;
    for _ in 0..5 {
        server.run("greet", json!({})).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/runs?limit=2{cursor}")).await;
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|run| run["id"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let all = server.get("/runs").await;
    let all: Vec<_> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((seen.len(), &seen), (5, &all));
    let (status, problem) = server
        .answer(server.request(Method::GET, "/api/v1/runs?cursor=nonsense"))
        .await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::BAD_REQUEST, Some("request.cursor"))
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_changed_only_by_whoever_has_read_it() {
    let server = Running::start(&[("greet", GREET)]).await;
    let path = "/api/v1/dags/greet/source";
    let read = server.request(Method::GET, path).send().await.unwrap();
    let tag = read.headers()["etag"].to_str().unwrap().to_owned();
    let put = |text: &str| server.request(Method::PUT, path).json(&json!({ "text": text }));
    let (status, _) = server.answer(put(GREET)).await;
    assert_eq!(status, StatusCode::PRECONDITION_REQUIRED);
    let changed = GREET.replace("Writes a greeting", "Says hello");
    let (status, body) = server.answer(put(&changed).header("if-match", &tag)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(server.get("/dags/greet").await["description"], "Says hello.");
    let (status, problem) = server.answer(put(GREET).header("if-match", &tag)).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::PRECONDITION_FAILED, Some("dag.conflict"))
    );
    let tag = format!("\"{}\"", body["hash"].as_str().unwrap());
    let broken = changed.replace("uses: command", "uses: comand");
    let (status, problem) = server.answer(put(&broken).header("if-match", &tag)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(problem["errors"][0]["line"].as_u64().unwrap() > 5, "{problem}");
    let (_, checked) = server.post("/validate", json!({ "text": broken })).await;
    assert_eq!(checked["valid"], false);
    assert!(
        checked["diagnostics"][0]["rendered"]
            .as_str()
            .unwrap()
            .contains("comand")
    );
    let (_, planned) = server
        .post("/validate", json!({ "text": GREET, "params": {} }))
        .await;
    assert_eq!(planned["plan"][0]["would"], "run", "{planned}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_name_the_place_and_absent_things_say_what_there_is() {
    let server = Running::start(&[("greet", GREET)]).await;
    let (status, problem) = server
        .post("/dags/greet/runs", json!({ "params": { "count": "many" } }))
        .await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("spec.invalid"))
    );
    assert!(!problem["hint"].as_str().unwrap().is_empty());
    for path in [
        "/dags/none",
        "/runs/none",
        "/models/none",
        "/approvals/none/x",
        "/users/none",
        "/nothing",
    ] {
        let (status, problem) = server
            .answer(server.request(Method::GET, &format!("/api/v1{path}")))
            .await;
        let expected = if path == "/users/none" {
            StatusCode::METHOD_NOT_ALLOWED
        } else {
            StatusCode::NOT_FOUND
        };
        assert_eq!(status, expected, "{path}: {problem}");
        assert!(problem["code"].is_string(), "{path}: {problem}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_a_backfill_changes_nothing() {
    let server = Running::start(&[("greet", GREET)]).await;
    let path = "/dags/greet/backfill";
    let looked = format!("{path}?from=2026-03-01T00:00:00Z&to=2026-03-03T00:00:00Z");
    let range = json!({ "from": "2026-03-01T00:00:00Z", "to": "2026-03-03T00:00:00Z" });
    let preview = server.get(&looked).await;
    assert_eq!(preview["fires"].as_array().unwrap().len(), 2, "{preview}");
    assert_eq!(server.get("/audit").await["items"], json!([]));
    // Whoever asks the old way for a look must not start runs.
    let mut old = range.clone();
    old["preview"] = true.into();
    let (status, problem) = server.post(path, old).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("request.body"))
    );
    assert_eq!(server.get("/runs").await["items"], json!([]));
    let (status, started) = server.post(path, range).await;
    assert_eq!(status, StatusCode::OK, "{started}");
    assert_eq!(started["runs"].as_array().unwrap().len(), 2);
    let again = server.get(&looked).await;
    for (fire, run) in again["fires"]
        .as_array()
        .unwrap()
        .iter()
        .zip(started["runs"].as_array().unwrap())
    {
        assert_eq!(&fire["run"], run, "{again}");
    }
    server.stop().await;
}

/// Listens to a queue of a server that nobody named.
const WORKER: &str = "apiVersion: twinloom/v1\nkind: Dag\nname: worker\n\
    params: {size: {type: integer, default: 1}}\n\
    on: {queue: {name: jobs, params: {size: /size}}}\n\
    steps:\n  note: {uses: command, executor: inline, with: {argv: [\"true\"]}}\n";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_beside_runs_is_in_the_overview() {
    let broken = GREET.replace("uses: command", "uses: comand");
    let server = Running::start(&[("greet", &broken), ("worker", WORKER)]).await;
    let message = |body: &str| QueueMessage {
        id: None,
        body: body.as_bytes().to_vec(),
    };
    let service = &server.service;
    service.queue_message("jobs", message("{}")).await.unwrap();
    service.settle().await.unwrap();
    let row = DestinationRow {
        name: "team".to_owned(),
        config: json!({}),
        cursor: 0,
        tries: 3,
        last_error: Some("it answered 404 Not Found".to_owned()),
        next_at: None,
        updated_at: jiff::Timestamp::now(),
    };
    server.meta().put_destination(&row).await.unwrap();
    until("the queue", async || {
        server.get("/overview").await["queues"] != json!([])
    })
    .await;
    let overview = server.get("/overview").await;
    let file = &overview["broken"][0];
    assert_eq!(
        (
            file["dag"].as_str(),
            file["errors"].as_u64(),
            file["in_force"].as_bool()
        ),
        (Some("greet"), Some(1), Some(false)),
        "{overview}"
    );
    assert!(file["message"].as_str().unwrap().contains("comand"), "{file}");
    assert!(
        file["line"].as_u64().unwrap() > 5 && file["file"] == file["path"],
        "{file}"
    );
    let failure = &overview["trigger_failures"][0];
    assert_eq!(failure["dag"], "worker");
    assert!(failure["reason"].as_str().unwrap().contains("/size"), "{failure}");
    let queue = &overview["queues"][0];
    assert_eq!(
        (&queue["name"], &queue["dags"]),
        (&json!("jobs"), &json!(["worker"]))
    );
    assert!(queue["error"].as_str().unwrap().contains("AMQP_URL"), "{queue}");
    let trigger = &server.get("/dags/worker/triggers").await["items"][0];
    assert_eq!(trigger["queue"]["connected"], false, "{trigger}");
    assert_eq!(overview["destinations"][0]["error"], "it answered 404 Not Found");
    // A trigger that has started a run since is well again.
    service
        .queue_message("jobs", message(r#"{"size": 2}"#))
        .await
        .unwrap();
    service.settle().await.unwrap();
    let overview = server.get("/overview").await;
    assert_eq!(overview["trigger_failures"], json!([]), "{overview}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_of_the_same_moment_are_all_listed() {
    let server = Running::start(&[]).await;
    let question = |run: &str, task: &str| twinloom_meta::ApprovalRow {
        run: run.to_owned(),
        task: task.to_owned(),
        request: json!({ "question": "Fine?" }),
        opened_at: jiff::Timestamp::UNIX_EPOCH,
        expires_at: None,
        closed_at: None,
        outcome: None,
        given: 0,
    };
    let asked = [("01A", "x"), ("01A", "y/z"), ("01B", "x")];
    let rows = asked.iter().map(|(run, task)| question(run, task).into());
    server.meta().apply(rows.collect(), &[]).await.unwrap();
    for state in ["open", "all"] {
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = server
                .get(&format!("/approvals?state={state}&limit=1{cursor}"))
                .await;
            let item = &page["items"][0];
            let text = |key: &str| item[key].as_str().unwrap().to_owned();
            found.push((text("run"), text("task")));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        if state == "all" {
            found.reverse();
        }
        let wanted = asked.map(|(run, task)| (run.to_owned(), task.to_owned()));
        assert_eq!(found, wanted, "{state}");
    }
    let wrong = server.request(Method::GET, "/api/v1/approvals?cursor=17");
    assert_eq!(server.answer(wrong).await.1["code"], "request.cursor");
    server.stop().await;
}
