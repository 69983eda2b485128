//! What an expression can see.

use std::{cell::OnceCell, rc::Rc};

use serde_json::Value;

use super::{PathPart, Reference};

/// Named values. A copy shares them, so that a scope for each of 10,000 items costs little.
#[derive(Clone, Default)]
pub(crate) struct Scope {
    roots: Vec<(String, Rc<Root>)>,
}

struct Root {
    value: Value,
    /// The value as the expression engine holds it, made when first needed.
    engine: OnceCell<minijinja::Value>,
}

impl Scope {
    /// The members of a mapping.
    pub(crate) fn of(scope: &Value) -> Self {
        let mut new = Self::default();
        if let Value::Object(map) = scope {
            for (name, value) in map {
                new.set(name, value.clone());
            }
        }
        new
    }

    /// Adds a name, or gives it another value.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        let root = Rc::new(Root {
            value,
            engine: OnceCell::new(),
        });
        match self.roots.iter_mut().find(|(known, _)| known == name) {
            Some(slot) => slot.1 = root,
            None => self.roots.push((name.to_owned(), root)),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.roots
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, root)| &root.value)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn engine_value(&self, name: &str) -> Option<minijinja::Value> {
        let (_, root) = self.roots.iter().find(|(known, _)| known == name)?;
        Some(
            root.engine
                .get_or_init(|| minijinja::Value::from(minijinja::value::Serde(&root.value)))
                .clone(),
        )
    }

    /// The value at a reference; the number of its parts that could be followed where there is none.
    pub(crate) fn resolve(&self, reference: &Reference) -> Result<&Value, usize> {
        let mut value = self.get(&reference.root).ok_or(0_usize)?;
        for (followed, part) in reference.path.iter().enumerate() {
            let next = match (part, value) {
                (PathPart::Name(name), Value::Object(map)) => map.get(name),
                (PathPart::Index(index), Value::Array(items)) => items.get(*index),
                _ => None,
            };
            value = next.ok_or(followed + 1)?;
        }
        Ok(value)
    }
}
