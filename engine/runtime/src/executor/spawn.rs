//! Starting workers.

use std::{
    ffi::OsString,
    io,
    process::Stdio,
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

use nix::{
    sys::{
        prctl,
        resource::{Resource, setrlimit},
        signal::Signal,
    },
    unistd::getppid,
};
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};
use twinloom_sdk::TaskDocument;

use super::{Limits, orphan};

/// Variables by which libraries learn how many threads they may use.
const THREADS: [&str; 5] = [
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "TOKIO_WORKER_THREADS",
];

struct Order {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// Starts a program for an attempt: in a group of its own, with its limits, and with death as its signal when the
/// scheduler dies.
pub async fn spawn(argv: &[OsString], task: &TaskDocument, limits: Limits) -> io::Result<Child> {
    let command = command(argv, task, limits)?;
    let (reply, child) = oneshot::channel();
    let gone = || io::Error::other("the thread that starts workers is gone");
    spawner()?
        .send(Order {
            command,
            runtime: Handle::current(),
            reply,
        })
        .map_err(|_| gone())?;
    child.await.map_err(|_| gone())?
}

fn command(argv: &[OsString], task: &TaskDocument, limits: Limits) -> io::Result<Command> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "no program is configured",
        ));
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env(orphan::MARK, orphan::mark(&task.run, &task.task, task.attempt))
        // Threads that spin while they wait cost a busy machine most of its speed.
        .env("OMP_WAIT_POLICY", "PASSIVE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(threads) = limits.threads {
        command.envs(THREADS.map(|name| (name, threads.max(1).to_string())));
    }
    let scheduler = i32::try_from(std::process::id()).unwrap_or(0);
    // SAFETY: between fork and exec only system calls are made; nothing is allocated, no lock is taken.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            if getppid().as_raw() != scheduler {
                // It died before the signal was asked for.
                return Err(io::Error::from_raw_os_error(nix::errno::Errno::ESRCH as i32));
            }
            limit(limits)
        });
    }
    Ok(command)
}

fn limit(limits: Limits) -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    if let Some(bytes) = limits.memory {
        setrlimit(Resource::RLIMIT_AS, bytes, bytes)?;
    }
    if let Some(time) = limits.cpu_time {
        let seconds = time.as_secs() + u64::from(time > Duration::from_secs(time.as_secs()));
        // SIGXCPU first, SIGKILL to those that ignore it.
        setrlimit(Resource::RLIMIT_CPU, seconds.max(1), seconds.max(1) + 5)?;
    }
    Ok(())
}

/// One thread starts all workers and lives as long as the process: the kernel sends the death signal when the thread
/// that forked ends, and the runtime's threads come and go.
fn spawner() -> io::Result<&'static mpsc::Sender<Order>> {
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    if let Some(orders) = SPAWNER.get() {
        return Ok(orders);
    }
    let (sender, orders) = mpsc::channel::<Order>();
    thread::Builder::new()
        .name("spawner".to_owned())
        .stack_size(256 << 10)
        .spawn(move || {
            for mut order in orders {
                let _runtime = order.runtime.enter();
                // Nobody waits any more: the child is killed as it is dropped.
                let _ = order.reply.send(order.command.spawn());
            }
        })?;
    // Of two that come here at once, the second one's thread ends with its sender.
    Ok(SPAWNER.get_or_init(|| sender))
}
