//! Options of runs, decisions and questions.

use std::path::PathBuf;

use clap::Args;

/// Parameters of a DAG.
#[derive(Debug, Clone, Default, Args)]
pub struct Params {
    /// A parameter; the value is read as YAML or JSON, unless it is declared as text. May be repeated.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Folder of pipelines, if not `pipelines` beside the file or beside its folder.
    #[arg(long, value_name = "DIR")]
    pub pipelines: Option<PathBuf>,
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The DAG file; may be left out with --resume.
    #[arg(required_unless_present = "resume")]
    pub file: Option<PathBuf>,
    /// Parameters.
    #[command(flatten)]
    pub params: Params,
    /// Approve whatever the run asks, in this name (recorded as such).
    #[arg(long, value_name = "NAME")]
    pub approve_as: Option<String>,
    /// Go on with an interrupted or waiting run: this one, or the newest.
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "latest",
        conflicts_with_all = ["params", "pipelines", "no_cache"])]
    pub resume: Option<String>,
    /// Tasks at a time, if not one a core.
    #[arg(short = 'j', long, value_name = "N")]
    pub jobs: Option<usize>,
    /// While it waits for approval keep waiting, instead of ending with exit code 4.
    #[arg(long)]
    pub wait: bool,
    /// Reuse no earlier results.
    #[arg(long)]
    pub no_cache: bool,
}

/// Options of `approve` and `reject`.
#[derive(Debug, Clone, Args)]
pub struct DecideArgs {
    /// The run's id, or the start of it, or `latest`.
    pub run: String,
    /// Who decides.
    #[arg(long = "as", value_name = "NAME")]
    pub by: String,
    /// The task, where several wait.
    #[arg(long)]
    pub task: Option<String>,
    /// In your words, for the record.
    #[arg(long)]
    pub comment: Option<String>,
    /// Record the decision only; leave going on with the run to a scheduler or `run --resume`.
    #[arg(long)]
    pub record_only: bool,
}

/// Options of `ask`.
#[derive(Debug, Clone, Args)]
pub struct AskArgs {
    /// The question.
    pub question: String,
    /// The model: NAME@ALIAS or NAME@VERSION.
    #[arg(short, long, default_value = "twin@production")]
    pub model: String,
    /// The dataset to retrieve from.
    #[arg(long, default_value = "embedded_chunks")]
    pub chunks: String,
    /// The vector collection of that dataset.
    #[arg(long, default_value = "chunks")]
    pub collection: String,
    /// How many passages to ground the answer in.
    #[arg(short = 'k', long, default_value_t = 4)]
    pub passages: usize,
    /// A cross-encoder that chooses them: its folder, or its name on the hub.
    #[arg(long, value_name = "MODEL")]
    pub reranker: Option<String>,
    /// Nearest passages that the reranker reads.
    #[arg(long, default_value_t = 32, requires = "reranker")]
    pub candidates: usize,
    /// Longest answer, in tokens.
    #[arg(long, default_value_t = 160)]
    pub max_tokens: usize,
    /// 0 always picks the likeliest token.
    #[arg(long, default_value_t = 0.7)]
    pub temperature: f64,
    /// Seed of the sampling.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// A switch of the model's chat template, such as enable_thinking=false; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = switch)]
    pub template: Vec<(String, serde_json::Value)>,
}

fn switch(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("a switch is NAME=VALUE")?;
    Ok((name.to_owned(), twinloom_spec::read_value(value)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::switch;

    #[test]
    fn switches_are_read_as_parameters_are() {
        let read = |text: &str| switch(text).map(|(_, value)| value);
        assert_eq!(
            switch("enable_thinking=false"),
            Ok(("enable_thinking".to_owned(), json!(false)))
        );
        assert_eq!(read("date=26 Jul 2024"), Ok(json!("26 Jul 2024")));
        assert_eq!(read("tools=[a, b]"), Ok(json!(["a", "b"])));
        for wrong in ["enable_thinking", "=false"] {
            assert!(switch(wrong).is_err(), "{wrong}");
        }
    }
}
