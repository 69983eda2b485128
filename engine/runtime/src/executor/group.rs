//! Process groups: a worker and all that it starts.

use nix::{
    errno::Errno,
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// The group of a worker; killed when dropped, so that nothing of an attempt outlives its executor.
#[derive(Debug)]
pub struct Group {
    leader: Pid,
}

impl Group {
    /// The group whose leader has this id.
    pub fn new(pid: u32) -> Option<Self> {
        // 0 and 1 would mean our own group, and everything.
        i32::try_from(pid).ok().filter(|pid| *pid > 1).map(|pid| Self {
            leader: Pid::from_raw(pid),
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
    }
}
