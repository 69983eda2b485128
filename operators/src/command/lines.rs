//! What a program says: protocol messages and log lines on stdout, log lines on stderr. Memory is bounded.

use std::{collections::VecDeque, io};

use tokio::io::{AsyncBufRead, AsyncBufReadExt};
use twinloom_sdk::{AliasMove, ApprovalRequest, Context, Message, OperatorError, Staged};

/// Longest line of the protocol; a staged dataset of very many parts comes to some megabytes.
const LONGEST_LINE: usize = 32 << 20;

/// Longest log line; what is longer is cut.
const LONGEST_LOG: usize = 4096;

/// Lines of stderr that an error shows.
const LAST_LINES: usize = 20;

/// What the program has said so far that matters after it.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub outputs: Vec<(String, Staged)>,
    pub metrics: serde_json::Map<String, serde_json::Value>,
    pub aliases: Vec<AliasMove>,
    pub wait: Option<ApprovalRequest>,
    pub error: Option<OperatorError>,
}

/// Reads stdout to its end.
pub(super) async fn stdout(context: &Context, out: impl AsyncBufRead + Unpin) -> io::Result<Said> {
    let mut said = Said::default();
    lines(out, LONGEST_LINE, |line| {
        match serde_json::from_slice::<Message>(line) {
            Ok(message) => take(context, &mut said, message),
            Err(_) => context.info(shown(line)),
        }
    })
    .await?;
    Ok(said)
}

/// Reads stderr to its end; gives the last lines.
pub(super) async fn stderr(
    context: &Context,
    err: impl AsyncBufRead + Unpin,
) -> io::Result<VecDeque<String>> {
    let mut last = VecDeque::new();
    lines(err, LONGEST_LOG, |line| {
        let line = shown(line);
        context.info(line.clone());
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    })
    .await?;
    Ok(last)
}

fn take(context: &Context, said: &mut Said, message: Message) {
    match message {
        Message::Log { level, message } => context.log(level, message),
        Message::Progress { done, total, unit } => context.progress(done, total, &unit),
        Message::Metric { name, value, step } => context.metric(&name, value, step),
        Message::Heartbeat => {}
        Message::Output { port, artifact } => said.outputs.push((port, *artifact)),
        Message::Result { metrics, aliases } => (said.metrics, said.aliases) = (metrics, aliases),
        Message::Wait { request } => said.wait = Some(request),
        Message::Error { error } => said.error = Some(error),
    }
}

/// Calls `each` with every line, without its end. A line of more than `longest` bytes is cut there.
async fn lines(
    mut from: impl AsyncBufRead + Unpin,
    longest: usize,
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        let buffer = from.fill_buf().await?;
        if buffer.is_empty() {
            break;
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        line.extend(piece.iter().take(longest - line.len().min(longest)));
        let used = piece.len() + usize::from(end.is_some());
        from.consume(used);
        if end.is_some() {
            each(&line);
            line.clear();
        }
    }
    if !line.is_empty() {
        each(&line);
    }
    Ok(())
}

fn shown(line: &[u8]) -> String {
    let cut = line.get(..LONGEST_LOG).unwrap_or(line);
    String::from_utf8_lossy(cut).trim_end_matches('\r').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn long_lines_are_cut_and_the_next_is_whole() {
        let text = format!("{}\nsecond\r\n\nlast", "x".repeat(100_000));
        let mut seen = Vec::new();
        lines(text.as_bytes(), 10, |line| seen.push(shown(line)))
            .await
            .unwrap();
        assert_eq!(seen, ["xxxxxxxxxx", "second", "", "last"]);
    }
}
