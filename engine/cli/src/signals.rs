//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::output;

/// The exit code of a program that a signal ended, as shells give it for Ctrl-C.
const ENDED: i32 = 130;

/// Ends when the process is asked to stop; never, if signals cannot be had. Who asks a second time, while it is being
/// stopped properly, ends the process at once.
pub async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    either(&mut interrupt, &mut terminate).await;
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        output::say(
            "ended at once; what was interrupted goes on at the next start, or with `twinloom run --resume`",
        );
        std::process::exit(ENDED);
    });
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
