//! Checkpoints of a training: what a later attempt needs to go on as if nothing had happened.
//!
//! They lie beside the attempts' working folders, where they outlive an attempt, under a key of everything that decides
//! the result. One is written whole to a name of its own and then renamed, so that a kill at any moment leaves the one
//! before it or the new one. A finished training removes its own; what nobody came back for goes after a week.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use tch::Device;
use twinloom_operators::train::{Config, salt};
use twinloom_sdk::Context;

use super::{AdamW, Point};
use crate::{
    ModelError,
    checkpoint::{Checkpoint, write_safetensors},
};

/// What nobody came back for is removed after this.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);

/// Ends the name of the file that says how much was tried at a time.
pub const SIZE: &str = "size";

/// Ends the name of the file that has what a base said of pairs of answers.
pub const REFERENCE: &str = "reference";

/// Ends its name while it is written.
pub const REFERENCE_NEW: &str = "reference-new";

const TENSORS: &str = "state.safetensors";
const PROGRESS: &str = "progress.json";

/// Where a training stands, beside its tensors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Tokens predicted.
    pub tokens: u64,
    /// The loss of every step; as bits, because text does not give every number back.
    #[serde(with = "bits")]
    pub losses: Vec<f64>,
    /// Held-out measurements: steps and losses.
    pub held_steps: Vec<u64>,
    /// Their losses.
    #[serde(with = "bits")]
    pub held_losses: Vec<f64>,
    /// Seconds spent.
    pub seconds: f64,
}

impl Progress {
    /// Adds a held-out measurement.
    pub fn measured(&mut self, point: Point) {
        self.held_steps.push(point.step);
        self.held_losses.push(point.loss);
    }

    /// The held-out measurements.
    #[must_use]
    pub fn held(&self) -> Vec<Point> {
        let pairs = self.held_steps.iter().zip(&self.held_losses);
        pairs
            .map(|(step, loss)| Point {
                step: *step,
                loss: *loss,
            })
            .collect()
    }
}

/// Numbers as their bits.
mod bits {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(numbers: &[f64], to: S) -> Result<S::Ok, S::Error> {
        let bits: Vec<u64> = numbers.iter().map(|number| number.to_bits()).collect();
        bits.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
        let bits = Vec::<u64>::deserialize(from)?;
        Ok(bits.into_iter().map(f64::from_bits).collect())
    }
}

/// Keeps and finds the checkpoints of one training.
pub struct Keeper {
    dir: PathBuf,
    every_steps: u64,
    every: Duration,
    last: Instant,
}

impl Keeper {
    /// For this task, and any later attempt or run with the same operator, configuration and inputs.
    #[must_use]
    pub fn new(context: &Context, config: &Config) -> Self {
        let task = context.task();
        let mut key = blake3::Hasher::new();
        let inputs = context.input_versions();
        let outputs: Vec<_> = task
            .outputs
            .values()
            .map(|output| output.name.to_string())
            .collect();
        let parts = serde_json::json!([
            env!("CARGO_PKG_VERSION"),
            task.operator,
            task.config_hash,
            outputs,
            inputs,
            salt(config),
        ]);
        key.update(parts.to_string().as_bytes());
        let key = key.finalize().to_hex();
        let home = context.work_dir().parent().unwrap_or(context.work_dir());
        let all = home.join("checkpoints");
        remove_old(&all);
        Self {
            dir: all.join(key.get(..24).unwrap_or_default()),
            every_steps: config.checkpoint_every,
            every: Duration::from_secs(config.checkpoint_seconds),
            last: Instant::now(),
        }
    }

    /// A file beside them, by what it ends with.
    #[must_use]
    pub fn beside(&self, end: &str) -> PathBuf {
        self.dir.with_extension(end)
    }

    /// Whether it is time for one.
    #[must_use]
    pub fn due(&self, step: u64) -> bool {
        let by_steps = self.every_steps > 0 && step.is_multiple_of(self.every_steps);
        let by_time = !self.every.is_zero() && self.last.elapsed() >= self.every;
        by_steps || by_time
    }

    /// Writes one.
    ///
    /// # Errors
    /// `model.unreadable` when the disk is full, or what libtorch says.
    pub fn save(&mut self, progress: &Progress, optimizer: &AdamW) -> Result<(), ModelError> {
        let fresh = self.dir.with_extension("new");
        let old = self.dir.with_extension("old");
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| ModelError::Io { path, source }
        };
        for stale in [&fresh, &old] {
            gone(fs::remove_dir_all(stale)).map_err(at(stale))?;
        }
        fs::create_dir_all(&fresh).map_err(at(&fresh))?;
        let (_, tensors) = optimizer.state()?;
        write_safetensors(&fresh.join(TENSORS), &tensors)?;
        let text = serde_json::to_vec(progress).unwrap_or_default();
        fs::write(fresh.join(PROGRESS), text).map_err(at(&fresh))?;
        for name in [TENSORS, PROGRESS] {
            let file = fresh.join(name);
            fs::File::open(&file)
                .and_then(|file| file.sync_all())
                .map_err(at(&file))?;
        }
        // Between the two renames only `old` is there: `find` looks at it too.
        gone(fs::rename(&self.dir, &old)).map_err(at(&self.dir))?;
        fs::rename(&fresh, &self.dir).map_err(at(&fresh))?;
        gone(fs::remove_dir_all(&old)).map_err(at(&old))?;
        self.last = Instant::now();
        Ok(())
    }

    /// Takes the last one back, if there is one that suits.
    ///
    /// # Errors
    /// What libtorch says. A checkpoint that cannot be read is passed over.
    pub fn restore(&self, optimizer: &mut AdamW) -> Result<Option<Progress>, ModelError> {
        for dir in [self.dir.clone(), self.dir.with_extension("old")] {
            let Some(progress) = read_progress(&dir) else {
                continue;
            };
            let Ok(file) = Checkpoint::open_files(&dir, &[dir.join(TENSORS)]) else {
                continue;
            };
            let read = |name: &str| file.raw(name, Device::Cpu).ok();
            let step = i64::try_from(progress.step).unwrap_or(0);
            if optimizer.restore(step, read).is_ok() {
                return Ok(Some(progress));
            }
        }
        Ok(None)
    }

    /// Removes them: the training is finished.
    pub fn finish(&self) {
        for dir in [self.dir.clone(), self.beside("old"), self.beside("new")] {
            // What stays behind is removed a week later.
            let _ = fs::remove_dir_all(dir);
        }
        for end in [SIZE, REFERENCE, REFERENCE_NEW] {
            let _ = fs::remove_file(self.beside(end));
        }
    }
}

fn read_progress(dir: &Path) -> Option<Progress> {
    let progress: Progress = serde_json::from_slice(&fs::read(dir.join(PROGRESS)).ok()?).ok()?;
    (progress.losses.len() as u64 == progress.step).then_some(progress)
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn remove_old(all: &Path) {
    let Ok(entries) = fs::read_dir(all) else { return };
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|meta| meta.modified()).ok();
        let age = age.and_then(|time| SystemTime::now().duration_since(time).ok());
        if age.is_some_and(|age| age > RETENTION) {
            let path = entry.path();
            let _ = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
        }
    }
}
