//! Slots: how many tasks run at a time, over all and by pool. A higher priority goes first; within one, DAGs take turns,
//! and within a DAG its runs, so that a wide run or a busy DAG holds nobody else up.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
};

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

/// Tasks that wait, by priority, the highest first.
#[derive(Default)]
struct Queue {
    levels: BTreeMap<Reverse<u32>, Turns<String, Runs>>,
}

/// Runs of a DAG that take turns, each with its tasks.
type Runs = Turns<RunKey, VecDeque<TaskRef>>;

/// Lists that take turns.
struct Turns<K, L> {
    turns: VecDeque<K>,
    lists: HashMap<K, L>,
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

    /// A task of a DAG wants to start, at the priority of its run.
    pub fn enqueue(&mut self, task: TaskRef, pool: Option<&str>, dag: &str, priority: u32) {
        match pool {
            None => self.open.push(task, dag, priority),
            Some(name) => {
                self.pools
                    .entry(name.to_owned())
                    .or_insert_with(|| Pool::new(DEFAULT_POOL))
                    .queue
                    .push(task, dag, priority);
            }
        }
    }

    /// The next task that may start; the caller takes its slot with [`Slots::take`] or drops it.
    pub fn next(&mut self) -> Option<TaskRef> {
        if self.free == 0 {
            return None;
        }
        let pool = self
            .pools
            .values_mut()
            .filter(|pool| pool.used < pool.size && !pool.queue.is_empty())
            // The first of those that are equal.
            .min_by_key(|pool| pool.queue.first());
        match pool {
            // At the same priority pools go first: their slots are the scarcer ones.
            Some(pool) if self.open.is_empty() || pool.queue.first() <= self.open.first() => pool.queue.pop(),
            _ => self.open.pop(),
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
    fn push(&mut self, task: TaskRef, dag: &str, priority: u32) {
        let run = task.run.clone();
        self.levels
            .entry(Reverse(priority))
            .or_default()
            .of(dag.to_owned())
            .of(run)
            .push_back(task);
    }

    fn pop(&mut self) -> Option<TaskRef> {
        let mut level = self.levels.first_entry()?;
        let task = level.get_mut().turn(
            |runs| runs.turn(VecDeque::pop_front, VecDeque::is_empty),
            Turns::is_empty,
        );
        if level.get().is_empty() {
            level.remove();
        }
        task
    }

    /// The priority of the task that is next.
    fn first(&self) -> Option<Reverse<u32>> {
        self.levels.first_key_value().map(|(priority, _)| *priority)
    }

    fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    fn forget(&mut self, run: &RunKey) {
        self.levels.retain(|_, dags| {
            dags.lists.retain(|_, runs| {
                if runs.lists.remove(run).is_some() {
                    runs.turns.retain(|turn| turn != run);
                }
                !runs.is_empty()
            });
            let Turns { turns, lists } = dags;
            turns.retain(|dag| lists.contains_key(dag));
            !lists.is_empty()
        });
    }
}

impl<K, L> Default for Turns<K, L> {
    fn default() -> Self {
        Self {
            turns: VecDeque::new(),
            lists: HashMap::new(),
        }
    }
}

impl<K: Clone + Eq + Hash, L: Default> Turns<K, L> {
    /// The list of that key, which gets the last turn where it is new.
    fn of(&mut self, key: K) -> &mut L {
        if !self.lists.contains_key(&key) {
            self.turns.push_back(key.clone());
        }
        self.lists.entry(key).or_default()
    }

    fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Takes from the list whose turn it is; the list goes last then, or away where nothing is left in it.
    fn turn<T>(
        &mut self,
        take: impl FnOnce(&mut L) -> Option<T>,
        is_empty: impl FnOnce(&L) -> bool,
    ) -> Option<T> {
        let key = self.turns.pop_front()?;
        let list = self.lists.get_mut(&key)?;
        let taken = take(list);
        if is_empty(list) {
            self.lists.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        taken
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
        (0..3).for_each(|index| slots.enqueue(task("a", index), None, "d", 50));
        slots.enqueue(task("b", 0), None, "d", 50);
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
        (0..2).for_each(|index| slots.enqueue(task("a", index), Some("gpu"), "d", 50));
        slots.enqueue(task("a", 2), None, "d", 50);
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

    #[test]
    fn a_higher_priority_goes_first_and_dags_take_turns() {
        let mut slots = Slots::new(10, BTreeMap::new());
        // A DAG with many runs does not hold up one with a single run.
        for run in ["a1", "a2", "a3"] {
            slots.enqueue(task(run, 0), None, "a", 50);
        }
        slots.enqueue(task("b1", 0), None, "b", 50);
        slots.enqueue(task("urgent", 0), None, "c", 90);
        slots.enqueue(task("idle", 0), None, "d", 10);
        // A pool's task waits for what matters more.
        slots.enqueue(task("pooled", 0), Some("gpu"), "e", 20);
        let order: Vec<_> = std::iter::from_fn(|| slots.next())
            .map(|task| task.run.to_string())
            .collect();
        assert_eq!(order, ["urgent", "a1", "b1", "a2", "a3", "pooled", "idle"]);
    }

    #[test]
    fn a_run_that_is_gone_leaves_nothing_behind() {
        let mut slots = Slots::new(10, BTreeMap::new());
        (0..2).for_each(|index| slots.enqueue(task("a", index), None, "d", 50));
        slots.enqueue(task("b", 0), None, "e", 50);
        slots.forget(&"a".into());
        assert_eq!(slots.next(), Some(task("b", 0)));
        assert_eq!(slots.next(), None);
        assert!(slots.open.is_empty());
    }
}
