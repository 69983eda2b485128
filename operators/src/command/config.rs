//! What `with:` of `command` holds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinloom_sdk::OperatorError;

/// Which program is run, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The program and its arguments, each as it is: no shell reads them. A program with a `/` is found from the folder
    /// where Twinloom runs, else on `PATH`.
    pub argv: Vec<String>,
    /// Environment variables on top of Twinloom's own; a value `secret:NAME` is the secret of that name.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Folder to run in, from where Twinloom runs; without it, a folder of the attempt's own that is deleted after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Key columns of output datasets that the program writes as files, by port; the first is the entity key.
    #[serde(default)]
    pub keys: BTreeMap<String, Vec<String>>,
}

impl Config {
    /// Checks what a process cannot be started with.
    ///
    /// # Errors
    /// `command.argv`, `command.env`.
    pub fn check(&self) -> Result<(), OperatorError> {
        if self.argv.first().is_none_or(String::is_empty) {
            let hint = "Set `argv` to a list: the program, then its arguments.";
            return Err(OperatorError::config(
                "command.argv",
                "there is no program to run",
                hint,
            ));
        }
        if let Some(argument) = self.argv.iter().find(|argument| argument.contains('\0')) {
            let message = format!("an argument holds a NUL character: {}", argument.escape_debug());
            return Err(OperatorError::config("command.argv", message, "Take it out."));
        }
        let wrong = |(name, value): &(&String, &String)| {
            name.is_empty()
                || name.contains(['=', '\0'])
                || value.contains('\0')
                || name.starts_with("TWINLOOM_")
        };
        match self.env.iter().find(wrong) {
            None => Ok(()),
            Some((name, _)) => Err(OperatorError::config(
                "command.env",
                format!("`{}` cannot be set for a command", name.escape_debug()),
                "Use names without `=` that do not start with TWINLOOM_, and values without NUL characters.",
            )),
        }
    }
}
