//! A step to its tasks: its variants, what they wait for, and their place in a search.

use indexmap::{IndexMap, IndexSet};

use super::{Common, Done, Expander, Frame, Instance, MAX_EDGES, Made, Outline, Rung, sources};
use crate::{
    check::{self, expressions::steps_read, graph::Target},
    diagnostic::codes,
    model::{Condition, Reuse, Step},
    plan::{
        PlannedInput, Trial, inputs,
        partial::Partial,
        search,
        variants::{self, Amiss, Variant},
    },
    read::{Entry, NameMap},
};

impl<'a> Expander<'a, '_> {
    pub(super) fn step(
        &mut self,
        frame: &Frame<'a>,
        outline: &Outline,
        name: &'a str,
        entry: &'a Entry<Step>,
        dones: &[Done],
    ) -> Option<Done> {
        let step = &entry.value;
        let found = match variants::variants(step, &frame.scope) {
            Ok(found) => found,
            Err(Amiss::Expression(span, error)) => return self.expression_error(frame, (span, error)),
            Err(Amiss::Wrong(span, message)) => return self.error(frame, span, codes::VARIANTS, message),
        };
        let fixed = step
            .inputs
            .iter()
            .flat_map(NameMap::iter)
            .all(|(_, port)| port.value.values.iter().all(|text| !text.contains("${{")));
        let mut common = Common {
            name,
            entry,
            options: frame.options.with_step(step),
            needs: self.order_needs(frame, step, dones),
            inputs: None,
            dones,
        };
        if fixed {
            common.inputs = Some(self.inputs(frame, &common, &frame.scope)?);
        }
        let mut done = Done {
            instances: Vec::with_capacity(found.len()),
            fanned: check::ports::is_fanned(step),
        };
        let errors = self.report.len();
        // Tasks whose metrics decide on the next rung, by rung.
        let mut rungs: Vec<Vec<String>> = Vec::new();
        for variant in &found {
            let rung = self.rung(frame, &common, variant, found.len(), &rungs);
            let place = variant.place.map_or(0, |place| place.rung as usize);
            if let Some(instance) = self.instance(frame, outline, &common, variant, rung) {
                rungs.resize(rungs.len().max(place + 1), Vec::new());
                rungs[place].extend(instance.metric_task.clone());
                done.instances.push(instance);
            } else if self.report.len() > errors + 10 || self.over_limits() {
                break;
            }
        }
        (self.report.len() == errors).then_some(done)
    }

    /// What a variant waits for and belongs to as a trial of a search: from the second rung on, it runs where its trial
    /// was among the best of the rung before.
    fn rung(
        &self,
        frame: &Frame<'a>,
        common: &Common<'_>,
        variant: &Variant,
        of: usize,
        rungs: &[Vec<String>],
    ) -> Rung {
        let step = &common.entry.value;
        let (Some(place), Some(search), Some(select)) = (variant.place, &step.search, &step.select) else {
            return Rung::default();
        };
        let id = format!("{}{}{}", frame.id_prefix, common.name, variant.label);
        let metric_task = match &select.step {
            Some(step) => format!("{id}/{}", step.value),
            None => id,
        };
        let trial = Trial {
            search: format!("{}{}", frame.step_prefix, common.name),
            number: place.trial,
            rung: place.rung,
            of: u32::try_from(of).unwrap_or(u32::MAX),
            values: variant.values.clone(),
            metric_task,
            metric: select.metric.value.clone(),
            goal: select.goal,
            reuse: search.reuse == Some(Reuse::Best),
        };
        let before = rungs.get((place.rung as usize).wrapping_sub(1));
        let condition = before.and_then(|before| {
            let earlier = (place.rung as usize)
                .checked_sub(2)
                .and_then(|rung| rungs.get(rung));
            search::goes_on(search, select, before.get(place.trial as usize)?, before, earlier)
        });
        Rung {
            trial: Some(Box::new(trial)),
            condition,
            needs: before.cloned().unwrap_or_default(),
        }
    }

    /// What a step waits for without data.
    fn order_needs(&self, frame: &Frame<'a>, step: &Step, dones: &[Done]) -> IndexSet<String> {
        let mut needs: IndexSet<String> = frame.needs.iter().cloned().collect();
        let done = |name: &str| {
            frame
                .graph
                .steps
                .index_of(name)
                .and_then(|index| dones.get(index))
        };
        for (name, _) in check::after(step) {
            for instance in done(name).into_iter().flat_map(|done| &done.instances) {
                needs.extend(instance.leaves.iter().cloned());
            }
        }
        for (name, _) in steps_read(step) {
            for instance in done(&name).into_iter().flat_map(|done| &done.instances) {
                needs.extend(instance.task.iter().cloned());
            }
        }
        needs
    }

    fn instance(
        &mut self,
        frame: &Frame<'a>,
        outline: &Outline,
        common: &Common<'_>,
        variant: &Variant,
        rung: Rung,
    ) -> Option<Instance> {
        let step = &common.entry.value;
        let id = format!("{}{}{}", frame.id_prefix, common.name, variant.label);
        let inputs = match &common.inputs {
            Some(inputs) => {
                // Counted before the copy: each variant of 10,000 that gathers 10,000 would be 100 million.
                self.count(frame, common, inputs)?;
                inputs.clone()
            }
            None => {
                let inputs = self.inputs(frame, common, &variant.scope)?;
                self.count(frame, common, &inputs)?;
                inputs
            }
        };
        let steps = |name: &str| sources::step_expression(frame, common.dones, name);
        let partial = Partial {
            scope: &variant.scope,
            deferred: &frame.deferred,
            steps: &steps,
        };
        let with = match step.with.as_ref().map(|with| partial.node(with)).transpose() {
            Ok(with) => with.map(|(node, _)| node),
            Err(failure) => return self.expression_error(frame, failure),
        };
        let condition = match &step.condition {
            None => None,
            Some(Condition::Constant(value)) => Some(value.to_string()),
            Some(Condition::Expression(expression)) => {
                match partial.condition(&expression.value.0, expression.span) {
                    Ok(condition) => Some(condition),
                    Err(failure) => return self.expression_error(frame, failure),
                }
            }
        };
        let condition = both(
            frame.condition.clone(),
            condition.filter(|condition| condition != "true"),
        );
        let condition = both(condition, rung.condition);
        let mut needs = common.needs.clone();
        self.edges += rung.needs.len();
        needs.extend(rung.needs);
        let trial = rung.trial.or_else(|| frame.trial.clone());
        let out = self.out_names(frame, common, &partial)?;
        let mut values = frame.variant.clone();
        values.extend(variant.values.clone());
        let made = Made {
            id,
            with,
            condition,
            needs,
            inputs,
            out,
            values,
            trial,
        };
        match self.world.target(step) {
            Target::Operator(operator) => self.task(frame, outline, common, operator, made),
            Target::Pipeline(inner) => self.pipeline(frame, common, inner, made),
            Target::Unknown => None,
        }
    }

    fn count(
        &mut self,
        frame: &Frame<'a>,
        common: &Common<'_>,
        inputs: &IndexMap<String, Vec<PlannedInput>>,
    ) -> Option<()> {
        self.edges += common.needs.len();
        inputs
            .values()
            .flatten()
            .for_each(|source| inputs::tasks(source, &mut |_| self.edges += 1));
        if self.edges > MAX_EDGES {
            let message = format!("tasks would wait for each other in more than {MAX_EDGES} ways");
            self.report
                .error(frame.graph.source, common.entry.key_span, codes::PLAN_TOO_LARGE, message)
                .hint = Some("Put the steps that follow each other for each entry into a pipeline, and use that with `for_each`.".into());
            return None;
        }
        Some(())
    }
}

fn both(outer: Option<String>, inner: Option<String>) -> Option<String> {
    match (outer, inner) {
        (Some(outer), Some(inner)) => Some(format!("({outer}) and ({inner})")),
        (one, None) | (None, one) => one,
    }
}
