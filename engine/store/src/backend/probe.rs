//! Does the store keep its promise that a put-if-absent has one winner?

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use futures::future::join_all;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, path::Path};

use super::blobs::random_hex;
use crate::{StoreError, StoreLocation};

/// Writers at once; some servers pass when asked one after the other and let several win at once.
const WRITERS: usize = 8;

pub(super) async fn put_if_absent(
    store: &Arc<dyn ObjectStore>,
    location: &StoreLocation,
) -> Result<(), StoreError> {
    static PASSED: OnceLock<Mutex<HashSet<String>>> = OnceLock::new();
    let passed = PASSED.get_or_init(Mutex::default);
    let endpoint = location.options.get("endpoint").map_or("", String::as_str);
    let key = format!("{} {endpoint}", location.url);
    if passed
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .contains(&key)
    {
        return Ok(());
    }
    probe(store, location).await?;
    passed.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
    Ok(())
}

async fn probe(store: &Arc<dyn ObjectStore>, location: &StoreLocation) -> Result<(), StoreError> {
    let path = Path::from(format!("probes/{}.json", random_hex()));
    let put = |writer: usize| {
        let (store, path) = (Arc::clone(store), path.clone());
        async move {
            let options = PutOptions {
                mode: PutMode::Create,
                ..Default::default()
            };
            store
                .put_opts(&path, format!("{writer}").into_bytes().into(), options)
                .await
        }
    };
    let mut winners = 0;
    let mut failure = None;
    for result in join_all((0..WRITERS).map(put)).await {
        match result {
            Ok(_) => winners += 1,
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {}
            Err(error) => failure = Some(error),
        }
    }
    // What the probe leaves behind must not hide its answer.
    let _ = store.delete(&path).await;
    let refused = |reason: String| StoreError::NoConditionalPut {
        url: location.public_url(),
        reason,
    };
    match (winners, failure) {
        // None: the winner's answer was lost, and its repetition met its own object.
        (0 | 1, None) => Ok(()),
        (_, Some(object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. })) => {
            Err(refused("it says that it cannot".to_owned()))
        }
        (_, Some(error)) => Err(StoreError::backend(
            format!("write to {}", location.public_url()),
            error,
        )),
        (n, None) => Err(refused(format!("{n} of {WRITERS} concurrent writers won"))),
    }
}
