//! One thing at a time.

/// Holds what was loaded last, and drops it before it loads another: there is memory for one.
#[derive(Debug)]
pub struct One<K, T>(Option<(K, T)>);

impl<K, T> Default for One<K, T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<K: PartialEq + Clone, T> One<K, T> {
    /// What is wanted, loaded where it is not there.
    ///
    /// # Errors
    /// What `load` says; nothing is held then.
    pub fn turn_to<E>(&mut self, wanted: &K, load: impl FnOnce(&K) -> Result<T, E>) -> Result<&mut T, E> {
        let held = self.0.take().filter(|(held, _)| held == wanted);
        let held = match held {
            Some(held) => held,
            None => (wanted.clone(), load(wanted)?),
        };
        Ok(&mut self.0.insert(held).1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::{Arc, Weak};

    use super::*;

    #[test]
    fn what_is_held_goes_before_another_comes() {
        let mut one = One::default();
        let mut last: Weak<u32> = Weak::new();
        for (wanted, loads) in [(1, true), (1, false), (2, true), (1, true)] {
            let mut loaded = false;
            let held = one.turn_to(&wanted, |wanted| {
                loaded = true;
                assert!(last.upgrade().is_none(), "two at a time");
                Ok::<_, ()>(Arc::new(*wanted))
            });
            let held = held.unwrap();
            assert_eq!((**held, loaded), (wanted, loads));
            last = Arc::downgrade(held);
        }
        assert!(one.turn_to(&3, |_| Err("no")).is_err());
        assert!(last.upgrade().is_none());
    }
}
