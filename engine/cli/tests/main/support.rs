//! A home folder of its own for each test, and the binary run in it.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

/// The binary under test.
pub const TWINLOOM: &str = env!("CARGO_BIN_EXE_twinloom");

/// A folder with a `.twinloom` in it.
pub struct Project {
    pub dir: TempDir,
}

/// What a command printed and how it ended.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Project {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// One with `dag.yaml` and `dataset:report@1`, the evidence that an approval needs.
    pub fn with_report(dag: &str) -> Self {
        let project = Self::new();
        project.write("dag.yaml", dag);
        project.write(
            "report.csv",
            "metric,subject,value,low,high,threshold,passed,evidence\neval_loss,candidate,1.5,1.4,1.6,2.5,true,{}\n",
        );
        project.ok(&[
            "dataset",
            "import",
            "report",
            "report.csv",
            "--keys",
            "metric,subject",
        ]);
        project
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().map(Ran::from).unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(TWINLOOM);
        command.args(arguments);
        self.place(&mut command);
        command
    }

    /// Has a command run here, with no setting of whoever runs the tests.
    pub fn place(&self, command: &mut Command) {
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("TWINLOOM_") || text.starts_with("OTEL_") {
                command.env_remove(&name);
            }
        }
        command.current_dir(self.dir.path()).env("USER", "tester");
        if let Some(minilm) = embedder() {
            command.env("TWINLOOM_EMBEDDER", minilm);
        }
    }

    /// Starts a command without a terminal; what it says is read from its standard error.
    pub fn start(&self, arguments: &[&str]) -> (Child, BufReader<ChildStderr>) {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        (child, said)
    }

    /// Runs a command that must succeed.
    pub fn ok(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran
    }

    /// The last JSON line of a command that must succeed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.ok(&[arguments, &["--json"]].concat());
        ran.last_json()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    pub fn last_json(&self) -> Value {
        let line = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{}", self.stderr))
    }

    /// State of a task in the last JSON line.
    pub fn state(&self, task: &str) -> String {
        state(&self.last_json(), task)
    }
}

/// State of a task in a run's document.
pub fn state(run: &Value, task: &str) -> String {
    let tasks = run["tasks"].as_array().unwrap();
    let found = tasks
        .iter()
        .find(|row| row["id"] == task)
        .unwrap_or_else(|| panic!("no task {task} in {run}"));
    found["state"].as_str().unwrap().to_owned()
}

/// The checkout that the tests were built in.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// The embedder's weights, where set-up has put them.
pub fn embedder() -> Option<PathBuf> {
    Some(root().join(".cache/minilm")).filter(|dir| dir.join("config.json").is_file())
}

/// The libtorch worker, where it is built.
pub fn torch() -> Option<PathBuf> {
    let own = Path::new(TWINLOOM);
    Some(own.with_file_name("twinloom-torch")).filter(|path| path.is_file())
}

/// Real articles and posts, where they are at hand.
pub fn shared_data() -> Option<PathBuf> {
    let beside = || {
        root()
            .ancestors()
            .map(|dir| dir.join("shared/data"))
            .find(|dir| dir.is_dir())
    };
    let named = env::var_os("TWINLOOM_SHARED").map(|dir| PathBuf::from(dir).join("data"));
    named
        .or_else(beside)
        .filter(|dir| dir.join("articles.jsonl").is_file())
}

/// A `twinloom up` on a free port, over the project's home; it ends with this.
pub struct Up {
    child: Child,
    pub url: String,
}

impl Project {
    /// Starts a server with these environment variables and waits until it is ready. It logs all that it can.
    pub fn up(&self, variables: &[(&str, &str)]) -> Up {
        let log = self.path("server.log");
        let mut command = self.command(&["up", "--port", "0", "--json", "--log-json"]);
        let mut child = command
            .envs(variables.iter().copied())
            .env("TWINLOOM_LOG", "debug")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {line}\n{}", fs::read_to_string(&log).unwrap()));
        let url = ready["url"].as_str().unwrap().to_owned();
        Up { child, url }
    }

    /// Runs a command with this on its stdin.
    pub fn run_with(&self, stdin: &str, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        child.wait_with_output().map(Ran::from).unwrap()
    }

    /// A command must fail with this exit code, error code and a hint that holds this.
    pub fn fails(&self, arguments: &[&str], exit: i32, code: &str, hint: &str) {
        let ran = self.run(&[arguments, &["--json"]].concat());
        let error = ran.last_json()["error"].clone();
        assert_eq!((ran.code, error["code"].as_str()), (exit, Some(code)), "{error}");
        assert!(error["hint"].as_str().unwrap().contains(hint), "{error}");
        // For people, the same on stderr.
        let said = self.run(arguments).stderr;
        assert!(
            said.contains(&format!("error[{code}]")) && said.contains("hint: "),
            "{said}"
        );
    }
}

impl Up {
    /// The body of an answer, status line and headers included.
    pub fn get(&self, path: &str) -> String {
        let host = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}
