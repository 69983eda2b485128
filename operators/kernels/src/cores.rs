//! A pool of threads for many small parallel steps.
//!
//! OpenMP's threads either spin for ever (and a second load on the machine stalls them) or sleep at once (and each of the
//! hundreds of small steps of a token pays for waking). These spin for some microseconds, then sleep. Parts of a step are
//! claimed one by one, and a step is over when all parts are done: a thread that the system does not let run takes part in
//! nothing and holds up nobody.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use crate::Level;

/// Rounds of waiting before a thread sleeps: about 30 microseconds, longer than the serial part between two steps.
const SPINS: u32 = 1500;
const ACTIVE: u64 = 0xffff;
const OPEN: u64 = 1 << 16;
const EPOCH: u64 = 1 << 17;

type Work<'a> = dyn Fn(usize) + Sync + 'a;

/// Threads that work together on one step at a time.
pub struct Cores {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    level: Level,
    /// One step at a time, whoever calls.
    turn: Mutex<()>,
}

#[derive(Default)]
struct Shared {
    /// Epoch, whether it is open, and how many helpers are inside.
    state: AtomicU64,
    next: AtomicUsize,
    parts: AtomicUsize,
    /// A `*const &Work` of the caller's stack, valid while the step is open or a helper is inside.
    work: AtomicPtr<()>,
    failed: AtomicBool,
    stop: AtomicBool,
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
}

impl Cores {
    /// A pool of so many threads, the caller's included; with the richest instructions of the machine.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let shared = Arc::<Shared>::default();
        let helpers = (1..threads.clamp(1, 1024)).filter_map(|index| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name(format!("kernel-{index}"))
                .spawn(move || shared.help())
                .ok()
        });
        Self {
            helpers: helpers.collect(),
            shared,
            level: Level::detect(),
            turn: Mutex::new(()),
        }
    }

    /// With poorer instructions than the machine has: for tests and comparisons.
    #[must_use]
    pub fn with_level(mut self, level: Level) -> Self {
        self.level = level.min(Level::detect());
        self
    }

    /// The instructions in use.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Threads, the caller's included.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Runs `work` for every part from 0, in no order, on all threads; returns when all are done.
    ///
    /// # Panics
    /// When `work` panicked on another thread.
    pub fn run(&self, parts: usize, work: &Work<'_>) {
        if parts <= 1 || self.helpers.is_empty() {
            (0..parts).for_each(work);
            return;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = &*self.shared;
        let held: *const &Work<'_> = &work;
        shared.work.store(held.cast_mut().cast(), Ordering::Relaxed);
        shared.parts.store(parts, Ordering::Relaxed);
        shared.next.store(0, Ordering::Relaxed);
        // Closed and empty, so only this thread writes: next epoch, open. Sequentially consistent with `sleepers` below.
        let epoch = (shared.state.load(Ordering::Relaxed) & !(OPEN | ACTIVE)).wrapping_add(EPOCH);
        shared.state.store(epoch | OPEN, Ordering::SeqCst);
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            drop(shared.sleep.lock().unwrap_or_else(PoisonError::into_inner));
            shared.wake.notify_all();
        }
        let close = Close(shared);
        shared.claim(work);
        drop(close);
        assert!(
            !shared.failed.swap(false, Ordering::Relaxed),
            "a part of a parallel step panicked"
        );
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(self.shared.sleep.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.wake.notify_all();
        for helper in self.helpers.drain(..) {
            let _ = helper.join();
        }
    }
}

/// Closes a step and waits for the helpers inside, also when the caller's own part panics: they use its stack.
struct Close<'a>(&'a Shared);

impl Drop for Close<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut rounds = 0_u32;
        while self.0.state.load(Ordering::Acquire) & ACTIVE != 0 {
            rounds = rounds.saturating_add(1);
            if rounds < 4 * SPINS {
                std::hint::spin_loop();
            } else {
                // The helper was put aside with a part in its hands: give it this core.
                std::thread::yield_now();
            }
        }
    }
}

impl Shared {
    fn claim(&self, work: &Work<'_>) {
        let parts = self.parts.load(Ordering::Relaxed);
        loop {
            let part = self.next.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                return;
            }
            work(part);
        }
    }

    fn help(&self) {
        let mut seen = 0;
        while let Some(epoch) = self.wait(seen) {
            seen = epoch;
            if !self.enter(epoch) {
                continue;
            }
            let leave = Leave(self);
            let held: *const &Work<'_> = self.work.load(Ordering::Relaxed).cast_const().cast();
            // SAFETY: the caller's stack holds it until this thread has left.
            let work = unsafe { *held };
            self.claim(work);
            std::mem::forget(leave);
            self.state.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// The next open epoch.
    fn wait(&self, seen: u64) -> Option<u64> {
        let found = || {
            let state = self.state.load(Ordering::SeqCst);
            (state & OPEN != 0 && state & !(OPEN | ACTIVE) != seen).then_some(state & !(OPEN | ACTIVE))
        };
        loop {
            for _ in 0..SPINS {
                if let Some(epoch) = found() {
                    return Some(epoch);
                }
                if self.stop.load(Ordering::Relaxed) {
                    return None;
                }
                std::hint::spin_loop();
            }
            let mut guard = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
            self.sleepers.fetch_add(1, Ordering::SeqCst);
            while found().is_none() && !self.stop.load(Ordering::SeqCst) {
                guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
            }
            self.sleepers.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Counts this thread in, unless the step is over.
    fn enter(&self, epoch: u64) -> bool {
        self.state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
                (state & OPEN != 0 && state & !(OPEN | ACTIVE) == epoch).then_some(state + 1)
            })
            .is_ok()
    }
}

/// A helper's part panicked: let the caller know, and do not let it wait for ever.
struct Leave<'a>(&'a Shared);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.failed.store(true, Ordering::Relaxed);
        self.0.state.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_runs_once_and_a_panic_reaches_the_caller() {
        let cores = Cores::new(3);
        for parts in [0, 1, 2, 7, 100] {
            let counts: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
            for _ in 0..50 {
                cores.run(parts, &|part| {
                    counts[part].fetch_add(1, Ordering::Relaxed);
                });
            }
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 50));
        }
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            cores.run(64, &|part| assert_ne!(part, 33));
        }));
        assert!(failed.is_err());
        let sum = AtomicUsize::new(0);
        cores.run(10, &|part| {
            sum.fetch_add(part, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 45, "the pool goes on");
    }
}
