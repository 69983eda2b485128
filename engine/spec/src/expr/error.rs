//! What can be wrong with an expression.

use thiserror::Error;

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExprError {
    /// `${{` without its end.
    #[error("`${{{{` has no `}}}}`")]
    Unterminated,
    /// Nothing between the braces.
    #[error("the expression is empty")]
    Empty,
    /// It cannot be read.
    #[error("the expression `{expression}` cannot be read: {reason}")]
    Syntax {
        /// The expression.
        expression: String,
        /// Why.
        reason: String,
    },
    /// It names what is not there.
    #[error("`{path}` is not defined")]
    Undefined {
        /// What it names.
        path: String,
        /// A name that may be meant.
        closest: Option<String>,
    },
    /// It fails.
    #[error("the expression `{expression}` fails: {reason}")]
    Failed {
        /// The expression.
        expression: String,
        /// Why.
        reason: String,
    },
    /// It runs for too long.
    #[error("the expression `{expression}` takes more steps than allowed")]
    OutOfFuel {
        /// The expression.
        expression: String,
    },
    /// Its source or its value is too large.
    #[error("the expression or its value is too large")]
    TooLarge,
}

impl ExprError {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unterminated | Self::Empty | Self::Syntax { .. } => crate::codes::EXPRESSION,
            Self::Undefined { .. } => crate::codes::EXPRESSION_SCOPE,
            Self::Failed { .. } | Self::OutOfFuel { .. } | Self::TooLarge => crate::codes::EXPRESSION_VALUE,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unterminated => {
                Some("Close the expression with `}}`; write `$${{` for a literal `${{`.".to_owned())
            }
            Self::Empty => Some("Write an expression such as `${{ params.author }}`.".to_owned()),
            Self::Undefined {
                closest: Some(name), ..
            } => Some(format!("Did you mean `{name}`?")),
            Self::OutOfFuel { .. } | Self::TooLarge => {
                Some("Move the computation into an operator.".to_owned())
            }
            _ => None,
        }
    }
}

/// An expression as far as a message can show it.
pub(super) fn shown(expression: &str) -> String {
    let mut text: String = expression.trim().chars().take(120).collect();
    if text.len() < expression.trim().len() {
        text.push('…');
    }
    text
}
