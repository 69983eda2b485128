//! `matrix`, `search`, `select`, `for_each` and `as`.

use super::Context;
use crate::{
    check::graph::Target,
    diagnostic::codes,
    model::{ForEach, Matrix},
    read::identifier,
    yaml::Span,
};

impl Context<'_, '_> {
    pub(super) fn check_variants(&mut self) {
        let step = self.step;
        if let (Some(_), Some(for_each)) = (&step.matrix, &step.for_each) {
            let hint = "Use a pipeline with one, and the other on the step that uses it.";
            self.error(
                for_each.span,
                codes::CONFLICTING_KEYS,
                "a step has `matrix` or `for_each`, not both".into(),
            )
            .hint = Some(hint.to_owned());
        }
        if let Some(search) = &step.search {
            if step.matrix.is_some() || step.for_each.is_some() {
                let message = "a step has one of `search`, `matrix` and `for_each`".to_owned();
                self.error(search.span, codes::CONFLICTING_KEYS, message);
            }
            self.check_search(search);
        }
        if let Some(name) = &step.item_name {
            if step.for_each.is_none() {
                self.error(name.span, codes::CONFLICTING_KEYS, "`as` needs `for_each`".into());
            }
            let taken = ["params", "steps", "run", "matrix", "search", "item", "inputs"]
                .contains(&name.value.as_str());
            if !identifier(name) || name.contains('-') || taken {
                self.error(
                    name.span,
                    codes::NAME,
                    format!("`{}` cannot be a name for the entry", name.value),
                )
                .hint = Some(
                    "Letters, digits and `_`, and none of the names that expressions know already.".into(),
                );
            }
        }
        if let Some(Matrix::Dimensions(dimensions)) = &step.matrix {
            if dimensions.names().next().is_none() {
                self.error(
                    self.step.uses.span,
                    codes::VARIANTS,
                    "the matrix has no dimensions".into(),
                );
            }
            for (name, entry) in dimensions.iter() {
                self.check_list(
                    &format!("the dimension `{name}`"),
                    &entry.value.value,
                    entry.value.span,
                    true,
                );
            }
        }
        if let Some(for_each) = &step.for_each {
            self.check_list("`for_each`", &for_each.value, for_each.span, false);
        }
        self.check_select();
    }

    fn check_list(&mut self, what: &str, list: &ForEach, span: Span, distinct: bool) {
        let ForEach::List(items) = list else { return };
        if items.is_empty() && distinct {
            self.error(
                span,
                codes::VARIANTS,
                format!("{what} is empty: the step would never run"),
            );
        }
        if distinct {
            for (index, item) in items.iter().enumerate().take(1000) {
                if items[..index].iter().any(|earlier| earlier.data == item.data) {
                    self.error(
                        item.span,
                        codes::VARIANTS,
                        format!("{what} holds this value twice"),
                    );
                }
            }
        }
    }

    fn check_select(&mut self) {
        let Some(select) = &self.step.select else { return };
        if !self.step.is_varied() {
            self.error(
                select.span,
                codes::CONFLICTING_KEYS,
                "`select` needs `matrix` or `search`".into(),
            );
        }
        match (self.world.target(self.step), &select.step) {
            (Target::Pipeline(inner), Some(step)) => {
                if inner.steps.get(step).is_none() && !inner.steps.is_broken(step) {
                    let hint = inner.steps.suggest(step, "steps");
                    let message = format!("the pipeline `{}` has no step `{}`", inner.name, step.value);
                    self.error(step.span, codes::UNKNOWN_STEP, message).hint = Some(hint);
                } else if inner.steps.get(step).is_some_and(|inner| {
                    inner.for_each.is_some() || inner.is_varied() || inner.uses.starts_with("pipeline/")
                }) {
                    let message = format!(
                        "the step `{}` of the pipeline is not a single task with metrics",
                        step.value
                    );
                    self.error(step.span, codes::VARIANTS, message);
                }
            }
            (Target::Pipeline(inner), None) => {
                let message =
                    "`select` needs the key `step`: which step of the pipeline has the metric".to_owned();
                let steps: Vec<_> = inner.steps.names().map(|name| format!("`{name}`")).collect();
                self.error(select.span, codes::MISSING_KEY, message).hint =
                    Some(format!("Steps: {}.", steps.join(", ")));
            }
            (Target::Operator(_), Some(step)) => {
                self.error(
                    step.span,
                    codes::CONFLICTING_KEYS,
                    "`step` is only for a step that uses a pipeline".into(),
                );
            }
            _ => {}
        }
    }
}
