//! Which permission each route needs, read from the OpenAPI document.

use std::collections::HashMap;

use axum::http::Method;
use utoipa::openapi::{OpenApi, path::Operation};

use super::principal::Permission;

/// The extension of an operation that names what it needs.
pub const EXTENSION: &str = "x-permission";

/// What a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Everyone may, logged in or not.
    Public,
    /// Whoever is logged in.
    SignedIn,
    /// Whoever has this permission.
    Needs(Permission),
}

/// The rules of all routes.
#[derive(Debug, Default)]
pub struct Policy {
    rules: HashMap<(Method, String), (Rule, String)>,
}

impl Policy {
    /// Reads the document. Operations without a readable rule are left out, and so refused.
    pub fn of(document: &OpenApi) -> Self {
        let mut rules = HashMap::new();
        for (path, item) in &document.paths.paths {
            let operations = [
                (Method::GET, &item.get),
                (Method::PUT, &item.put),
                (Method::POST, &item.post),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in operations {
                if let Some(operation) = operation
                    && let Some(rule) = rule_of(operation)
                {
                    let name = operation.operation_id.clone().unwrap_or_default();
                    rules.insert((method, path.clone()), (rule, name));
                }
            }
        }
        Self { rules }
    }

    /// The rule and the operation's name; none means refused.
    pub fn rule(&self, method: &Method, path: &str) -> Option<(Rule, &str)> {
        // HEAD is GET without a body.
        let method = if method == Method::HEAD {
            Method::GET
        } else {
            method.clone()
        };
        let (rule, name) = self.rules.get(&(method, path.to_owned()))?;
        Some((*rule, name))
    }
}

impl Policy {
    /// Whether there is a rule for some method of the path.
    pub fn knows(&self, path: &str) -> bool {
        self.rules.keys().any(|(_, known)| known == path)
    }
}

fn rule_of(operation: &Operation) -> Option<Rule> {
    let word = operation.extensions.as_ref()?.get(EXTENSION)?.as_str()?;
    match word {
        "public" => Some(Rule::Public),
        "signed_in" => Some(Rule::SignedIn),
        word => word.parse().ok().map(Rule::Needs),
    }
}
