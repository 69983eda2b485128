//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};

/// Ends when the process is asked to stop; never, if signals cannot be had.
pub async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
