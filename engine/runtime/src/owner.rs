//! Who runs a run: a process on a host, told apart from a later one with the same id.

use std::{
    collections::HashSet,
    fmt, fs,
    sync::{LazyLock, Mutex, PoisonError},
};

use jiff::Timestamp;

/// Engines of this very process that have not been shut down.
static LIVE: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// `host/boot/pid/start/engine`, as it stands in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    host: String,
    boot: String,
    pid: u32,
    start: u64,
    engine: String,
}

impl Owner {
    /// An engine of this process.
    pub fn here(engine: String) -> Self {
        let pid = std::process::id();
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(engine.clone());
        Self {
            host: host(),
            boot: boot(),
            pid,
            start: start_of(pid).unwrap_or_default(),
            engine,
        }
    }

    /// Reads what [`fmt::Display`] wrote; anything else is nobody.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(str::to_owned);
        let (host, boot) = (parts.next()?, parts.next()?);
        let (pid, start) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self {
            host,
            boot,
            pid,
            start,
            engine: parts.next()?,
        })
    }

    /// Whether the engine is running. On another host only its lease tells.
    pub fn is_alive(&self, lease_until: Option<Timestamp>, now: Timestamp) -> bool {
        if self.host != host() {
            return lease_until.is_some_and(|until| until > now);
        }
        if self.boot != boot() || start_of(self.pid) != Some(self.start) {
            return false;
        }
        self.pid != std::process::id()
            || LIVE
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .contains(&self.engine)
    }

    /// The engine is gone, although its process lives on.
    pub fn retire(&self) {
        LIVE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.engine);
    }
}

/// Whether the engine of this name (`Engine::owner`) runs. On another host only the end of its lease tells; a text that no
/// engine wrote is nobody's.
#[must_use]
pub fn is_running(owner: &str, lease_until: Option<Timestamp>) -> bool {
    Owner::parse(owner).is_some_and(|owner| owner.is_alive(lease_until, Timestamp::now()))
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}/{}/{}",
            self.host, self.boot, self.pid, self.start, self.engine
        )
    }
}

fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().replace('/', "-")
}

fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().chars().take(8).collect()
}

/// When a live process started, in clock ticks since boot; zombies count as gone.
pub fn start_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so count from its end.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_owner_lives_until_it_retires() {
        let owner = Owner::here("first".to_owned());
        let read = Owner::parse(&owner.to_string()).unwrap();
        assert_eq!(read, owner);
        assert!(read.is_alive(None, Timestamp::UNIX_EPOCH));
        owner.retire();
        assert!(!read.is_alive(None, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_later_process_with_the_same_id_is_another() {
        let owner = Owner {
            start: 1,
            ..Owner::here("second".to_owned())
        };
        assert!(!owner.is_alive(Some(Timestamp::MAX), Timestamp::UNIX_EPOCH));
        assert_eq!(Owner::parse("nobody"), None);
    }

    #[test]
    fn on_another_host_the_lease_tells() {
        let owner = Owner {
            host: "elsewhere".to_owned(),
            ..Owner::here("third".to_owned())
        };
        assert!(owner.is_alive(
            Some(Timestamp::from_second(2).unwrap()),
            Timestamp::from_second(1).unwrap()
        ));
        assert!(!owner.is_alive(
            Some(Timestamp::from_second(1).unwrap()),
            Timestamp::from_second(1).unwrap()
        ));
    }
}
