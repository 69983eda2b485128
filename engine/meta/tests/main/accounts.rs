//! Who may use the server, and what it keeps for them.

use std::io::Write as _;

use jiff::{SignedDuration, Timestamp};
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::json;
use twinloom_meta::{
    DestinationAdvance, DestinationRow, KeptAnswer, MetaError, SecretRow, SessionRow, TokenRow, UserRow,
};

use crate::backends;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn later(hours: i64) -> Timestamp {
    NOW.checked_add(SignedDuration::from_hours(hours)).unwrap()
}

fn user(name: &str) -> UserRow {
    UserRow {
        name: name.to_owned(),
        password: "hashed".to_owned(),
        roles: vec!["operator".to_owned(), "approver".to_owned()],
        disabled: false,
        created_at: NOW,
        last_login_at: None,
    }
}

fn token(id: &str, user: &str) -> TokenRow {
    TokenRow {
        id: id.to_owned(),
        name: "ci".to_owned(),
        user: user.to_owned(),
        hash: format!("hash of {id}"),
        scopes: vec!["read".to_owned()],
        created_at: NOW,
        expires_at: later(1),
        last_used_at: None,
    }
}

fn session(hash: &str, user: &str, hours: i64) -> SessionRow {
    SessionRow {
        hash: hash.to_owned(),
        user: user.to_owned(),
        csrf: "token".to_owned(),
        created_at: NOW,
        expires_at: later(hours),
    }
}

#[tokio::test]
async fn users_take_their_tokens_and_sessions_along() {
    for backend in backends::all().await {
        let meta = &backend.meta;
        assert!(!meta.has_users().await.unwrap(), "{}", backend.name);
        meta.insert_user(&user("ada")).await.unwrap();
        let again = meta.insert_user(&user("ada")).await.unwrap_err();
        assert!(
            matches!(again, MetaError::Exists { .. }),
            "{}: {again}",
            backend.name
        );
        let changed = UserRow {
            disabled: true,
            last_login_at: Some(later(1)),
            ..user("ada")
        };
        meta.put_user(&changed).await.unwrap();
        assert!(meta.user("ada").await.unwrap() == changed);
        meta.put_user(&user("bob")).await.unwrap();
        for (id, name) in [("1", "ada"), ("2", "bob")] {
            meta.put_token(&token(id, name)).await.unwrap();
            meta.insert_session(&session(name, name, 2), NOW).await.unwrap();
        }
        let used = TokenRow {
            last_used_at: Some(later(1)),
            ..token("2", "bob")
        };
        meta.put_token(&used).await.unwrap();
        assert!(meta.token("hash of 2").await.unwrap() == Some(used));
        meta.delete_user("ada").await.unwrap();
        assert!(meta.user("ada").await.is_err());
        assert_eq!(meta.tokens().await.unwrap().len(), 1);
        assert!(meta.session("ada").await.unwrap().is_none());
        // A new session takes those along that have ended.
        meta.insert_session(&session("new", "bob", 9), later(3))
            .await
            .unwrap();
        assert!(meta.session("bob").await.unwrap().is_none());
        assert!(meta.session("new").await.unwrap() == Some(session("new", "bob", 9)));
        meta.delete_sessions_of("bob").await.unwrap();
        assert!(meta.session("new").await.unwrap().is_none());
        meta.delete_token("2").await.unwrap();
        assert!(meta.tokens().await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn secrets_and_destinations_are_set_changed_and_removed() {
    for backend in backends::all().await {
        let meta = &backend.meta;
        let secret = |sealed: &str| SecretRow {
            name: "HOOK".to_owned(),
            sealed: sealed.to_owned(),
            by: "ada".to_owned(),
            updated_at: NOW,
        };
        assert!(meta.secret("HOOK").await.unwrap().is_none());
        meta.put_secret(&secret("one")).await.unwrap();
        meta.put_secret(&secret("two")).await.unwrap();
        assert!(meta.secret("HOOK").await.unwrap() == Some(secret("two")));
        assert_eq!(meta.secrets().await.unwrap().len(), 1);
        assert!(meta.delete_secret("HOOK").await.unwrap());
        assert!(!meta.delete_secret("HOOK").await.unwrap());
        let row = chat(7);
        meta.put_destination(&row).await.unwrap();
        let edited = DestinationRow {
            config: json!({ "kind": "webhook" }),
            updated_at: later(1),
            ..chat(0)
        };
        meta.put_destination(&edited).await.unwrap();
        let stands = DestinationRow { cursor: 7, ..edited };
        assert_eq!(meta.destinations().await.unwrap(), [stands], "{}", backend.name);
        assert!(meta.delete_destination("chat").await.unwrap());
    }
}

fn chat(cursor: i64) -> DestinationRow {
    DestinationRow {
        name: "chat".to_owned(),
        config: json!({ "kind": "slack" }),
        cursor,
        tries: 0,
        last_error: None,
        next_at: None,
        updated_at: NOW,
    }
}

fn to(cursor: i64, owner: &str, at: Timestamp) -> DestinationAdvance {
    DestinationAdvance {
        name: "chat".to_owned(),
        owner: owner.to_owned(),
        at,
        from: cursor - 1,
        cursor,
        tries: 0,
        last_error: None,
        next_at: None,
        unless_changed_since: None,
    }
}

#[tokio::test]
async fn a_destination_is_one_servers_at_a_time_and_its_progress_changes_nothing_else() {
    for backend in backends::all().await {
        let meta = &backend.meta;
        meta.put_destination(&chat(7)).await.unwrap();
        let lease = async |cursor: i64, owner: &str, now: i64| {
            let until = later(now + 2);
            meta.lease_destination("chat", cursor, owner, later(now), until)
                .await
                .unwrap()
        };
        assert_eq!(lease(7, "one", 0).await, Some(chat(7)), "{}", backend.name);
        assert_eq!(lease(7, "two", 1).await, None, "one is at it");
        assert_eq!(lease(6, "one", 1).await, None, "it has got further");
        assert!(!meta.advance_destination(&to(8, "two", later(1))).await.unwrap());
        // Edited while it is sent to: the edit stands, and so does what was sent.
        let edited = DestinationRow {
            config: json!({ "kind": "webhook" }),
            updated_at: later(1),
            ..chat(0)
        };
        meta.put_destination(&edited).await.unwrap();
        let failed = DestinationAdvance {
            tries: 3,
            unless_changed_since: Some(NOW),
            ..to(8, "one", later(1))
        };
        assert!(
            !meta.advance_destination(&failed).await.unwrap(),
            "of the old address"
        );
        assert!(meta.advance_destination(&to(8, "one", later(1))).await.unwrap());
        let stands = DestinationRow { cursor: 8, ..edited };
        assert_eq!(
            meta.destinations().await.unwrap(),
            std::slice::from_ref(&stands),
            "{}",
            backend.name
        );
        // It was let go; a lease that has run out is nobody's.
        assert_eq!(lease(8, "two", 1).await, Some(stands.clone()));
        assert_eq!(lease(8, "one", 4).await, Some(stands));
        meta.delete_destination("chat").await.unwrap();
        assert!(!meta.advance_destination(&to(9, "one", later(4))).await.unwrap());
        assert!(
            meta.destinations().await.unwrap().is_empty(),
            "what is removed stays so"
        );
    }
}

#[tokio::test]
async fn a_key_is_taken_once_until_its_answer_is_forgotten() {
    for backend in backends::all().await {
        let meta = &backend.meta;
        let row = KeptAnswer {
            key: "key".to_owned(),
            fingerprint: "request".to_owned(),
            at: NOW,
            owner: "one".to_owned(),
            status: None,
            content_type: None,
            body: None,
        };
        let claim = async |since, stale| meta.claim_answer(&row, since, stale).await.unwrap();
        assert_eq!(claim(NOW, NOW).await, None);
        assert_eq!(claim(NOW, NOW).await, Some(row.clone()));
        assert_eq!(meta.open_claims().await.unwrap(), std::slice::from_ref(&row));
        let answer = |body: &str| Some((201, "application/json".to_owned(), body.to_owned()));
        meta.keep_answer("key", "two", answer("another's")).await.unwrap();
        meta.keep_answer("key", "one", answer("{}")).await.unwrap();
        let kept = claim(NOW, later(1)).await.unwrap();
        assert_eq!((kept.status, kept.body.as_deref()), (Some(201), Some("{}")));
        assert!(meta.open_claims().await.unwrap().is_empty());
        meta.keep_answer("key", "one", None).await.unwrap();
        assert!(claim(NOW, NOW).await.is_some(), "an answer stays");
        assert_eq!(claim(later(1), NOW).await, None, "{}", backend.name);
        // A server that falls silent loses the key, and does not get it back.
        assert!(meta.renew_claim("key", "one", later(1)).await.unwrap());
        assert!(claim(NOW, later(1)).await.is_some());
        assert_eq!(claim(NOW, later(2)).await, None);
        assert!(!meta.renew_claim("key", "two", later(3)).await.unwrap());
        meta.keep_answer("key", "one", None).await.unwrap();
        assert_eq!(claim(NOW, NOW).await, None, "given up, so free");
    }
}

#[tokio::test]
async fn a_server_is_reached_by_tls_where_that_is_asked_for() {
    let Some(backend) = backends::postgres().await else {
        return;
    };
    let url = format!("{}&sslmode=require", backend.url);
    let plain = Database::connect(format!("{}&sslmode=disable", backend.url))
        .await
        .unwrap();
    let ask = async |database: &sea_orm::DatabaseConnection, text: &str| {
        let statement = Statement::from_string(sea_orm::DbBackend::Postgres, text);
        let row = database.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index::<String>(0).unwrap()
    };
    if ask(&plain, "SELECT current_setting('ssl')").await != "on" {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: TLS, because the Postgres of TWINLOOM_TEST_POSTGRES_URL has it off"
        );
        let refused = twinloom_meta::Meta::connect(&url).await.err().unwrap();
        assert_eq!(refused.code(), "meta.connect");
        return;
    }
    let meta = twinloom_meta::Meta::connect(&url).await.unwrap();
    assert!(!meta.has_users().await.unwrap());
    let same = Database::connect(&url).await.unwrap();
    let used = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(
        (ask(&same, used).await.as_str(), ask(&plain, used).await.as_str()),
        ("true", "false")
    );
    // Nobody has signed the server's certificate.
    let checked = format!("{}&sslmode=verify-full", backend.url);
    let refused = twinloom_meta::Meta::connect(&checked).await.err().unwrap();
    assert_eq!(refused.code(), "meta.connect");
}
