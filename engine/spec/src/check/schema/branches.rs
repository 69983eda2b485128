//! A value that may have one of several forms.

use serde_json::Value;

use super::{Checker, has_type, resolve_in, same, words_for};
use crate::yaml::Node;

impl<'a> Checker<'a> {
    /// One of several: fine where one fits; else the mistakes of the one that is most likely meant.
    pub(super) fn check_branches(&mut self, branches: &'a [Value], node: &Node, path: &str) {
        let constants: Vec<&Value> = branches
            .iter()
            .filter_map(|branch| self.target(branch).get("const"))
            .collect();
        if constants.len() == branches.len() {
            return self.check_choices(&constants, node, path);
        }
        let mut results = Vec::new();
        for branch in branches {
            let mut inner = Checker {
                root: self.root,
                found: Vec::new(),
                depth: self.depth,
            };
            inner.check(branch, node, path);
            if inner.found.is_empty() {
                return;
            }
            results.push((branch, inner.found));
        }
        // `Option<T>`: nothing, or the one that counts.
        results.retain(|(branch, _)| self.target(branch).get("type").and_then(Value::as_str) != Some("null"));
        if let [(_, found)] = results.as_mut_slice() {
            return self.found.append(found);
        }
        if let Some(key) = self.discriminator(branches) {
            let Some(tag) = node.get(key) else {
                if node.as_map().is_some() {
                    let tags = self.tags(branches, key);
                    return self.find(
                        node.span,
                        format!("`{path}` needs `{key}`"),
                        Some(format!("One of {}.", list(&tags))),
                    );
                }
                return self.find(
                    node.span,
                    format!("`{path}` must be a mapping with `{key}`, found {}", node.kind()),
                    None,
                );
            };
            let value = tag.to_value();
            let chosen = results.iter().position(|(branch, _)| {
                self.target(branch)
                    .pointer(&format!("/properties/{key}/const"))
                    .is_some_and(|constant| same(constant, &value))
            });
            return match chosen {
                Some(at) => self.found.append(&mut results.swap_remove(at).1),
                None => {
                    let tags = self.tags(branches, key);
                    self.check_choices(&tags, tag, &format!("{path}.{key}"));
                }
            };
        }
        // Those whose type fits, the one with the fewest mistakes first.
        let fitting = results
            .iter_mut()
            .filter(|(branch, _)| {
                let target = resolve_in(self.root, branch);
                target
                    .get("type")
                    .and_then(Value::as_str)
                    .is_some_and(|kind| has_type(node, kind))
            })
            .min_by_key(|(_, found)| found.len());
        if let Some((_, found)) = fitting {
            self.found.append(found);
            return;
        }
        let mut kinds: Vec<_> = branches
            .iter()
            .filter_map(|branch| self.target(branch).get("type").and_then(Value::as_str))
            .filter(|kind| *kind != "null")
            .map(words_for)
            .collect();
        kinds.dedup();
        let expected = if kinds.is_empty() {
            "of another form".to_owned()
        } else {
            kinds.join(" or ")
        };
        self.find(
            node.span,
            format!("`{path}` must be {expected}, found {}", node.kind()),
            None,
        );
    }

    fn target(&self, schema: &'a Value) -> &'a Value {
        resolve_in(self.root, schema)
    }

    /// The key whose constant tells the branches apart, where there is one.
    fn discriminator(&self, branches: &'a [Value]) -> Option<&'a str> {
        let first = self.target(branches.first()?).get("properties")?.as_object()?;
        first.iter().find_map(|(key, schema)| {
            let everywhere = schema.get("const").is_some()
                && branches.iter().all(|branch| {
                    self.target(branch)
                        .pointer(&format!("/properties/{key}/const"))
                        .is_some()
                });
            everywhere.then_some(key.as_str())
        })
    }

    fn tags(&self, branches: &'a [Value], key: &str) -> Vec<&'a Value> {
        branches
            .iter()
            .filter_map(|branch| self.target(branch).pointer(&format!("/properties/{key}/const")))
            .collect()
    }
}

fn list(values: &[&Value]) -> String {
    values
        .iter()
        .map(|value| format!("`{}`", crate::expr::display(value)))
        .collect::<Vec<_>>()
        .join(", ")
}
