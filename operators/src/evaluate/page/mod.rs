//! The report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere.

mod charts;
mod style;
mod text;

use std::fmt::Write;

use super::report::{FigureLine, Report};
use charts::{Bar, bars, curve};
use text::{escape, number, title_of};

/// The page of a report.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut out = String::with_capacity(64 * 1024);
    let title = format!("Evaluation of {}", report.candidate);
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
        escape(&title),
        style::STYLE
    );
    head(&mut out, report);
    gate(&mut out, report);
    losses(&mut out, report);
    learning(&mut out, report);
    voice(&mut out, report);
    memory(&mut out, report);
    ability(&mut out, report);
    judged(&mut out, report);
    samples(&mut out, report);
    figures(&mut out, report);
    origin(&mut out, report);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn head(out: &mut String, report: &Report) {
    let (class, word) = verdict(report.passed);
    let production = match &report.production {
        Some(production) => format!(" and with <b>{}</b>, which is in production", escape(production)),
        None => String::new(),
    };
    let _ = write!(
        out,
        "<header>\n<p class=\"kicker\">Evaluation report</p>\n<h1>{}</h1>\n<p class=\"verdict {class}\">{word}</p>\n\
         <p>Compared with <b>{}</b>{production}, on {} held-out rows that it has not been trained on. Lines at the end of \
         bars are intervals that cover {:.0}%.</p>\n</header>\n",
        escape(&report.candidate),
        escape(&report.base),
        report.rows.measured,
        report.confidence * 100.0
    );
    if report.rows.leaked > 0 {
        let _ = writeln!(
            out,
            "<p class=\"note\">{} held-out rows were left out because they stand in the training text, of {}.</p>",
            report.rows.leaked,
            escape(&report.leaked.join(", "))
        );
    }
}

fn verdict(passed: bool) -> (&'static str, &'static str) {
    if passed {
        ("good", "✓ Passed every threshold")
    } else {
        ("bad", "✗ Missed a threshold")
    }
}

fn gate(out: &mut String, report: &Report) {
    section(
        out,
        "gate",
        "The gate",
        "Every threshold has to hold before a person is asked.",
    );
    out.push_str("<table>\n<thead><tr><th scope=\"col\">Threshold</th><th scope=\"col\">Holds</th><th scope=\"col\" class=\"n\">Figure</th><th scope=\"col\" class=\"n\">Threshold</th><th scope=\"col\">In words</th></tr></thead>\n<tbody>\n");
    for check in &report.checks {
        let (class, word) = if check.passed {
            ("good", "✓ yes")
        } else {
            ("bad", "✗ no")
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\"><code>{}</code></th><td class=\"{class}\">{word}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(&check.name),
            number(check.value),
            number(check.threshold),
            escape(&check.why)
        );
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

fn losses(out: &mut String, report: &Report) {
    section(
        out,
        "loss",
        "How well it predicts the author",
        "Bits for each byte of held-out text; lower is better. Against others' text it need not gain: a model that has learnt \
         the author gains more on the author's text.",
    );
    chart(
        out,
        report,
        "bits_per_byte",
        &["candidate", "base", "production"],
        "The author's held-out text, bits a byte",
    );
    chart(
        out,
        report,
        "control_bits_per_byte",
        &["candidate", "base", "production"],
        "Others' text, bits a byte",
    );
    chart(
        out,
        report,
        "gain",
        &["author", "others", "production"],
        "Gain by document pairs, bits a byte: on the author's text and on others' against the base, and on the author's against production",
    );
    if !report.documents.is_empty() {
        out.push_str("<details><summary>Documents that differ most from the base</summary>\n<table>\n<thead><tr><th scope=\"col\">Document</th><th scope=\"col\" class=\"n\">Better by, nats a token</th></tr></thead>\n<tbody>\n");
        for (document, difference) in &report.documents {
            let _ = writeln!(
                out,
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td></tr>",
                escape(document),
                number(*difference)
            );
        }
        out.push_str("</tbody>\n</table>\n</details>\n");
    }
    out.push_str("</section>\n");
}

fn learning(out: &mut String, report: &Report) {
    if report.curve.len() < 2 {
        return;
    }
    section(
        out,
        "curve",
        "How it learnt",
        "Held-out loss in nats a token, by training step.",
    );
    out.push_str(&curve("Held-out loss by step", &report.curve));
    out.push_str("</section>\n");
}

fn voice(out: &mut String, report: &Report) {
    if report.figure("style_distance", "candidate").is_none() {
        return;
    }
    section(
        out,
        "style",
        "How near its voice is",
        "Distance of what was written from the author's text, topic words masked: 0 is the same, 1 nothing in common. The \
         band is the author's distance from themself, for parts of the same size.",
    );
    chart(
        out,
        report,
        "style_distance",
        &["candidate", "base", "production", "author"],
        "Style distance",
    );
    out.push_str("</section>\n");
}

fn memory(out: &mut String, report: &Report) {
    if report.figure("recited_share", "candidate").is_none() {
        return;
    }
    section(
        out,
        "memory",
        "Whether it recites",
        "Given the beginning of a training text, how much of what it goes on with stands in that text. Extracted: it went on \
         word for word.",
    );
    chart(
        out,
        report,
        "recited_share",
        &["candidate", "base", "production"],
        "Recited share, median over probes",
    );
    chart(
        out,
        report,
        "extracted_share",
        &["candidate", "base", "production"],
        "Share of probes that were extracted",
    );
    chart(
        out,
        report,
        "verbatim_share",
        &["candidate", "base", "production"],
        "Runs of eight words of free answers that stand in training text",
    );
    if let Some(text) = &report.most_recited {
        let _ = write!(
            out,
            "<details><summary>The continuation that recites most</summary>\n<blockquote>{}</blockquote>\n</details>\n",
            escape(text)
        );
    }
    out.push_str("</section>\n");
}

fn ability(out: &mut String, report: &Report) {
    let Some(figure) = report.figure("ability", "candidate") else {
        return;
    };
    let items = figure
        .evidence
        .as_ref()
        .and_then(|evidence| evidence.get("items"))
        .and_then(serde_json::Value::as_u64);
    section(
        out,
        "ability",
        "What it can still do",
        &format!(
            "Share of {} everyday questions whose right answer it finds likeliest. A drop says that tuning has cost it something.",
            items.unwrap_or_default()
        ),
    );
    chart(
        out,
        report,
        "ability",
        &["candidate", "base", "production", "chance"],
        "Right answers",
    );
    out.push_str("</section>\n");
}

fn judged(out: &mut String, report: &Report) {
    if report.figure("judge_win_rate", "base").is_none() {
        return;
    }
    section(
        out,
        "judge",
        "What the judge says",
        "Share of pairs in which the judge takes the candidate's text for the author's, a tie being half. A pair counts only \
         where it says the same in both orders.",
    );
    chart(
        out,
        report,
        "judge_win_rate",
        &["base", "production"],
        "Win rate against",
    );
    chart(
        out,
        report,
        "judge_agreement",
        &["base", "production"],
        "Pairs on which both orders agree, against",
    );
    out.push_str("</section>\n");
}

fn samples(out: &mut String, report: &Report) {
    if report.samples.is_empty() {
        return;
    }
    section(
        out,
        "samples",
        "What they write",
        "To held-out instructions, sampled with the same seed.",
    );
    for sample in &report.samples {
        let _ = write!(
            out,
            "<article class=\"sample\">\n<h3>{}</h3>\n<div class=\"columns\">\n",
            escape(&sample.instruction)
        );
        let author = ("author".to_owned(), sample.author.clone());
        for (subject, text) in std::iter::once(&author).chain(&sample.written) {
            let _ = writeln!(
                out,
                "<div class=\"{}\"><h4>{}</h4><p>{}</p></div>",
                escape(subject),
                escape(&title_of(subject)),
                escape(text)
            );
        }
        out.push_str("</div>\n</article>\n");
    }
    out.push_str("</section>\n");
}

fn figures(out: &mut String, report: &Report) {
    section(out, "figures", "All figures", "As they stand in the dataset.");
    out.push_str("<table>\n<thead><tr><th scope=\"col\">Metric</th><th scope=\"col\">Of</th><th scope=\"col\" class=\"n\">Value</th><th scope=\"col\" class=\"n\">From</th><th scope=\"col\" class=\"n\">To</th><th scope=\"col\" class=\"n\">Threshold</th></tr></thead>\n<tbody>\n");
    for figure in &report.figures {
        let end = |pick: fn((f64, f64)) -> f64| figure.interval.map(pick).map(number).unwrap_or_default();
        let threshold = figure
            .check
            .map(|(threshold, passed)| format!("{} {}", number(threshold), if passed { "✓" } else { "✗" }));
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(&title_of(&figure.metric)),
            escape(&figure.subject),
            number(figure.value),
            end(|ends| ends.0),
            end(|ends| ends.1),
            threshold.unwrap_or_default()
        );
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

fn origin(out: &mut String, report: &Report) {
    section(out, "origin", "Made from", "");
    out.push_str("<table>\n<thead><tr><th scope=\"col\">Input</th><th scope=\"col\">Version</th></tr></thead>\n<tbody>\n");
    for (port, id) in &report.inputs {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td><code>{}</code></td></tr>",
            escape(port),
            escape(id)
        );
    }
    let rows = report.rows;
    let _ = write!(
        out,
        "</tbody>\n</table>\n<p>{} held-out rows, {} of them measured; {} training rows.</p>\n\
         <details><summary>Configuration</summary>\n<pre>{}</pre>\n</details>\n</section>\n",
        rows.held_out,
        rows.measured,
        rows.training,
        escape(&serde_json::to_string_pretty(&report.config).unwrap_or_default())
    );
}

/// Opens a section; the caller closes it.
fn section(out: &mut String, id: &str, title: &str, about: &str) {
    let _ = write!(
        out,
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n"
    );
    if !about.is_empty() {
        let _ = writeln!(out, "<p class=\"about\">{}</p>", escape(about));
    }
}

/// The bars of a metric, where it was measured.
fn chart(out: &mut String, report: &Report, metric: &str, subjects: &[&str], title: &str) {
    let figures: Vec<&FigureLine> = subjects
        .iter()
        .filter_map(|subject| report.figure(metric, subject))
        .collect();
    if figures.is_empty() {
        return;
    }
    let bar = |figure: &&FigureLine| Bar {
        label: title_of(&figure.subject),
        class: figure.subject.clone(),
        value: figure.value,
        interval: figure.interval,
        threshold: figure.check.map(|(threshold, _)| threshold),
    };
    // Shares are read against the whole.
    let share = ["_share", "_rate", "_agreement", "ability"];
    let most = share.iter().any(|end| metric.ends_with(end)).then_some(1.0);
    out.push_str(&bars(title, &figures.iter().map(bar).collect::<Vec<_>>(), most));
}
