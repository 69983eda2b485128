//! Draws that follow from a seed alone.

use std::sync::{Mutex, PoisonError};

/// Seeds libtorch's generator and draws. A process has one such generator, so draws of several threads take turns. Must
/// not be called from within `draw`.
pub fn seeded<T>(seed: u64, draw: impl FnOnce() -> T) -> T {
    static GENERATOR: Mutex<()> = Mutex::new(());
    let _turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(seed.cast_signed());
    draw()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn threads_that_draw_at_once_get_what_they_get_alone() {
        let draws = |seed| {
            let options = (Kind::Float, Device::Cpu);
            let draw = || (0..50).map(|_| Tensor::randn([7], options)).collect::<Vec<_>>();
            let all = Tensor::cat(&seeded(seed, draw), 0);
            Vec::<f32>::try_from(all).unwrap()
        };
        let alone: Vec<_> = (0..4).map(draws).collect();
        assert_ne!(alone[0], alone[1]);
        let together = |seed| std::thread::spawn(move || (0..20).map(|_| draws(seed)).collect::<Vec<_>>());
        let threads: Vec<_> = (0..4).map(together).collect();
        for (thread, alone) in threads.into_iter().zip(alone) {
            assert!(thread.join().unwrap().iter().all(|drawn| *drawn == alone));
        }
    }
}
