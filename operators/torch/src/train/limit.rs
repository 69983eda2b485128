//! Bounds the process's own memory by what the machine has left: an allocation that does not fit then fails and says so,
//! where the system would kill the process without a word.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Left to the system and to other programs: a twentieth of what there is, at least so much.
const LEFT: u64 = 64 << 20;

/// Trainings of this process that are bounded, and the bound that there was before.
static BOUNDED: Mutex<(usize, u64)> = Mutex::new((0, 0));

/// A bound that holds until it is dropped.
pub struct Bound(());

impl Bound {
    /// Bounds the writable private memory of this process (`RLIMIT_DATA`) to what it has now and what the machine and the
    /// control group have left; never above the bound that it came with. `None` where the system does not tell, or refuses.
    #[must_use]
    pub fn by_machine() -> Option<Self> {
        let free = free(Path::new("/"))?;
        Self::new(free.saturating_sub((free / 20).max(LEFT)))
    }

    /// The same for so many bytes more than there are now.
    #[must_use]
    pub fn new(more: u64) -> Option<Self> {
        let own = kib(&fs::read_to_string("/proc/self/status").ok()?, "VmData:")?;
        let (soft, hard) = getrlimit(Resource::RLIMIT_DATA).ok()?;
        let mut bounded = BOUNDED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (count, before) = *bounded;
        let before = if count == 0 { soft } else { before };
        setrlimit(Resource::RLIMIT_DATA, own.saturating_add(more).min(before), hard).ok()?;
        *bounded = (count + 1, before);
        Some(Self(()))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let mut bounded = BOUNDED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        bounded.0 = bounded.0.saturating_sub(1);
        if let (0, before) = *bounded
            && let Ok((_, hard)) = getrlimit(Resource::RLIMIT_DATA)
        {
            let _ = setrlimit(Resource::RLIMIT_DATA, before, hard);
        }
    }
}

/// Bytes that can still be taken: of the machine, and of every control group that this process is in.
fn free(root: &Path) -> Option<u64> {
    let machine = kib(
        &fs::read_to_string(root.join("proc/meminfo")).ok()?,
        "MemAvailable:",
    )?;
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let groups = groups.lines().flat_map(|line| levels(root, line));
    Some(groups.filter_map(|group| group.free()).fold(machine, u64::min))
}

/// A control group's folder, and what its files are called.
struct Group {
    dir: PathBuf,
    limit: &'static str,
    used: &'static str,
    cached: &'static str,
}

impl Group {
    fn free(&self) -> Option<u64> {
        let read = |name: &str| fs::read_to_string(self.dir.join(name)).ok();
        // `max` is no number: there is no limit.
        let limit: u64 = read(self.limit)?.trim().parse().ok()?;
        let used: u64 = read(self.used)?.trim().parse().ok()?;
        // Pages of files are given back where memory is short.
        let stat = read("memory.stat").unwrap_or_default();
        let cached = stat
            .lines()
            .find_map(|line| line.strip_prefix(self.cached)?.trim().parse::<u64>().ok());
        Some(limit.saturating_sub(used.saturating_sub(cached.unwrap_or(0))))
    }
}

/// The group that a line of `/proc/self/cgroup` names and all above it: each may have a limit. A container may see its own
/// group as the root.
fn levels(root: &Path, line: &str) -> Vec<Group> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(kinds), Some(path)) = (parts.next(), parts.next()) else {
        return Vec::new();
    };
    let (mount, [limit, used, cached]) = match kinds {
        "" => (
            "sys/fs/cgroup",
            ["memory.max", "memory.current", "inactive_file "],
        ),
        kinds if kinds.split(',').any(|kind| kind == "memory") => (
            "sys/fs/cgroup/memory",
            [
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                "total_inactive_file ",
            ],
        ),
        _ => return Vec::new(),
    };
    let path = Path::new(path.trim_start_matches('/'));
    path.ancestors()
        .map(|path| Group {
            dir: root.join(mount).join(path),
            limit,
            used,
            cached,
        })
        .collect()
}

/// A line of a file of /proc, in bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use std::process::Command;

    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::ModelError;

    const CHILD: &str = "TWINLOOM_TEST_LIMIT_CHILD";

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn what_is_left_is_the_least_of_machine_and_groups() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!(free(root), None);
        write(
            root,
            "proc/meminfo",
            "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n",
        );
        assert_eq!(free(root), Some(8000 * 1024));
        write(root, "proc/self/cgroup", "1:cpu,cpuacct:/x\n0::/a/b\n");
        write(root, "sys/fs/cgroup/a/b/memory.max", "max\n");
        write(root, "sys/fs/cgroup/a/b/memory.current", "500\n");
        assert_eq!(free(root), Some(8000 * 1024));
        // The group above has a limit; what it holds of files can be given back.
        write(root, "sys/fs/cgroup/a/memory.max", "5000\n");
        write(root, "sys/fs/cgroup/a/memory.current", "3000\n");
        write(
            root,
            "sys/fs/cgroup/a/memory.stat",
            "anon 9\ninactive_file 1200\n",
        );
        assert_eq!(free(root), Some(3200));
        // A container that sees its group as the root.
        write(root, "proc/self/cgroup", "0::/\n");
        write(root, "sys/fs/cgroup/memory.max", "100\n");
        write(root, "sys/fs/cgroup/memory.current", "300\n");
        assert_eq!(free(root), Some(0));
        // The first version.
        write(root, "proc/self/cgroup", "3:memory:/job\n");
        write(root, "sys/fs/cgroup/memory/job/memory.limit_in_bytes", "70\n");
        write(root, "sys/fs/cgroup/memory/job/memory.usage_in_bytes", "30\n");
        assert_eq!(free(root), Some(40));
    }

    /// In a process of its own: the bound is the whole process's.
    #[test]
    fn an_allocation_beyond_the_bound_is_an_error_and_not_a_kill() {
        if std::env::var_os(CHILD).is_none() {
            let done = Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "train::limit::tests::an_allocation_beyond_the_bound_is_an_error_and_not_a_kill",
                ])
                .env(CHILD, "1")
                .output()
                .unwrap();
            let words = String::from_utf8_lossy(&done.stdout);
            // None at all would be a success too, should the test get another name.
            assert!(done.status.success() && words.contains("1 passed"), "{words}");
            return;
        }
        let ones =
            |mib: i64| Tensor::f_ones([mib << 18], (Kind::Float, Device::Cpu)).map_err(ModelError::from);
        let before = getrlimit(Resource::RLIMIT_DATA).unwrap();
        let bound = Bound::new(256 << 20).unwrap();
        let inner = Bound::new(8 << 30).unwrap();
        drop(inner);
        let bound_again = Bound::new(256 << 20).unwrap();
        assert!(ones(64).is_ok());
        let error = ones(400).unwrap_err();
        assert!(error.is_out_of_memory(), "{error}");
        drop((bound, bound_again));
        assert_eq!(getrlimit(Resource::RLIMIT_DATA).unwrap(), before);
        assert!(ones(400).is_ok());
        assert!(Bound::by_machine().is_some());
    }
}
