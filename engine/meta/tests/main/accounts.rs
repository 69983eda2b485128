//! Who may use the server, and what it keeps for them.

use std::io::Write as _;

use jiff::{SignedDuration, Timestamp};
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::json;
use twinloom_meta::{DestinationRow, KeptAnswer, MetaError, SecretRow, SessionRow, TokenRow, UserRow};

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
        let mut row = DestinationRow {
            name: "chat".to_owned(),
            config: json!({ "kind": "slack" }),
            cursor: 7,
            tries: 0,
            last_error: None,
            next_at: None,
            updated_at: NOW,
        };
        meta.put_destination(&row).await.unwrap();
        (row.cursor, row.tries, row.next_at) = (9, 2, Some(later(1)));
        meta.put_destination(&row).await.unwrap();
        assert_eq!(meta.destinations().await.unwrap(), [row], "{}", backend.name);
        assert!(meta.delete_destination("chat").await.unwrap());
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
        assert_eq!(meta.open_claims().await.unwrap(), [row.clone()]);
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
