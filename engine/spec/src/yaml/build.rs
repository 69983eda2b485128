//! Parser events to the tree, within bounds on size, depth and aliases.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::{Data, Node, Pair, Span, position::Offsets, scalar};
use crate::{
    diagnostic::{Diagnostic, Report, codes},
    source::{Source, too_large},
};

/// Collections inside collections, aliases followed.
pub(crate) const MAX_DEPTH: usize = 64;
/// Values in a file before aliases are followed.
const MAX_NODES: usize = 500_000;
/// What aliases may add, in bytes of memory, roughly.
const MAX_ALIAS_WEIGHT: usize = 16 * 1024 * 1024;

/// The tree of a file, or `None` where the text is not YAML; what is wrong goes to the report.
pub(crate) fn parse(source: &Source, report: &mut Report) -> Option<Node> {
    if let Some(bytes) = source.oversize() {
        report.push(too_large(source, Some(bytes)));
        return None;
    }
    let mut builder = Builder::new(source, report);
    match builder.run() {
        Ok(root) => root,
        Err(fatal) => {
            report.push(*fatal);
            None
        }
    }
}

type Fatal = Box<Diagnostic>;

struct Builder<'a> {
    source: &'a Source,
    report: &'a mut Report,
    offsets: Offsets<'a>,
    stack: Vec<Frame>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    alias_weight: usize,
}

/// A collection that is not yet closed.
struct Frame {
    start: usize,
    anchor: usize,
    weight: usize,
    /// Levels below, itself included.
    height: usize,
    kind: FrameKind,
}

enum FrameKind {
    List(Vec<Node>),
    Map {
        pairs: Vec<Pair>,
        key: Option<(String, Span)>,
        seen: HashMap<String, Span>,
    },
}

struct Anchored {
    node: Node,
    weight: usize,
    height: usize,
}

struct Finished {
    node: Node,
    anchor: usize,
    weight: usize,
    height: usize,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Source, report: &'a mut Report) -> Self {
        let offsets = Offsets::new(source.text());
        Self {
            source,
            report,
            offsets,
            stack: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            alias_weight: 0,
        }
    }

    fn run(&mut self) -> Result<Option<Node>, Fatal> {
        let text = self.source.text();
        // A byte order mark is no content; the parser would count it as a character.
        let mut parser = Parser::new_from_str(text);
        let mut root = None;
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| self.syntax(&error))?;
            let span = Span::new(
                self.offsets.byte(span.start.index()),
                self.offsets.byte(span.end.index()),
            );
            let finished = match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(self.several_documents(span));
                    }
                    continue;
                }
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => continue,
                Event::Alias(id) => Some(self.alias(id, span)?),
                Event::Scalar(text, style, anchor, tag) => {
                    let data = self.scalar(&text, style, tag.as_deref(), span);
                    Some(Finished {
                        node: Node { span, data },
                        anchor,
                        weight: 96 + text.len(),
                        height: 0,
                    })
                }
                Event::SequenceStart(anchor, tag) => {
                    self.collection_tag(tag.as_deref(), "seq", span);
                    let span = Span::new(self.list_start(span), span.end);
                    self.open(span, anchor, FrameKind::List(Vec::new()))?;
                    None
                }
                Event::MappingStart(anchor, tag) => {
                    self.collection_tag(tag.as_deref(), "map", span);
                    let kind = FrameKind::Map {
                        pairs: Vec::new(),
                        key: None,
                        seen: HashMap::new(),
                    };
                    self.open(span, anchor, kind)?;
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(span),
            };
            if let Some(finished) = finished {
                self.count(span)?;
                self.keep_anchored(&finished)?;
                self.attach(finished, &mut root);
            }
        }
        let root = root.filter(|node: &Node| node.data != Data::Null);
        if root.is_none() {
            let hint = "Begin with `apiVersion: twinloom/v1`, `kind: Dag`, `name:` and `steps:`.";
            return Err(Box::new(
                self.error(Span::default(), codes::EMPTY_FILE, "the file is empty")
                    .with_hint(hint),
            ));
        }
        Ok(root)
    }

    fn error(&self, span: Span, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.source, span, code, message)
    }

    fn syntax(&self, error: &ScanError) -> Fatal {
        let at = self.offsets.byte(error.marker().index());
        let text = self.source.text();
        let line = text
            .get(..at)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |at| at + 1);
        let line = text
            .get(line..)
            .and_then(|rest| rest.lines().next())
            .unwrap_or_default();
        let hint = if error.info().contains("recursion limit") {
            let message = format!("collections are nested deeper than {MAX_DEPTH} levels");
            return Box::new(self.error(Span::new(at, at + 1), codes::TOO_DEEP, message));
        } else if line.contains("${{") {
            Some("Put quotes around a template that stands inside `{…}`, or that holds `: ` or ` #`.")
        } else if line.trim_start_matches(' ').starts_with('\t') || error.info().contains("tab") {
            Some("Indent with spaces, not with tabs.")
        } else {
            None
        };
        let message = format!("this is not YAML: {}", error.info());
        Box::new(
            self.error(Span::new(at, at), codes::SYNTAX, message)
                .with_optional_hint(hint.map(str::to_owned)),
        )
    }

    fn several_documents(&self, span: Span) -> Fatal {
        let hint = "Put each document into a file of its own.";
        Box::new(
            self.error(span, codes::SEVERAL_DOCUMENTS, "a second document begins here")
                .with_hint(hint),
        )
    }

    fn too_many(&self, span: Span, message: &str) -> Fatal {
        let hint = "Keep data out of the YAML: put it into a file that an operator reads.";
        Box::new(self.error(span, codes::TOO_MANY_NODES, message).with_hint(hint))
    }

    fn count(&mut self, span: Span) -> Result<(), Fatal> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.too_many(span, &format!("the file holds more than {MAX_NODES} values")));
        }
        Ok(())
    }

    fn deep(&self, span: Span) -> Fatal {
        let message = format!("collections are nested deeper than {MAX_DEPTH} levels");
        Box::new(
            self.error(span, codes::TOO_DEEP, message)
                .with_hint("Flatten the structure."),
        )
    }

    fn open(&mut self, span: Span, anchor: usize, kind: FrameKind) -> Result<(), Fatal> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.deep(span));
        }
        self.stack.push(Frame {
            start: span.start,
            anchor,
            weight: 96,
            height: 1,
            kind,
        });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Option<Finished> {
        let frame = self.stack.pop()?;
        let data = match frame.kind {
            FrameKind::List(items) => Data::List(items),
            FrameKind::Map { pairs, .. } => Data::Map(pairs),
        };
        let end = self.trim_end(frame.start, span.end);
        let node = Node {
            span: Span::new(frame.start, end),
            data,
        };
        Some(Finished {
            node,
            anchor: frame.anchor,
            weight: frame.weight,
            height: frame.height,
        })
    }

    /// The parser lets a list that is not indented begin after its first dash.
    fn list_start(&self, span: Span) -> usize {
        let text = self.source.text();
        let begins = |at: usize| {
            text.get(at..)
                .is_some_and(|rest| rest.starts_with(['-', '[', '&', '!']))
        };
        if span.start < span.end || begins(span.start) {
            return span.start;
        }
        let before = text.get(..span.start).unwrap_or_default().trim_end();
        if before.ends_with('-') {
            before.len() - 1
        } else {
            span.start
        }
    }

    /// A block collection ends where the next token begins; its span ends with its text.
    fn trim_end(&self, start: usize, end: usize) -> usize {
        self.source
            .text()
            .get(start..end)
            .map_or(end, |text| start + text.trim_end().len())
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Finished, Fatal> {
        let Some(anchored) = self.anchors.get(&id) else {
            let message = "an alias stands inside the value that its anchor names";
            return Err(Box::new(self.error(span, codes::RECURSIVE_ALIAS, message)));
        };
        if self.stack.len() + anchored.height > MAX_DEPTH {
            return Err(self.deep(span));
        }
        // Checked before the copy, so that an alias bomb costs nothing.
        self.alias_weight += anchored.weight;
        if self.alias_weight > MAX_ALIAS_WEIGHT {
            return Err(self.too_many(
                span,
                "aliases repeat so much that the file would grow beyond 16 MiB",
            ));
        }
        let node = Node {
            span,
            data: anchored.node.data.clone(),
        };
        Ok(Finished {
            node,
            anchor: 0,
            weight: anchored.weight,
            height: anchored.height,
        })
    }

    /// An anchor keeps a copy, which counts like an alias: anchors inside anchors multiply as well.
    fn keep_anchored(&mut self, finished: &Finished) -> Result<(), Fatal> {
        if finished.anchor > 0 {
            self.alias_weight += finished.weight;
            if self.alias_weight > MAX_ALIAS_WEIGHT {
                let message = "anchors repeat so much that the file would grow beyond 16 MiB";
                return Err(self.too_many(finished.node.span, message));
            }
            let anchored = Anchored {
                node: finished.node.clone(),
                weight: finished.weight,
                height: finished.height,
            };
            self.anchors.insert(finished.anchor, anchored);
        }
        Ok(())
    }

    fn attach(&mut self, finished: Finished, root: &mut Option<Node>) {
        let Finished {
            node, weight, height, ..
        } = finished;
        let Some(frame) = self.stack.last_mut() else {
            *root = Some(node);
            return;
        };
        frame.weight += weight;
        frame.height = frame.height.max(height + 1);
        match &mut frame.kind {
            FrameKind::List(items) => items.push(node),
            FrameKind::Map { pairs, key, seen } => match key.take() {
                None => *key = Some(read_key(self.source, self.report, &node)),
                Some((name, span)) => {
                    if let Some(first) = seen.get(&name) {
                        let message = format!("the key `{name}` stands twice in this mapping");
                        let diagnostic = Diagnostic::new(self.source, span, codes::DUPLICATE_KEY, message)
                            .with_hint("Keep one of the two.")
                            .with_label(self.source, *first, "first here");
                        self.report.push(diagnostic);
                    } else {
                        seen.insert(name.clone(), span);
                        pairs.push(Pair {
                            key: name,
                            key_span: span,
                            value: node,
                        });
                    }
                }
            },
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Data {
        let read = match tag {
            None if style == ScalarStyle::Plain => scalar::plain(text),
            None => return Data::String(text.to_owned()),
            Some(tag) if tag.is_yaml_core_schema() => match tag.suffix.as_str() {
                "str" => return Data::String(text.to_owned()),
                "int" | "float" | "bool" | "null" => scalar::plain(text),
                _ => return self.unknown_tag(tag, span),
            },
            // `!` alone: text, whatever it looks like.
            Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => return Data::String(text.to_owned()),
            Some(tag) => return self.unknown_tag(tag, span),
        };
        read.unwrap_or_else(|_| {
            let message = format!("`{text}` is a number that cannot be held");
            let hint = "Use a finite number of at most 64 bits, or put quotes around it.";
            self.report
                .push(Diagnostic::new(self.source, span, codes::NUMBER, message).with_hint(hint));
            Data::Number(0.into())
        })
    }

    fn unknown_tag(&mut self, tag: &Tag, span: Span) -> Data {
        let shown = if tag.is_yaml_core_schema() {
            format!("!!{}", tag.suffix)
        } else {
            tag.to_string()
        };
        let message = format!("the tag `{shown}` has no meaning here");
        let hint = "Leave it out: plain YAML values are enough.";
        self.report
            .push(Diagnostic::new(self.source, span, codes::UNKNOWN_TAG, message).with_hint(hint));
        Data::Null
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, allowed: &str, span: Span) {
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && tag.suffix == allowed)
        {
            self.unknown_tag(tag, span);
        }
    }
}

/// A key must be a scalar; its text is taken as it is read.
fn read_key(source: &Source, report: &mut Report, node: &Node) -> (String, Span) {
    let name = match &node.data {
        Data::String(text) => text.clone(),
        Data::Null | Data::Bool(_) | Data::Number(_) => source
            .text()
            .get(node.span.range())
            .unwrap_or_default()
            .trim()
            .to_owned(),
        Data::List(_) | Data::Map(_) => {
            report
                .error(
                    source,
                    node.span,
                    codes::COMPLEX_KEY,
                    format!("a key must be text, not {}", node.kind()),
                )
                .hint = Some("Put quotes around a template that begins with `{`.".to_owned());
            // The mapping goes on; the place makes the stand-in unique.
            format!("?{}", node.span.start)
        }
    };
    if name == "<<" {
        report
            .error(
                source,
                node.span,
                codes::MERGE_KEY,
                "merge keys (`<<`) are not read",
            )
            .hint = Some("Write the keys out, or put them into a pipeline that both steps use.".to_owned());
    }
    (name, node.span)
}
