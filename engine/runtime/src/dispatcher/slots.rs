//! Slots: how many tasks run at a time, over all and by pool. Runs take turns.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{RunKey, TaskRef};

/// A pool that nobody has stated a size of.
const DEFAULT_POOL: u32 = 1;

/// Who may start, and who has.
pub struct Slots {
    free: usize,
    pools: BTreeMap<String, Pool>,
    /// Tasks of no pool.
    open: Queue,
    /// Sizes that the engine's configuration states; they win over what a plan says.
    fixed: BTreeMap<String, u32>,
}

struct Pool {
    size: u32,
    used: u32,
    queue: Queue,
}

#[derive(Default)]
struct Queue {
    turns: VecDeque<RunKey>,
    tasks: HashMap<RunKey, VecDeque<TaskRef>>,
}

impl Slots {
    /// So many at a time, and the pools that are known.
    pub fn new(most: usize, fixed: BTreeMap<String, u32>) -> Self {
        let pool = |(name, size): (&String, &u32)| (name.clone(), Pool::new(*size));
        let pools = fixed.iter().map(pool).collect();
        Self {
            free: most.max(1),
            pools,
            open: Queue::default(),
            fixed,
        }
    }

    /// Learns a pool's size from a plan.
    pub fn learn(&mut self, name: &str, size: u32) {
        if !self.fixed.contains_key(name) {
            self.pools
                .entry(name.to_owned())
                .or_insert_with(|| Pool::new(size))
                .size = size;
        }
    }

    /// A task wants to start.
    pub fn enqueue(&mut self, task: TaskRef, pool: Option<&str>) {
        match pool {
            None => self.open.push(task),
            Some(name) => {
                self.pools
                    .entry(name.to_owned())
                    .or_insert_with(|| Pool::new(DEFAULT_POOL))
                    .queue
                    .push(task);
            }
        }
    }

    /// The next task that may start; the caller takes its slot with [`Slots::take`] or drops it.
    pub fn next(&mut self) -> Option<TaskRef> {
        if self.free == 0 {
            return None;
        }
        // Pools first: their slots are the scarcer ones.
        let pool = self
            .pools
            .values_mut()
            .find(|pool| pool.used < pool.size && !pool.queue.is_empty());
        match pool {
            Some(pool) => pool.queue.pop(),
            None => self.open.pop(),
        }
    }

    /// A task starts.
    pub fn take(&mut self, pool: Option<&str>) {
        self.free = self.free.saturating_sub(1);
        if let Some(pool) = pool.and_then(|name| self.pools.get_mut(name)) {
            pool.used += 1;
        }
    }

    /// A task no longer runs.
    pub fn give_back(&mut self, pool: Option<&str>) {
        self.free += 1;
        self.give_back_pool(pool);
    }

    /// A task of a run that is gone no longer counts in its pool; its slot is given back when it ends.
    pub fn give_back_pool(&mut self, pool: Option<&str>) {
        if let Some(pool) = pool.and_then(|name| self.pools.get_mut(name)) {
            pool.used = pool.used.saturating_sub(1);
        }
    }

    /// Whether a task of that pool would have to wait for a slot, and the words for it.
    pub fn why_waiting(&self, pool: Option<&str>) -> Option<String> {
        match pool.and_then(|name| self.pools.get(name).map(|pool| (name, pool))) {
            Some((name, pool)) if pool.used >= pool.size => Some(format!(
                "waiting for a slot of the pool `{name}` ({} of {} taken)",
                pool.used, pool.size
            )),
            _ => (self.free == 0).then(|| "waiting for a free slot".to_owned()),
        }
    }

    /// A run is gone; nothing of it will start.
    pub fn forget(&mut self, run: &RunKey) {
        self.open.forget(run);
        self.pools.values_mut().for_each(|pool| pool.queue.forget(run));
    }
}

impl Pool {
    fn new(size: u32) -> Self {
        Self {
            size,
            used: 0,
            queue: Queue::default(),
        }
    }
}

impl Queue {
    fn push(&mut self, task: TaskRef) {
        let tasks = self.tasks.entry(task.run.clone()).or_default();
        if tasks.is_empty() {
            self.turns.push_back(task.run.clone());
        }
        tasks.push_back(task);
    }

    fn pop(&mut self) -> Option<TaskRef> {
        let run = self.turns.pop_front()?;
        let tasks = self.tasks.get_mut(&run)?;
        let task = tasks.pop_front();
        if tasks.is_empty() {
            self.tasks.remove(&run);
        } else {
            self.turns.push_back(run);
        }
        task
    }

    fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    fn forget(&mut self, run: &RunKey) {
        if self.tasks.remove(run).is_some() {
            self.turns.retain(|turn| turn != run);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(run: &str, index: usize) -> TaskRef {
        TaskRef {
            run: run.into(),
            epoch: 1,
            index,
        }
    }

    #[test]
    fn runs_take_turns() {
        let mut slots = Slots::new(10, BTreeMap::new());
        (0..3).for_each(|index| slots.enqueue(task("a", index), None));
        slots.enqueue(task("b", 0), None);
        let order: Vec<_> = std::iter::from_fn(|| slots.next())
            .map(|task| (task.run.to_string(), task.index))
            .collect();
        assert_eq!(
            order,
            [("a".into(), 0), ("b".into(), 0), ("a".into(), 1), ("a".into(), 2)]
        );
    }

    #[test]
    fn a_pool_is_never_overdrawn_and_holds_nobody_else_up() {
        let mut slots = Slots::new(2, BTreeMap::from([("gpu".to_owned(), 1)]));
        slots.learn("gpu", 5);
        (0..2).for_each(|index| slots.enqueue(task("a", index), Some("gpu")));
        slots.enqueue(task("a", 2), None);
        assert_eq!(slots.next(), Some(task("a", 0)));
        slots.take(Some("gpu"));
        assert!(slots.why_waiting(Some("gpu")).is_some());
        assert_eq!(slots.next(), Some(task("a", 2)));
        slots.take(None);
        assert_eq!(slots.next(), None, "no slot is free");
        slots.give_back(None);
        assert_eq!(slots.next(), None, "the pool is taken");
        slots.give_back(Some("gpu"));
        assert_eq!(slots.next(), Some(task("a", 1)));
    }
}
