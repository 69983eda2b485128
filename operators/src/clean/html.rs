//! HTML to Markdown: the page's main content, code with every space and newline.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::LazyLock,
};

use dom_smoothie::{Config as ReadConfig, Readability};
use htmd::{
    Element, HtmlToMarkdown, Node,
    element_handler::{HandlerResult, Handlers},
    options::Options,
};
use regex::Regex;

use super::strip;

/// Trees are walked by recursion, so deeper pages are read without one. Real pages stay below 60.
const DEEPEST: usize = 160;

/// Main content with fewer characters than this is taken for a miss of the heuristics.
const SHORTEST_MAIN: usize = 140;

static PAGE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)<(body|html|head|main|article)[\s>]").ok());

/// The Markdown of a page's main content, or of a fragment. Never fails: a page that no tree can be built of gives its
/// text.
pub fn to_markdown(html: &str, link: Option<&str>) -> String {
    if strip::depth(html, DEEPEST) >= DEEPEST {
        return strip::text(html);
    }
    // The converters are other people's code on hostile input: a panic there costs the structure, not the document.
    catch_unwind(AssertUnwindSafe(|| convert(html, link))).unwrap_or_else(|_| strip::text(html))
}

fn convert(html: &str, link: Option<&str>) -> String {
    let is_page = PAGE.as_ref().is_some_and(|page| page.is_match(html));
    let main = if is_page { main_content(html, link) } else { None };
    let markdown = |html: &str| converter().convert(html).unwrap_or_else(|_| strip::text(html));
    match main {
        Some(main) => markdown(&main),
        None => markdown(html),
    }
}

fn main_content(html: &str, link: Option<&str>) -> Option<String> {
    let config = ReadConfig {
        keep_classes: true,
        ..ReadConfig::default()
    };
    let article = Readability::new(html, link, Some(config)).ok()?.parse().ok()?;
    if article.length < SHORTEST_MAIN {
        return None;
    }
    let title = article.title.trim();
    let content = article.content.to_string();
    // The heuristics take the title out of the content; it is the author's.
    let has_heading = content.contains("<h1");
    Some(if title.is_empty() || has_heading {
        content
    } else {
        format!("<h1>{}</h1>{content}", escape(title))
    })
}

fn converter() -> HtmlToMarkdown {
    let options = Options {
        preformatted_code: true,
        ul_bullet_spacing: 1,
        ol_number_spacing: 1,
        ..Options::default()
    };
    HtmlToMarkdown::builder()
        .options(options)
        .skip_tags(vec![
            "script", "style", "noscript", "template", "iframe", "svg", "button", "form", "nav",
        ])
        .add_handler(vec!["pre"], |_: &dyn Handlers, element: Element<'_>| {
            Some(code_block(&element))
        })
        .build()
}

/// A fenced block with the exact text of a `pre`.
fn code_block(element: &Element<'_>) -> HandlerResult {
    let (mut code, mut language) = (String::new(), language_of(element.attrs));
    for child in element.node.children.borrow().iter() {
        push_text(child, &mut code, &mut language);
    }
    // The first newline after the tag is not part of the text; the parser has taken it off.
    let code = code.strip_suffix('\n').unwrap_or(&code);
    let fence = "`".repeat(longest_run(code).max(2) + 1);
    format!("\n\n{fence}{}\n{code}\n{fence}\n\n", language.unwrap_or_default()).into()
}

fn push_text(node: &Rc<Node>, code: &mut String, language: &mut Option<String>) {
    use markup5ever_rcdom::NodeData;
    match &node.data {
        NodeData::Text { contents } => code.push_str(&contents.borrow()),
        NodeData::Element { name, attrs, .. } => {
            if &*name.local == "br" {
                code.push('\n');
            }
            if language.is_none() {
                *language = language_of(&attrs.borrow());
            }
            for child in node.children.borrow().iter() {
                push_text(child, code, language);
            }
        }
        _ => {}
    }
}

fn language_of(attrs: &[html5ever::Attribute]) -> Option<String> {
    let classes = attrs.iter().find(|attr| &*attr.name.local == "class")?;
    let named = |class: &str| {
        ["language-", "lang-", "highlight-source-", "brush:"]
            .iter()
            .find_map(|prefix| class.strip_prefix(prefix).map(str::to_owned))
    };
    let language = classes.value.split_ascii_whitespace().find_map(named)?;
    language
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'#' | b'_'))
        .then_some(language)
}

fn longest_run(code: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for byte in code.bytes() {
        run = if byte == b'`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
