//! Metadata in SQL: runs, tasks, attempts, events, approvals.
