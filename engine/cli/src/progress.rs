//! Live progress: spinners and bars on a terminal, plain lines elsewhere, JSON lines for programs.

use std::{
    collections::HashMap,
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use twinloom_meta::TaskState;
use twinloom_runtime::EngineEvent;
use twinloom_sdk::Level;

use crate::output;

/// Plain output says how far a task is at most this often.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

enum Mode {
    Json,
    Plain {
        last: HashMap<String, Instant>,
    },
    Live {
        all: MultiProgress,
        bars: HashMap<String, ProgressBar>,
    },
}

/// Shows the events of a run.
pub struct Progress {
    mode: Mode,
    started: HashMap<String, Instant>,
}

impl Progress {
    /// Chooses by what stderr is.
    pub fn new(json: bool) -> Self {
        let mode = if json {
            Mode::Json
        } else if io::stderr().is_terminal() {
            Mode::Live {
                all: MultiProgress::new(),
                bars: HashMap::new(),
            }
        } else {
            Mode::Plain { last: HashMap::new() }
        };
        Self {
            mode,
            started: HashMap::new(),
        }
    }

    /// Shows one event.
    pub fn event(&mut self, event: &EngineEvent) {
        if matches!(self.mode, Mode::Json) {
            let _ = output::json(event);
            return;
        }
        match event {
            EngineEvent::Task {
                task,
                state,
                reason,
                error,
                attempt,
                ..
            } => {
                let why = error
                    .as_ref()
                    .and_then(|error| error["message"].as_str())
                    .or(reason.as_deref());
                self.task(task, *state, *attempt, why.unwrap_or_default());
            }
            EngineEvent::Log { task, line, .. } if line.level >= Level::Warn => {
                self.say(&format!("  {task}: {}", output::cut(&line.message, 200)));
            }
            EngineEvent::Progress {
                task,
                done,
                total,
                unit,
                ..
            } => self.advance(task, *done, *total, unit),
            EngineEvent::Metric {
                task,
                name,
                value,
                step,
                ..
            } => self.metric(task, name, *value, *step),
            EngineEvent::Run { .. } | EngineEvent::Log { .. } => {}
        }
    }

    fn task(&mut self, task: &str, state: TaskState, attempt: u32, why: &str) {
        let sign = match state {
            TaskState::Running => {
                self.start(task, attempt);
                return;
            }
            TaskState::Succeeded => "✓",
            TaskState::Cached => "✓✓",
            TaskState::Failed => "✗",
            TaskState::Waiting => "?",
            TaskState::Skipped | TaskState::UpstreamFailed => "-",
            TaskState::Cancelled => "⊘",
            TaskState::Pending if !why.is_empty() => "↻",
            TaskState::Pending | TaskState::Queued => return,
        };
        if let Mode::Live { bars, .. } = &mut self.mode
            && let Some(bar) = bars.remove(task)
        {
            bar.finish_and_clear();
        }
        let took = self
            .started
            .remove(task)
            .map(|at| format!(" {:.1} s", at.elapsed().as_secs_f64()))
            .unwrap_or_default();
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(" ({why})")
        };
        self.say(&format!("{sign} {task}: {state}{took}{why}"));
    }

    fn start(&mut self, task: &str, attempt: u32) {
        self.started.insert(task.to_owned(), Instant::now());
        if let Mode::Live { all, bars } = &mut self.mode {
            let bar = all.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar.set_prefix(if attempt > 1 {
                format!("{task} (attempt {attempt})")
            } else {
                task.to_owned()
            });
            bars.insert(task.to_owned(), bar);
        }
    }

    fn advance(&mut self, task: &str, done: u64, total: Option<u64>, unit: &str) {
        let of = total
            .map(|total| format!(" of {}", output::count(total)))
            .unwrap_or_default();
        let text = format!("{}{of} {unit}", output::count(done));
        match &mut self.mode {
            Mode::Live { bars, .. } => {
                if let Some(bar) = bars.get(task) {
                    bar.set_message(text);
                }
            }
            Mode::Plain { last } => {
                let due = last.get(task).is_none_or(|at| at.elapsed() >= PLAIN_EVERY);
                // The first word comes once a task has taken a while: quick ones need none.
                let slow = self
                    .started
                    .get(task)
                    .is_some_and(|at| at.elapsed() >= PLAIN_EVERY);
                if due && slow {
                    last.insert(task.to_owned(), Instant::now());
                    output::say(&format!("  {task}: {text}"));
                }
            }
            Mode::Json => {}
        }
    }

    fn metric(&mut self, task: &str, name: &str, value: f64, step: Option<u64>) {
        // Held-out losses are what one watches a training by; the other curves are in `twinloom show`.
        if let Some(step) = step
            && name.starts_with("eval")
        {
            self.say(&format!("  {task}: step {step}: {name} {value:.4}"));
        }
    }

    fn say(&self, text: &str) {
        match &self.mode {
            Mode::Live { all, .. } => {
                let _ = all.println(text);
            }
            Mode::Plain { .. } | Mode::Json => output::say(text),
        }
    }
}
