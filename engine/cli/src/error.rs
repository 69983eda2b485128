//! What a command fails with: code, message, hint and exit code.

use std::{fmt, process::ExitCode};

use serde::Serialize;
use serde_json::{Value, json};
use twinloom_spec::Diagnostics;

/// An error of a command, printed as words on stderr or, with `--json`, as a document on stdout.
#[derive(Debug, Serialize)]
pub struct CliError {
    /// Stable and dotted: `store.not_found`.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// The process's exit code.
    #[serde(skip)]
    pub exit: u8,
    /// More than words: the diagnostics of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Value>>,
    /// Already printed in full for people.
    #[serde(skip)]
    pub rendered: Option<String>,
}

impl CliError {
    /// Something failed.
    pub fn failed(code: &str, message: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self::new(1, code, message, hint)
    }

    /// The command line or a file is wrong.
    pub fn usage(code: &str, message: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self::new(2, code, message, hint)
    }

    /// There is no such thing.
    pub fn not_found(code: &str, message: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self::new(3, code, message, hint)
    }

    /// With any exit code.
    pub fn new(exit: u8, code: &str, message: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_string(),
            hint: hint.to_string(),
            exit,
            details: None,
            rendered: None,
        }
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit)
    }

    /// The error as a JSON document.
    pub fn to_json(&self) -> Value {
        json!({ "error": self })
    }
}

impl From<Diagnostics> for CliError {
    fn from(diagnostics: Diagnostics) -> Self {
        let count = diagnostics.0.len();
        let noun = if count == 1 { "error" } else { "errors" };
        Self {
            details: serde_json::to_value(&diagnostics).ok().map(Box::new),
            rendered: Some(diagnostics.render(supports_color())),
            ..Self::usage(
                "spec.invalid",
                format!("{count} {noun} in the file"),
                "Mend the places shown above.",
            )
        }
    }
}

impl From<twinloom_store::StoreError> for CliError {
    fn from(error: twinloom_store::StoreError) -> Self {
        Self::new(exit_of(error.code()), error.code(), &error, error.hint())
    }
}

impl From<twinloom_meta::MetaError> for CliError {
    fn from(error: twinloom_meta::MetaError) -> Self {
        Self::new(exit_of(error.code()), error.code(), &error, error.hint())
    }
}

impl From<twinloom_runtime::EngineError> for CliError {
    fn from(error: twinloom_runtime::EngineError) -> Self {
        Self::new(exit_of(error.code()), error.code(), &error, error.hint())
    }
}

impl From<twinloom_runtime::ServiceError> for CliError {
    fn from(error: twinloom_runtime::ServiceError) -> Self {
        Self::new(exit_of(error.code()), error.code(), &error, error.hint())
    }
}

impl From<twinloom_runtime::dags::DagsError> for CliError {
    fn from(error: twinloom_runtime::dags::DagsError) -> Self {
        Self::new(exit_of(error.code()), error.code(), &error, error.hint())
    }
}

impl From<twinloom_server::ServerError> for CliError {
    fn from(error: twinloom_server::ServerError) -> Self {
        Self::new(exit_of(error.code()), error.code(), &error, error.hint())
    }
}

impl From<twinloom_server::Problem> for CliError {
    fn from(problem: twinloom_server::Problem) -> Self {
        Self::new(
            exit_of_status(problem.status),
            &problem.code,
            &problem.detail,
            &problem.hint,
        )
    }
}

impl From<twinloom_gateway::GatewayError> for CliError {
    fn from(error: twinloom_gateway::GatewayError) -> Self {
        Self::new(exit_of(error.code()), error.code(), &error, error.hint())
    }
}

/// The exit code of an error code: that of the status that a server gives it, so that a script finds the same whether it
/// asks a server or works on the home folder.
fn exit_of(code: &str) -> u8 {
    exit_of_status(twinloom_server::status_of(code).as_u16())
}

/// The exit code of an HTTP status, as `--help` lists them.
pub fn exit_of_status(status: u16) -> u8 {
    match status {
        404 => 3,
        400 | 413 | 415 | 422 | 428 => 2,
        _ => 1,
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::failed(
            "io",
            &error,
            "Check the path, its permissions and the free space.",
        )
    }
}

impl From<serde_json::Error> for CliError {
    fn from(error: serde_json::Error) -> Self {
        Self::failed("json", &error, "This is a defect of Twinloom: please report it.")
    }
}

/// Colour only for people: a terminal that did not say no.
pub fn supports_color() -> bool {
    use std::io::IsTerminal;
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
