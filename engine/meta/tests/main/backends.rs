//! The databases that the suite runs on.

use std::{
    io::Write as _,
    sync::atomic::{AtomicU32, Ordering},
};

use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;
use twinloom_meta::Meta;

/// An empty database, gone when dropped.
pub struct Backend {
    pub name: &'static str,
    pub meta: Meta,
    pub url: String,
    _folder: Option<TempDir>,
}

/// A file, memory, and a server where there is one.
pub async fn all() -> Vec<Backend> {
    let mut backends = vec![file().await, memory().await];
    backends.extend(postgres().await);
    backends
}

pub async fn file() -> Backend {
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "sqlite://{}",
        folder.path().join("a folder/100% new.db").display()
    );
    Backend {
        name: "sqlite file",
        meta: Meta::connect(&url).await.unwrap(),
        url,
        _folder: Some(folder),
    }
}

async fn memory() -> Backend {
    let url = "sqlite::memory:".to_owned();
    Backend {
        name: "sqlite memory",
        meta: Meta::connect(&url).await.unwrap(),
        url,
        _folder: None,
    }
}

/// Each call gets a schema of its own.
pub async fn postgres() -> Option<Backend> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Ok(server) = std::env::var("TWINLOOM_TEST_POSTGRES_URL") else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: Postgres, because TWINLOOM_TEST_POSTGRES_URL is not set (infra/test-servers/postgres.sh start)"
        );
        return None;
    };
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    let schema = format!(
        "t_{}_{nanos}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let admin = Database::connect(&server)
        .await
        .expect("TWINLOOM_TEST_POSTGRES_URL leads to a server");
    admin
        .execute_unprepared(&format!("CREATE SCHEMA {schema}"))
        .await
        .unwrap();
    admin.close().await.unwrap();
    let separator = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{separator}options=-csearch_path%3D{schema}");
    Some(Backend {
        name: "postgres",
        meta: Meta::connect(&url).await.unwrap(),
        url,
        _folder: None,
    })
}
