//! The scheduler: dispatcher, executors, retries, cache, events.
