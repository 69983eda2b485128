//! What happens when the disk is full, forbidden or damaged: a typed error, and the rest stays readable.

use std::{fs, io::Write as _, path::PathBuf, process::Command};

use twinloom_store::{FeatureStore, ProblemKind, ReadOptions, StoreLocation};

use crate::common::*;

async fn damaged(damage: impl Fn(&PathBuf)) -> (&'static str, ProblemKind) {
    let (place, store) = Place::local().open_kept().await;
    let first = publish_new(&store, "d", &many(5)).await;
    let second = publish_new(&store, "d", &many(6)).await;
    damage(&store.local_blob(&second.data.parts[0].blob).unwrap());
    let error = read(&store, &second, ReadOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("dataset d@2"), "{error}");
    assert!(!error.retryable() && !error.hint().is_empty());
    assert_eq!(
        rows_of(&store, &first).await,
        many(5),
        "the other version is readable"
    );
    let report = store.verify(|_| {}).await.unwrap();
    let [problem] = report.problems.as_slice() else {
        panic!("{:?}", report.problems)
    };
    assert_eq!(problem.owner, "dataset d@2");
    drop(place);
    (error.code(), problem.kind)
}

#[tokio::test]
async fn a_missing_blob() {
    assert_eq!(
        damaged(|path| fs::remove_file(path).unwrap()).await,
        ("store.missing_blob", ProblemKind::Missing)
    );
}

#[tokio::test]
async fn a_truncated_blob() {
    let cut = |path: &PathBuf| {
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(100)
            .unwrap()
    };
    assert_eq!(damaged(cut).await, ("store.corrupt_blob", ProblemKind::Corrupt));
}

#[tokio::test]
async fn garbage_of_the_right_size() {
    let garbage = |path: &PathBuf| {
        let size = fs::metadata(path).unwrap().len();
        fs::write(path, (0..size).map(|n| (n * 7) as u8).collect::<Vec<_>>()).unwrap();
    };
    assert_eq!(
        damaged(garbage).await,
        ("store.corrupt_blob", ProblemKind::Corrupt)
    );
}

#[tokio::test]
async fn a_flipped_bit_is_found_by_verify() {
    let (_place, store) = Place::local().open_kept().await;
    let first = publish_new(&store, "d", &many(5)).await;
    let path = store.local_blob(&first.data.parts[0].blob).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[60] ^= 1;
    fs::write(&path, bytes).unwrap();
    let report = store
        .verify(|progress| assert!(progress.done <= progress.total))
        .await
        .unwrap();
    assert_eq!(report.problems[0].kind, ProblemKind::Corrupt);
    assert_eq!(
        store
            .get_blob(&first.data.parts[0].blob)
            .await
            .unwrap_err()
            .code(),
        "store.corrupt_blob"
    );
}

#[tokio::test]
async fn remains_of_crashed_writes_are_collected() {
    let (place, store) = Place::local().open_kept().await;
    let first = publish_new(&store, "d", &many(5)).await;
    let blob = store.local_blob(&first.data.parts[0].blob).unwrap();
    let partial = blob.with_file_name("0000.parquet#1");
    fs::write(&partial, "half").unwrap();
    fs::write(
        place.folder().join("datasets/d/versions/000000000002.json#3"),
        "{",
    )
    .unwrap();
    assert_eq!(store.dataset_versions(&name("d")).await.unwrap(), [1]);
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
    let report = store.gc(twinloom_store::GcOptions::new(later)).await.unwrap();
    assert_eq!(
        (
            report.removed_temporary,
            report.removed_blobs,
            partial.exists(),
            blob.exists()
        ),
        (2, 0, false, true)
    );
}

#[tokio::test]
async fn places_that_cannot_be_stores() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let code = async |url: String| {
        FeatureStore::open(&StoreLocation::new(url))
            .await
            .unwrap_err()
            .code()
    };
    assert_eq!(code(file.join("store").display().to_string()).await, "store.file");
    // Nobody, the superuser included, can make folders there.
    assert_eq!(code("/sys/twinloom".to_owned()).await, "store.denied");
    assert_eq!(code(String::new()).await, "store.invalid_location");
    assert_eq!(code("ftp://host/x".to_owned()).await, "store.invalid_location");
    assert_eq!(code("file://host/x".to_owned()).await, "store.invalid_location");
}

/// A file system of 2 MiB, where this user may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(folder.path())
            .output();
        mount
            .is_ok_and(|output| output.status.success())
            .then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk() {
    let Some(disk) = SmallDisk::mount() else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: a full disk needs permission to mount a small file system"
        );
        return;
    };
    let store = FeatureStore::open(&StoreLocation::new(
        disk.0.path().join("store").display().to_string(),
    ))
    .await
    .unwrap();
    let first = publish_new(&store, "d", &many(100)).await;
    let random = |n: u64| {
        (0..2000u64)
            .map(|i| format!("{:016x}", (n * 2000 + i).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
            .collect::<String>()
    };
    let large: Rows = (0..200).map(|n| ((format!("large-{n}"), 0), random(n))).collect();
    let error = stage(store.dataset_writer(spec("d")), [batch_of(&large)])
        .await
        .unwrap_err();
    assert_eq!(error.code(), "store.disk_full", "{error}");
    let error = stage(
        store.dataset_writer(spec("d")).with_memory(1 << 20),
        [batch_of(&large)],
    )
    .await
    .unwrap_err();
    assert_eq!(error.code(), "store.disk_full", "{error}");
    assert_eq!(
        rows_of(&store, &first).await,
        many(100),
        "what was published stays readable"
    );
    assert_eq!(store.verify(|_| {}).await.unwrap().problems, []);
}
