//! The operator: starts the program, follows it, and takes in what it made.

use std::{
    collections::VecDeque,
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitStatus,
};

use async_trait::async_trait;
use tokio::io::{AsyncWriteExt, BufReader};
use twinloom_sdk::{Context, Done, Operator, OperatorError, OperatorInfo, Outcome, Runs};

use super::{
    Config,
    lines::{self, Said},
    outputs, ports,
    process::{Launch, Running},
};

/// `EX_TEMPFAIL` of sysexits: the program asks to be run again.
const TRY_AGAIN: i32 = 75;

/// Larger files in `argv` are told apart by size and time alone.
const LARGEST_HASHED: u64 = 64 << 20;

/// The operator `command`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Command;

#[async_trait]
impl Operator for Command {
    type Config = Config;

    fn info(&self) -> OperatorInfo {
        OperatorInfo {
            name: "command",
            version: "1",
            summary: "Runs any program as a step: inputs as Parquet paths, outputs as files or by the worker protocol.",
            inputs: Vec::new(),
            outputs: Vec::new(),
            open_ports: true,
            runs: Runs::Process,
            cacheable: true,
        }
    }

    /// The content of files that `argv` names: an edited script is another program.
    fn cache_salt(&self, config: &Config) -> Option<String> {
        let mut hasher = blake3::Hasher::new();
        for argument in &config.argv {
            let path = match &config.dir {
                Some(dir) if !is_program(config, argument) => Path::new(dir).join(argument),
                _ => PathBuf::from(argument),
            };
            hasher.update(argument.as_bytes());
            hasher.update(content_mark(&path).unwrap_or_default().as_bytes());
        }
        Some(hasher.finalize().to_hex().to_string())
    }

    async fn run(&self, context: &Context, config: Config) -> Result<Outcome, OperatorError> {
        config.check()?;
        let output_dir = ports::output_dir(context).await?;
        let mut variables = ports::inputs(context).await?;
        let task = context.task();
        variables.extend([
            ("TWINLOOM_OUTPUT_DIR".to_owned(), output_dir.display().to_string()),
            ("TWINLOOM_RUN".to_owned(), task.run.clone()),
            ("TWINLOOM_TASK".to_owned(), task.task.clone()),
            ("TWINLOOM_ATTEMPT".to_owned(), task.attempt.to_string()),
            ("TWINLOOM_SEED".to_owned(), task.seed.to_string()),
        ]);
        for (name, value) in &config.env {
            variables.push((name.clone(), context.secret(value)?));
        }
        let (status, said, errors) = follow(context, launch(context, &config, variables)?).await?;
        end(context, &config, status, said, &errors)?
            .finish(context, &config, &output_dir)
            .await
    }
}

/// How the program ended well.
enum Ended {
    Done(Done),
    Wait(Outcome),
}

impl Ended {
    async fn finish(self, context: &Context, config: &Config, dir: &Path) -> Result<Outcome, OperatorError> {
        match self {
            Self::Wait(outcome) => Ok(outcome),
            Self::Done(done) => Ok(outputs::import(context, config, dir, done).await?.into()),
        }
    }
}

/// Runs the program to its end, or to the task's cancellation.
async fn follow(
    context: &Context,
    launch: Launch,
) -> Result<(ExitStatus, Said, VecDeque<String>), OperatorError> {
    let program = launch.program.display().to_string();
    let mut running = Running::start(launch).map_err(|error| not_started(&program, &error))?;
    let child = &mut running.child;
    let (Some(mut stdin), Some(out), Some(err)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(OperatorError::bug(
            "command.pipes",
            "a child process has no pipes",
        ));
    };
    let mut document =
        serde_json::to_vec(context.task()).map_err(|e| OperatorError::bug("command.task", e))?;
    document.push(b'\n');
    let reading = async {
        let write = async {
            // A program that does not read its task closes the pipe or leaves it; neither is a failure.
            let _ = stdin.write_all(&document).await;
            let _ = stdin.flush().await;
        };
        let (out, err) = (BufReader::new(out), BufReader::new(err));
        let read = async { tokio::try_join!(lines::stdout(context, out), lines::stderr(context, err)) };
        let wait = async {
            let (said, status) = tokio::join!(read, running.ended());
            Ok::<_, io::Error>((status?, said?))
        };
        // stdin stays open until the program has ended: its end would tell the program that nobody waits.
        tokio::pin!(write, wait);
        tokio::select! {
            ended = &mut wait => ended,
            () = &mut write => wait.await,
        }
    };
    let ended = tokio::select! {
        ended = reading => Some(ended),
        () = context.cancellation().cancelled() => None,
    };
    match ended {
        Some(Ok((status, (said, errors)))) => Ok((status, said, errors)),
        Some(Err(error)) => Err(OperatorError::retry(
            "command.pipes",
            format!("lost the connection to {program}: {error}"),
            "Look at the task's log.",
        )),
        None => {
            running.stop().await;
            context.check_cancelled()?;
            Err(OperatorError::bug(
                "command.cancelled",
                "a task was cancelled and not cancelled",
            ))
        }
    }
}

fn end(
    context: &Context,
    config: &Config,
    status: ExitStatus,
    said: Said,
    errors: &VecDeque<String>,
) -> Result<Ended, OperatorError> {
    if let Some(error) = said.error {
        return Err(error);
    }
    if !status.success() {
        return Err(failed(config, status, errors));
    }
    if let Some(request) = said.wait {
        return Ok(Ended::Wait(Outcome::Wait(request)));
    }
    let mut done = Done {
        metrics: said.metrics,
        aliases: said.aliases,
        ..Done::new()
    };
    for (port, artifact) in said.outputs {
        let planned = context.task().outputs.get(&port);
        let fits = planned.is_some_and(|target| match &artifact {
            twinloom_sdk::Staged::Dataset(data) => data.name == target.name,
            twinloom_sdk::Staged::Model(data) => data.name == target.name,
        });
        if !fits {
            return Err(OperatorError::data(
                "command.output",
                format!("the command staged an output `{port}` that the plan does not have under that name"),
                "Add it below the step's `out:`, and stage it under the name in the task document.",
            ));
        }
        done.outputs.insert(port, artifact);
    }
    Ok(Ended::Done(done))
}

fn failed(config: &Config, status: ExitStatus, errors: &VecDeque<String>) -> OperatorError {
    let program = config.argv.first().map_or("", String::as_str);
    let last = errors.iter().map(|line| format!("\n{line}")).collect::<String>();
    match status.code() {
        Some(TRY_AGAIN) => OperatorError::retry(
            "command.retry",
            format!("{program} asks to be run again (exit code {TRY_AGAIN}){last}"),
            "It is tried again; raise `retries:` of the step if that is too few times.",
        ),
        // What a shell ends with when a signal ended its program: SIGKILL (out of memory) and SIGTERM.
        Some(code @ (137 | 143)) => killed(format!(
            "{program} ended with exit code {code}: signal {} ended what it ran{last}",
            code - 128
        )),
        Some(code) => OperatorError::data(
            "command.failed",
            format!("{program} ended with exit code {code}{last}"),
            "See the task's log; exit code 75 would have it tried again.",
        ),
        None => killed(format!("{program} was ended by a signal ({status}){last}")),
    }
}

/// Not what the program made of its input: the machine was out of memory, or somebody stopped it.
fn killed(message: String) -> OperatorError {
    let hint = "It is tried again; raise the step's limits if it runs out of memory or time.";
    OperatorError::retry("command.killed", message, hint)
}

fn launch(
    context: &Context,
    config: &Config,
    variables: Vec<(String, String)>,
) -> Result<Launch, OperatorError> {
    let here = env::current_dir().map_err(|error| ports::unwritable(Path::new("."), &error))?;
    let (program, arguments) = config
        .argv
        .split_first()
        .ok_or_else(|| OperatorError::bug("command.argv", "empty"))?;
    // A path is meant from where Twinloom runs, whatever folder the program then runs in.
    let program = if program.contains('/') {
        here.join(program)
    } else {
        PathBuf::from(program)
    };
    let dir = config
        .dir
        .as_ref()
        .map_or_else(|| context.work_dir().to_owned(), |dir| here.join(dir));
    if !dir.is_dir() {
        return Err(OperatorError::config(
            "command.dir",
            format!("the folder {} does not exist", dir.display()),
            "Set `dir` to a folder, from where Twinloom runs; or leave it out.",
        ));
    }
    Ok(Launch {
        program,
        arguments: arguments.to_vec(),
        dir,
        variables,
    })
}

fn not_started(program: &str, error: &io::Error) -> OperatorError {
    let (code, hint) = match error.kind() {
        io::ErrorKind::NotFound => ("command.not_found", "Install it, or give its path in `argv`."),
        io::ErrorKind::PermissionDenied => ("command.not_executable", "Make the file executable: chmod +x."),
        io::ErrorKind::ArgumentListTooLong => (
            "command.too_long",
            "Pass long texts by a file instead of arguments.",
        ),
        _ => ("command.not_started", "See whether the program starts by hand."),
    };
    OperatorError::config(code, format!("could not start {program}: {error}"), hint)
}

fn is_program(config: &Config, argument: &String) -> bool {
    config
        .argv
        .first()
        .is_some_and(|program| std::ptr::eq(program, argument))
}

/// The hash of a small file, size and time of a large one; `None` for what is no file.
fn content_mark(path: &Path) -> Option<String> {
    let found = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    if found.len() > LARGEST_HASHED {
        return Some(format!("{} {:?}", found.len(), found.modified().ok()));
    }
    let bytes = fs::read(path).ok()?;
    Some(blake3::hash(&bytes).to_hex().to_string())
}
