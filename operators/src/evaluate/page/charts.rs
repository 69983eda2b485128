//! Charts as inline SVG, each with a table of the same numbers for those who read tables.

use std::fmt::Write;

use super::text::{escape, number};

/// A bar with its interval.
pub(super) struct Bar {
    /// What it stands for.
    pub label: String,
    /// Decides on the colour.
    pub class: String,
    /// Its length.
    pub value: f64,
    /// Drawn as a line over its end.
    pub interval: Option<(f64, f64)>,
    /// Drawn as a dashed line across it.
    pub threshold: Option<f64>,
}

const WIDTH: f64 = 720.0;
const LEFT: f64 = 120.0;
const RIGHT: f64 = 90.0;
const BAR: f64 = 22.0;
const GAP: f64 = 12.0;

/// Horizontal bars from zero, with intervals; `most` is where the scale ends at least.
#[expect(clippy::cast_precision_loss, reason = "a handful of bars")]
pub(super) fn bars(title: &str, bars: &[Bar], most: Option<f64>) -> String {
    let ends = bars.iter().flat_map(|bar| {
        let (low, high) = bar.interval.unwrap_or((bar.value, bar.value));
        [bar.value, low, high, bar.threshold.unwrap_or(bar.value)]
    });
    let (low, high) = ends
        .chain(most)
        .filter(|end| end.is_finite())
        .fold((0.0_f64, 0.0_f64), |(low, high), end| {
            (low.min(end), high.max(end))
        });
    let span = (high - low).max(1e-9);
    let x = |value: f64| LEFT + (value.clamp(low, high) - low) / span * (WIDTH - LEFT - RIGHT);
    let height = bars.len() as f64 * (BAR + GAP) + GAP;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n<line class=\"axis\" x1=\"{1:.1}\" x2=\"{1:.1}\" y1=\"4\" y2=\"{2:.1}\"/>\n",
        escape(title),
        x(0.0),
        height - 4.0
    );
    for (place, bar) in bars.iter().enumerate() {
        let y = GAP + place as f64 * (BAR + GAP);
        let (from, to) = (x(0.0).min(x(bar.value)), x(0.0).max(x(bar.value)));
        let _ = write!(
            svg,
            "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n<rect class=\"bar {}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"3\"/>\n",
            LEFT - 10.0,
            y + BAR * 0.7,
            escape(&bar.label),
            escape(&bar.class),
            (to - from).max(1.0)
        );
        if let Some(threshold) = bar.threshold {
            let at = x(threshold);
            let _ = writeln!(
                svg,
                "<path class=\"threshold\" d=\"M{at:.1} {:.1}v{:.1}\"><title>threshold {}</title></path>",
                y - 5.0,
                BAR + 10.0,
                number(threshold)
            );
        }
        let mut end = to;
        if let Some((low, high)) = bar.interval {
            let (from, to, middle) = (x(low), x(high), y + BAR / 2.0);
            end = end.max(to);
            let _ = writeln!(
                svg,
                "<path class=\"interval\" d=\"M{from:.1} {middle:.1}H{to:.1}M{from:.1} {0:.1}v10M{to:.1} {0:.1}v10\"/>",
                middle - 5.0
            );
        }
        let _ = writeln!(
            svg,
            "<text class=\"value\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            end + 8.0,
            y + BAR * 0.7,
            number(bar.value)
        );
    }
    svg.push_str("</svg>\n");
    figure(
        title,
        &svg,
        &["Of", "Value", "From", "To"],
        bars.iter().map(|bar| {
            let end = |pick: fn((f64, f64)) -> f64| bar.interval.map(pick).map(number).unwrap_or_default();
            vec![
                bar.label.clone(),
                number(bar.value),
                end(|ends| ends.0),
                end(|ends| ends.1),
            ]
        }),
    )
}

/// A curve over steps.
pub(super) fn curve(title: &str, points: &[(f64, f64)]) -> String {
    const HEIGHT: f64 = 220.0;
    let (left, top, bottom) = (70.0, 16.0, 34.0);
    let bounds = |of: fn(&(f64, f64)) -> f64| {
        points
            .iter()
            .map(of)
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            })
    };
    let ((x0, x1), (y0, y1)) = (bounds(|point| point.0), bounds(|point| point.1));
    let x = |value: f64| left + (value - x0) / (x1 - x0).max(1e-9) * (WIDTH - left - 24.0);
    let y = |value: f64| top + (y1 - value) / (y1 - y0).max(1e-9) * (HEIGHT - top - bottom);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
        escape(title)
    );
    for share in [0.0, 0.5, 1.0] {
        let value = y0 + share * (y1 - y0);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{left}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\"/>\n<text class=\"label\" x=\"{2:.1}\" y=\"{3:.1}\">{4}</text>\n",
            WIDTH - 24.0,
            y(value),
            left - 10.0,
            y(value) + 4.0,
            number(value)
        );
    }
    let path: Vec<String> = points
        .iter()
        .map(|(at, value)| format!("{:.1} {:.1}", x(*at), y(*value)))
        .collect();
    let _ = writeln!(svg, "<path class=\"line\" d=\"M{}\"/>", path.join("L"));
    for (at, value) in points {
        let _ = writeln!(
            svg,
            "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\"/>",
            x(*at),
            y(*value)
        );
    }
    let _ = write!(
        svg,
        "<text class=\"tick\" x=\"{left}\" y=\"{0}\">{1}</text>\n<text class=\"tick end\" x=\"{2:.1}\" y=\"{0}\">step {3}</text>\n</svg>\n",
        HEIGHT - 10.0,
        number(x0),
        WIDTH - 24.0,
        number(x1)
    );
    figure(
        title,
        &svg,
        &["Step", "Value"],
        points.iter().map(|(at, value)| vec![number(*at), number(*value)]),
    )
}

fn figure(title: &str, svg: &str, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut out = format!(
        "<figure>\n<figcaption>{}</figcaption>\n{svg}<details><summary>As a table</summary>\n<table>\n<thead><tr>",
        escape(title)
    );
    for (place, head) in heads.iter().enumerate() {
        let class = if place == 0 { "" } else { " class=\"n\"" };
        let _ = write!(out, "<th scope=\"col\"{class}>{head}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (place, cell) in row.iter().enumerate() {
            match place {
                0 => drop(write!(out, "<th scope=\"row\">{}</th>", escape(cell))),
                _ => drop(write!(out, "<td class=\"n\">{}</td>", escape(cell))),
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</details>\n</figure>\n");
    out
}
