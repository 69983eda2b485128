//! `user` and `token`, in the home folder and on a server.

use super::support::{Project, Up};

const PASSWORD: &str = "a long enough pass phrase";

fn create(project: &Project, name: &str, role: &str, more: &[&str]) {
    let arguments = ["user", "create", name, "--role", role, "--password-stdin"];
    let ran = project.run_with(PASSWORD, &[arguments.as_slice(), more].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stdout.contains(PASSWORD), "{}", ran.stdout);
}

#[test]
fn users_of_the_home_folder() {
    let project = Project::new();
    let drawn = project.json(&["user", "create", "ada", "--role", "admin"]);
    assert_eq!(drawn["user"], "ada");
    assert!(drawn["password"].as_str().unwrap().len() >= 12, "{drawn}");
    create(&project, "bob", "operator", &["--role", "approver"]);
    let users = project.json(&["user", "list"]);
    assert_eq!(users[1]["name"], "bob");
    assert_eq!(users[1]["roles"], serde_json::json!(["operator", "approver"]));
    assert!(users.to_string().find("argon2").is_none(), "no hash is shown");
    let table = project.ok(&["user", "list"]).stdout;
    assert!(table.contains("operator approver"), "{table}");
    let ran = project.run_with(PASSWORD, &["user", "password", "bob", "--password-stdin"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "bob may log in\n"),
        "{}",
        ran.stderr
    );
    project.fails(
        &["user", "create", "ada", "--role", "viewer"],
        1,
        "user.exists",
        "another name",
    );
    project.fails(
        &["user", "remove", "ada"],
        1,
        "user.last_admin",
        "another user an admin",
    );
    assert_eq!(project.json(&["user", "remove", "bob"])["removed"], true);
    project.fails(&["user", "password", "bob"], 3, "meta.not_found", "user list");
}

#[test]
fn tokens_of_the_home_folder() {
    let project = Project::new();
    create(&project, "ada", "admin", &[]);
    create(&project, "bob", "operator", &[]);
    let made = project.json(&[
        "token", "create", "ci", "--user", "bob", "--scope", "read", "--scope", "operate",
    ]);
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let listed = project.json(&["token", "list"]);
    assert_eq!(listed[0]["scopes"], serde_json::json!(["read", "operate"]));
    assert!(!listed.to_string().contains(token), "a token is told once");
    assert!(project.ok(&["token", "list"]).stdout.contains("read operate"));
    let beyond = ["token", "create", "more", "--user", "bob", "--scope", "admin"];
    project.fails(&beyond, 1, "token.scope", "Leave that scope out");
    assert_eq!(project.json(&["token", "remove", id])["removed"], true);
    project.fails(&["token", "remove", id], 3, "token.not_found", "token list");
}

/// A command for a server.
fn on<'a>(server: &[&'a str], arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, server].concat()
}

/// A server that asks for a login, and an admin's token.
fn closed() -> (Project, Up, String) {
    let project = Project::new();
    let up = project.up(&[]);
    create(&project, "ada", "admin", &[]);
    let made = project.json(&[
        "token", "create", "cli", "--user", "ada", "--scope", "admin", "--scope", "read",
    ]);
    let token = made["token"].as_str().unwrap().to_owned();
    (project, up, token)
}

#[test]
fn users_and_tokens_of_a_server() {
    let (project, up, token) = closed();
    let server = ["--server", up.url.as_str(), "--token", token.as_str()];
    create(&project, "bob", "viewer", &server);
    let drawn = project.json(&on(&server, &["user", "password", "bob"]));
    assert!(drawn["password"].as_str().unwrap().len() >= 12, "{drawn}");
    let users = project.json(&on(&server, &["user", "list"]));
    assert_eq!(users[1]["name"], "bob");
    let table = |what: &str| {
        let there = project.ok(&on(&server, &[what, "list"])).stdout;
        assert_eq!(
            there,
            project.ok(&[what, "list"]).stdout,
            "the same here and there"
        );
        there
    };
    assert!(table("user").contains("viewer"));
    assert!(table("token").contains("admin"));
    project.fails(
        &on(&server, &["user", "create", "bob", "--role", "viewer"]),
        1,
        "user.exists",
        "another name",
    );
    assert_eq!(
        project.json(&on(&server, &["user", "remove", "bob"]))["removed"],
        true
    );
    project.fails(
        &on(&server, &["user", "remove", "bob"]),
        3,
        "meta.not_found",
        "user list",
    );

    let made = project.json(&on(&server, &["token", "create", "reader"]));
    let (id, reader) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert_eq!(
        project
            .json(&on(&server, &["token", "list"]))
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let as_reader = ["runs", "--server", up.url.as_str(), "--token", reader];
    assert!(project.json(&as_reader).as_array().unwrap().is_empty());
    let denied = ["user", "list", "--server", up.url.as_str(), "--token", reader];
    project.fails(&denied, 1, "auth.denied", "");
    assert_eq!(
        project.json(&on(&server, &["token", "remove", id]))["removed"],
        true
    );
    project.fails(&as_reader, 1, "auth.token", "");
    project.fails(&["runs", "--server", &up.url], 1, "auth.required", "");
}

#[test]
fn secrets_of_a_server() {
    let (project, up, token) = closed();
    let server = ["--server", up.url.as_str(), "--token", token.as_str()];
    let ran = project.run_with("open sesame", &on(&server, &["secret", "set", "HOOK", "--json"]));
    assert_eq!(ran.last_json()["set"], true, "{}", ran.stdout);
    let listed = project.json(&on(&server, &["secret", "list"]));
    assert_eq!(
        (&listed[0]["name"], &listed[0]["by"]),
        (&"HOOK".into(), &"ada".into())
    );
    assert!(
        project
            .ok(&on(&server, &["secret", "list"]))
            .stdout
            .contains("HOOK")
    );
    assert_eq!(
        project.json(&on(&server, &["secret", "remove", "HOOK"]))["removed"],
        true
    );
    project.fails(
        &on(&server, &["secret", "remove", "HOOK"]),
        3,
        "secret.not_found",
        "removed there",
    );
}

#[test]
fn a_page_that_is_none_is_refused_before_anything_starts() {
    let project = Project::new();
    for wrong in ["twin.example", "ftp://twin.example", "https://"] {
        let ran = project.run(&["up", "--page-url", wrong]);
        assert_eq!(ran.code, 2, "{wrong}: {}", ran.stderr);
        assert!(ran.stderr.contains("--page-url"), "{}", ran.stderr);
    }
    assert!(!project.path(".twinloom").exists());
}
