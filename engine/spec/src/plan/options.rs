//! Retries, limits and pool of a task: what holds in general, with what is stated nearer to it laid over.

use std::time::Duration;

use crate::{
    Resources, Retries,
    model::{Defaults, ExecutorName, Label, Period, ResourcesSpec, RetriesSpec, Step},
    read::Spanned,
};

/// How a task runs.
#[derive(Clone)]
pub(super) struct Options {
    pub(super) retries: Retries,
    pub(super) timeout: Option<Duration>,
    pub(super) pool: Option<String>,
    pub(super) executor: Option<String>,
    pub(super) resources: Resources,
    pub(super) cache: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retries: Retries::default(),
            timeout: None,
            pool: None,
            executor: None,
            resources: Resources::default(),
            cache: true,
        }
    }
}

impl Options {
    pub(super) fn with_defaults(&self, defaults: Option<&Defaults>) -> Self {
        let mut new = self.clone();
        if let Some(Defaults {
            retries,
            timeout,
            pool,
            executor,
            resources,
            cache,
        }) = defaults
        {
            new.lay_over(retries, timeout, pool, *executor, resources, *cache);
        }
        new
    }

    pub(super) fn with_step(&self, step: &Step) -> Self {
        let mut new = self.clone();
        new.lay_over(
            &step.retries,
            &step.timeout,
            &step.pool,
            step.executor,
            &step.resources,
            step.cache,
        );
        new
    }

    fn lay_over(
        &mut self,
        retries: &Option<RetriesSpec>,
        timeout: &Option<Period>,
        pool: &Option<Spanned<Label>>,
        executor: Option<ExecutorName>,
        resources: &Option<ResourcesSpec>,
        cache: Option<bool>,
    ) {
        if let Some(spec) = retries {
            let now = self.retries;
            self.retries = Retries {
                max: spec.max.unwrap_or(now.max),
                backoff: spec.backoff.unwrap_or(now.backoff),
                initial: spec.initial.as_ref().map_or(now.initial, |period| period.0),
                max_delay: spec.max_delay.as_ref().map_or(now.max_delay, |period| period.0),
                jitter: spec.jitter.unwrap_or(now.jitter),
            };
        }
        if let Some(spec) = resources {
            let now = self.resources;
            self.resources = Resources {
                memory: spec.memory.as_ref().map(|size| size.0).or(now.memory),
                cpu_time: spec.cpu_time.as_ref().map(|period| period.0).or(now.cpu_time),
                threads: spec.threads.as_ref().map(|threads| threads.value).or(now.threads),
            };
        }
        self.timeout = timeout.as_ref().map(|period| period.0).or(self.timeout);
        if let Some(pool) = pool {
            self.pool = Some(pool.value.0.clone());
        }
        if let Some(executor) = executor {
            self.executor = Some(executor.as_str().to_owned());
        }
        self.cache = cache.unwrap_or(self.cache);
    }
}
