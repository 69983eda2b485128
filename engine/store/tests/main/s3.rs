//! The suite over a real S3 server. `infra/test-servers/s3.sh start` starts one and prints the variables.

use std::io::Write as _;

use twinloom_store::StoreLocation;

use crate::{common::Place, conformance};

/// Where the server is, with a prefix of this run's own.
fn location() -> Option<StoreLocation> {
    let endpoint = std::env::var("TWINLOOM_TEST_S3_ENDPOINT").ok()?;
    let bucket = std::env::var("TWINLOOM_TEST_S3_URL").unwrap_or_else(|_| "s3://twinloom".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let unique = folder
        .path()
        .file_name()
        .unwrap()
        .to_string_lossy()
        .replace('.', "");
    let mut location = StoreLocation::new(format!("{bucket}/{unique}"));
    let options = [
        ("endpoint", endpoint.as_str()),
        ("allow_http", "true"),
        ("region", "us-east-1"),
        ("access_key_id", "test"),
        ("secret_access_key", "test"),
    ];
    location
        .options
        .extend(options.map(|(key, value)| (key.to_owned(), value.to_owned())));
    Some(location)
}

#[tokio::test(flavor = "multi_thread")]
async fn s3() {
    let Some(location) = location() else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: TWINLOOM_TEST_S3_ENDPOINT is not set; start a server with infra/test-servers/s3.sh"
        );
        return;
    };
    conformance::suite(&Place::remote(location)).await;
}
