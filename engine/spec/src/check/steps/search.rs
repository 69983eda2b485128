//! `search`: ranges, budgets, and that there is something to compare trials by.

use super::Context;
use crate::{
    diagnostic::codes,
    model::{Halving, Range, Search},
    read::{Spanned, identifier},
};

/// Trials of one search.
const MOST_TRIALS: u32 = 256;

/// Rungs of one search.
const MOST_RUNGS: usize = 12;

impl Context<'_, '_> {
    pub(super) fn check_search(&mut self, search: &Spanned<Search>) {
        if self.step.select.is_none() {
            self.error(
                search.span,
                codes::MISSING_KEY,
                "`search` needs `select`: what the trials are compared by".into(),
            )
            .hint = Some("Add `select: {metric: eval_loss, goal: minimize}`.".to_owned());
        }
        if !(1..=MOST_TRIALS).contains(&search.random.value) {
            let message = format!(
                "`random` must be from 1 to {MOST_TRIALS}, found {}",
                search.random.value
            );
            self.error(search.random.span, codes::OUT_OF_RANGE, message);
        }
        if search.over.names().next().is_none() {
            self.error(search.span, codes::VARIANTS, "the search draws nothing".into())
                .hint = Some("Add `over: {learning_rate: {log_uniform: [1e-4, 1e-2]}}`.".to_owned());
        }
        for (name, entry) in search.over.iter() {
            if let Some(wrong) = wrong_range(&entry.value.value) {
                self.error(entry.value.span, codes::VARIANTS, format!("`{name}`: {wrong}"));
            }
        }
        if let Some(halving) = &search.halving {
            self.check_halving(search, halving);
        }
    }

    fn check_halving(&mut self, search: &Search, halving: &Halving) {
        let budget = &halving.budget;
        if !identifier(budget) || search.over.get(&budget.value).is_some() {
            let message = format!("`{}` cannot be the budget's name", budget.value);
            self.error(budget.span, codes::NAME, message).hint =
                Some("A word of its own, such as `steps`; nothing that is drawn.".to_owned());
        }
        if halving.min.value == 0 || halving.max.value <= halving.min.value {
            let message = "the budget must grow from `min`, at least 1, to `max`".to_owned();
            self.error(halving.max.span, codes::OUT_OF_RANGE, message);
        }
        if let Some(factor) = halving.factor.as_ref().filter(|factor| factor.value < 2) {
            self.error(
                factor.span,
                codes::OUT_OF_RANGE,
                "`factor` must be 2 or more".into(),
            );
        }
        if let Some(gain) = halving.min_gain.as_ref().filter(|gain| !gain.value.is_finite()) {
            self.error(
                gain.span,
                codes::OUT_OF_RANGE,
                "`min_gain` must be a number".into(),
            );
        }
        if crate::plan::rungs(search).len() > MOST_RUNGS {
            let message = format!("more than {MOST_RUNGS} rungs: raise `factor` or `min`");
            self.error(halving.max.span, codes::OUT_OF_RANGE, message);
        }
    }
}

/// What is wrong with a range.
fn wrong_range(range: &Range) -> Option<String> {
    let Range {
        uniform,
        log_uniform,
        integer,
        choice,
    } = range;
    let given = [
        uniform.is_some(),
        log_uniform.is_some(),
        integer.is_some(),
        choice.is_some(),
    ];
    if given.iter().filter(|given| **given).count() != 1 {
        return Some("a range has one of `uniform`, `log_uniform`, `integer` and `choice`".to_owned());
    }
    if let Some(choice) = choice {
        return choice
            .is_empty()
            .then(|| "there is nothing to choose from".to_owned());
    }
    let numbers = uniform.as_ref().or(log_uniform.as_ref()).or(integer.as_ref())?;
    let [low, high] = numbers.as_slice() else {
        return Some(format!("expected two numbers, found {}", numbers.len()));
    };
    if !(low.is_finite() && high.is_finite() && low < high) {
        return Some("the first number must be below the second".to_owned());
    }
    if log_uniform.is_some() && *low <= 0.0 {
        return Some("`log_uniform` needs numbers above 0".to_owned());
    }
    let whole = |number: &f64| number.fract() == 0.0 && number.abs() < 1e15;
    (integer.is_some() && !(whole(low) && whole(high)))
        .then(|| "`integer` needs two whole numbers".to_owned())
}
