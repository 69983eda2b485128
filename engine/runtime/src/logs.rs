//! Log files of tasks: `runs/<run>/<task>.jsonl` in the home folder, one [`LogLine`] a line.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{EngineError, LogLine, LogPage};

/// A task's file grows no further, however much its operator has to say.
const MOST_BYTES: u64 = 64 << 20;

/// Bytes that one page of a log is read from. Far above the longest line, so that a page always gets on.
const MOST_PAGE: u64 = 4 << 20;

/// A longer line is cut.
const LONGEST_MESSAGE: usize = 64 << 10;

/// Appends to a task's log. The file is made with the first line.
pub struct LogFile {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    bytes: u64,
}

impl LogFile {
    /// The log of a task.
    pub fn new(home: &Path, run: &str, task: &str) -> Self {
        Self {
            path: path_of(home, run, task),
            file: None,
            bytes: 0,
        }
    }

    /// Appends a line. Past the limit the rest is dropped, with a word about it.
    pub fn write(&mut self, line: &mut LogLine) -> io::Result<()> {
        if line.message.len() > LONGEST_MESSAGE {
            let end = line.message.floor_char_boundary(LONGEST_MESSAGE);
            line.message.truncate(end);
            line.message.push_str(" [cut]");
        }
        self.open()?;
        if self.bytes >= MOST_BYTES {
            return Ok(());
        }
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.bytes += text.len() as u64;
        if self.bytes >= MOST_BYTES {
            line.message = "the log is full: the rest is dropped".to_owned();
            text = serde_json::to_vec(line)?;
            text.push(b'\n');
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(&text))
    }

    /// Hands what is buffered to the system, so that readers see it.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }

    fn open(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            self.bytes = file.metadata()?.len();
            self.file = Some(BufWriter::new(file));
        }
        Ok(())
    }
}

/// Reads a task's log. No file is no lines. A line cut short by a crash is left out.
pub fn read(home: &Path, run: &str, task: &str) -> Result<Vec<LogLine>, EngineError> {
    let path = path_of(home, run, task);
    let failed = |source| EngineError::Home {
        what: path.display().to_string(),
        source,
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut lines = Vec::new();
    for line in BufReader::new(file).split(b'\n') {
        if let Ok(line) = serde_json::from_slice(&line.map_err(failed)?) {
            lines.push(line);
        }
    }
    Ok(lines)
}

/// Reads lines from a place in the file on: each with the place after it, which is what to go on from. A line that is
/// not whole yet is left for the next time.
pub fn read_from(home: &Path, run: &str, task: &str, from: u64, most: u64) -> Result<LogPage, EngineError> {
    let path = path_of(home, run, task);
    let failed = |source| EngineError::Home {
        what: path.display().to_string(),
        source,
    };
    let mut page = LogPage {
        lines: Vec::new(),
        next: from,
        end: true,
    };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(page),
        Err(error) => return Err(failed(error)),
    };
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    let mut reader = BufReader::new(file.take(MOST_PAGE));
    let mut text = Vec::new();
    while (page.lines.len() as u64) < most {
        text.clear();
        reader.read_until(b'\n', &mut text).map_err(failed)?;
        if text.last() != Some(&b'\n') {
            // The end of the file, or of what is read at once.
            page.end = text.len() as u64 + page.next - from < MOST_PAGE;
            return Ok(page);
        }
        page.next += text.len() as u64;
        if let Ok(line) = serde_json::from_slice(&text) {
            page.lines.push((page.next, line));
        }
    }
    page.end = false;
    Ok(page)
}

/// A file name for a task: readable, and never two tasks under one.
pub fn slug(task: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !task.is_empty() && task.len() <= 100 && !task.starts_with('.') && task.chars().all(plain) {
        return task.to_owned();
    }
    let readable: String = task
        .chars()
        .take(80)
        .map(|c| if plain(c) { c } else { '-' })
        .collect();
    let hash = blake3::hash(task.as_bytes()).to_hex();
    format!("{}-{}", readable.trim_start_matches('.'), &hash.as_str()[..8])
}

fn path_of(home: &Path, run: &str, task: &str) -> PathBuf {
    home.join("runs")
        .join(slug(run))
        .join(format!("{}.jsonl", slug(task)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jiff::Timestamp;
    use twinloom_sdk::Level;

    use super::*;

    fn line(message: &str) -> LogLine {
        LogLine {
            time: Timestamp::UNIX_EPOCH,
            attempt: 1,
            level: Level::Info,
            message: message.to_owned(),
        }
    }

    #[test]
    fn slugs_stay_in_their_folder_and_apart() {
        assert_eq!(slug("clean"), "clean");
        for odd in ["../x", "", ".", "..", "train[rank=8,lr=0.1]", "a/b", "a-b/"] {
            let slug = slug(odd);
            assert!(
                !slug.contains('/') && !slug.starts_with('.') && !slug.is_empty(),
                "{slug}"
            );
        }
        assert_ne!(slug("a/b"), slug("a-b"));
        assert_ne!(slug("a/b"), slug("a[b"));
    }

    #[test]
    fn a_log_is_appended_to_and_read_from_its_end() {
        let home = tempfile::tempdir().unwrap();
        for message in ["one", "two\nlines", "three"] {
            let mut log = LogFile::new(home.path(), "run", "train[1]");
            log.write(&mut line(message)).unwrap();
            log.flush().unwrap();
        }
        let all = read(home.path(), "run", "train[1]").unwrap();
        assert_eq!(
            all.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(),
            ["one", "two\nlines", "three"]
        );
        assert_eq!(read(home.path(), "run", "absent").unwrap(), []);
    }

    #[test]
    fn a_log_is_read_in_pages_that_meet() {
        let home = tempfile::tempdir().unwrap();
        let mut log = LogFile::new(home.path(), "run", "t");
        (0..10).for_each(|n| log.write(&mut line(&n.to_string())).unwrap());
        log.flush().unwrap();
        let (mut from, mut seen) = (0, Vec::new());
        loop {
            let page = read_from(home.path(), "run", "t", from, 3).unwrap();
            seen.extend(page.lines.iter().map(|(_, line)| line.message.clone()));
            from = page.next;
            if page.end {
                break;
            }
        }
        assert_eq!(seen, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
        let half = read_from(home.path(), "run", "t", 0, 4).unwrap();
        let rest = read_from(home.path(), "run", "t", half.lines[1].0, 100).unwrap();
        assert_eq!(rest.lines[0].1.message, "2");
        assert!(
            read_from(home.path(), "run", "absent", 0, 9)
                .unwrap()
                .lines
                .is_empty()
        );
    }

    #[test]
    fn a_line_that_is_not_whole_waits() {
        let home = tempfile::tempdir().unwrap();
        let mut log = LogFile::new(home.path(), "run", "t");
        log.write(&mut line("whole")).unwrap();
        log.flush().unwrap();
        let path = path_of(home.path(), "run", "t");
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"time\"").unwrap();
        let page = read_from(home.path(), "run", "t", 0, 9).unwrap();
        assert_eq!((page.lines.len(), page.end), (1, true));
        assert_eq!(
            read_from(home.path(), "run", "t", page.next, 9).unwrap().next,
            page.next
        );
    }

    #[test]
    fn a_log_has_an_end() {
        let home = tempfile::tempdir().unwrap();
        let mut log = LogFile::new(home.path(), "run", "noisy");
        let long = "x".repeat(LONGEST_MESSAGE * 2);
        for _ in 0..(MOST_BYTES as usize / LONGEST_MESSAGE + 10) {
            log.write(&mut line(&long)).unwrap();
        }
        log.flush().unwrap();
        let size = fs::metadata(path_of(home.path(), "run", "noisy")).unwrap().len();
        assert!(size <= MOST_BYTES, "{size}");
        let last = read(home.path(), "run", "noisy").unwrap().pop().unwrap();
        assert!(last.message.contains("the log is full"), "{}", last.message);
    }
}
