//! Process groups: a worker and all that it starts.

use nix::{
    errno::Errno,
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use super::watchdog;

/// The group of a worker; killed when dropped, and when the scheduler dies, so that nothing of an attempt outlives its
/// executor.
#[derive(Debug)]
pub struct Group {
    leader: Pid,
}

impl Group {
    /// The group whose leader has this id.
    pub fn new(pid: u32) -> Option<Self> {
        // 0 and 1 would mean our own group, and everything.
        let leader = i32::try_from(pid).ok().filter(|pid| *pid > 1)?;
        watchdog::watch(leader);
        Some(Self {
            leader: Pid::from_raw(leader),
        })
    }

    /// Sends a signal to every process in it; whether there was one.
    pub fn signal(&self, signal: Signal) -> bool {
        killpg(self.leader, signal) != Err(Errno::ESRCH)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The id stays the group's as long as one process is in it, also after the leader's end.
        self.signal(Signal::SIGKILL);
        watchdog::forget(self.leader.as_raw());
    }
}
