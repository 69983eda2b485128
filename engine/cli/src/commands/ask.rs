//! `twinloom ask`: an answer in the author's voice, with the author's own passages under it.

use twinloom_gateway::{Citation, Gateway, GatewayConfig, Question, Reranker, Sampling};

use crate::{app::App, args::AskArgs, error::CliError, output};

/// Longest quote under an answer, in characters.
const QUOTE: usize = 160;

/// Runs the command.
///
/// # Errors
/// What the gateway says.
pub async fn run(app: &App, args: &AskArgs) -> Result<(), CliError> {
    let config = GatewayConfig {
        home: app.home()?,
        store: app.store().await?,
        torch: app.torch()?,
    };
    let question = Question {
        text: args.question.clone(),
        model: args.model.parse()?,
        chunks: args.chunks.parse()?,
        collection: args.collection.clone(),
        passages: args.passages,
        reranker: args.reranker.clone().map(|model| Reranker {
            model,
            candidates: args.candidates,
        }),
        sampling: Sampling {
            max_new_tokens: args.max_tokens,
            temperature: args.temperature,
            top_p: 0.9,
            repetition_penalty: 1.15,
            seed: args.seed,
            ..Sampling::default()
        },
        chat_template_kwargs: args.template.iter().cloned().collect(),
    };
    // What cannot be answered is said before a worker is started.
    twinloom_gateway::released(&config.store, &question.model).await?;
    let gateway = Gateway::start(config)?;
    if app.global.json {
        return output::json(&gateway.answer(&question).await?);
    }
    let mut begun = false;
    let mut print = |part: &str| {
        let part = if begun { part } else { part.trim_start() };
        begun |= !part.is_empty();
        output::part(part)
    };
    let answer = gateway.answer_in_parts(&question, &mut print).await?;
    output::line("\n\nGrounded in:");
    answer.citations.iter().for_each(print_citation);
    output::say(&format!(
        "{} answered: retrieval {} ms, {} tokens in {} ms",
        answer.model, answer.retrieval_ms, answer.new_tokens, answer.generation_ms
    ));
    Ok(())
}

fn print_citation(citation: &Citation) {
    let place = match (&citation.title, &citation.link) {
        (Some(title), Some(link)) if title != link => format!("{title} ({link})"),
        (Some(title), _) => title.clone(),
        (None, Some(link)) => link.clone(),
        (None, None) => citation.document.clone(),
    };
    output::line(&format!("[{}] {place}  {:.2}", citation.number, citation.score));
    output::line(&format!("    “{}”", output::cut(citation.quote.trim(), QUOTE)));
}
