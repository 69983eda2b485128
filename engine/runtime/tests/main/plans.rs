//! Plans by hand, as the spec would make them.

use std::{collections::BTreeMap, time::Duration};

use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use twinloom_spec::{
    Backoff, Concurrency, Goal, Plan, PlannedInput, PlannedTask, Resources, Retries, Variant, WhenBusy,
};

/// A plan of these tasks.
pub fn plan(dag: &str, tasks: Vec<PlannedTask>) -> Plan {
    Plan {
        dag: dag.to_owned(),
        params: Map::new(),
        tasks,
        pools: BTreeMap::new(),
        concurrency: Concurrency {
            max_runs: None,
            when_busy: WhenBusy::Queue,
            priority: 50,
        },
    }
}

/// A task; the step is its id up to a bracket.
pub fn task(id: &str, operator: &str, config: Value) -> PlannedTask {
    PlannedTask {
        id: id.to_owned(),
        step: id.split('[').next().unwrap_or(id).to_owned(),
        operator: operator.to_owned(),
        config,
        inputs: IndexMap::new(),
        outputs: IndexMap::new(),
        needs: Vec::new(),
        condition: None,
        variant: Map::new(),
        trial: None,
        retries: Retries {
            max: 2,
            backoff: Backoff::Constant,
            initial: Duration::from_millis(10),
            max_delay: Duration::from_millis(10),
            jitter: false,
        },
        timeout: None,
        pool: None,
        executor: None,
        resources: Resources::default(),
        cache: true,
    }
}

/// What a test says about a task.
pub trait TaskExt {
    fn input(self, port: &str, task: &str, output: &str) -> Self;
    fn gather(self, port: &str, tasks: &[&str], output: &str) -> Self;
    fn select(self, port: &str, variants: &[&str], output: &str, metric: &str, goal: Goal) -> Self;
    fn dataset(self, port: &str, reference: &str) -> Self;
    fn output(self, port: &str, name: &str) -> Self;
    fn after(self, task: &str) -> Self;
    fn when(self, condition: &str) -> Self;
    fn in_process(self) -> Self;
}

impl TaskExt for PlannedTask {
    fn input(mut self, port: &str, task: &str, output: &str) -> Self {
        self.inputs.insert(
            port.into(),
            PlannedInput::Task {
                task: task.into(),
                port: output.into(),
            },
        );
        self.after(task)
    }

    fn gather(mut self, port: &str, tasks: &[&str], output: &str) -> Self {
        let all = tasks.iter().map(|task| (*task).to_owned()).collect();
        self.inputs.insert(
            port.into(),
            PlannedInput::Gather {
                tasks: all,
                port: output.into(),
            },
        );
        tasks.iter().fold(self, |this, task| this.after(task))
    }

    fn select(mut self, port: &str, variants: &[&str], output: &str, metric: &str, goal: Goal) -> Self {
        let variant = |task: &&str| Variant {
            task: (*task).to_owned(),
            metric_task: (*task).to_owned(),
        };
        let (port_of, metric) = (output.to_owned(), metric.to_owned());
        let all = variants.iter().map(variant).collect();
        self.inputs.insert(
            port.into(),
            PlannedInput::Select {
                variants: all,
                port: port_of,
                metric,
                goal,
            },
        );
        variants.iter().fold(self, |this, task| this.after(task))
    }

    fn dataset(mut self, port: &str, reference: &str) -> Self {
        self.inputs.insert(
            port.into(),
            PlannedInput::Dataset {
                reference: reference.into(),
            },
        );
        self
    }

    fn output(mut self, port: &str, name: &str) -> Self {
        self.outputs.insert(port.into(), name.into());
        self
    }

    fn after(mut self, task: &str) -> Self {
        if !self.needs.iter().any(|need| need == task) {
            self.needs.push(task.to_owned());
        }
        self
    }

    fn when(mut self, condition: &str) -> Self {
        self.condition = Some(condition.to_owned());
        self
    }

    fn in_process(mut self) -> Self {
        self.executor = Some("process".to_owned());
        self
    }
}

/// Everything that a run can meet: a cached task, a retry, workers in processes, a matrix, a question, an alias.
pub fn eventful() -> Plan {
    let texts = json!({ "texts": ["one", "two", "three"] });
    let mut flaky = task("flaky", "flaky", json!({ "succeed_at": 2 })).output("out", "flaky_rows");
    flaky.retries.max = 100;
    let mut plan = plan(
        "eventful",
        vec![
            task("look", "look", texts.clone()).output("out", "raw"),
            task("rows", "rows", texts.clone()).output("out", "made"),
            task("again", "rows", texts).output("out", "made").after("rows"),
            flaky,
            task("upper", "upper", json!({}))
                .input("rows", "look", "out")
                .output("out", "upper")
                .in_process(),
            task("fit[0.1]", "fit", json!({ "rate": 0.1 }))
                .input("rows", "upper", "out")
                .output("model", "twin"),
            task("fit[0.3]", "fit", json!({ "rate": 0.25 }))
                .input("rows", "upper", "out")
                .output("model", "twin2"),
            task("ask", "ask", json!({})).select(
                "model",
                &["fit[0.1]", "fit[0.3]"],
                "model",
                "loss",
                Goal::Minimize,
            ),
            task("promote", "promote", json!({}))
                .select(
                    "model",
                    &["fit[0.1]", "fit[0.3]"],
                    "model",
                    "loss",
                    Goal::Minimize,
                )
                .after("ask")
                .in_process(),
            task("join", "upper", json!({ "suffix": "!" }))
                .gather("rows", &["again", "flaky", "upper"], "out")
                .output("out", "joined")
                .after("promote"),
        ],
    );
    for task in &mut plan.tasks {
        // A worker that is killed is started again, however often that happens.
        task.retries.max = 100;
    }
    plan
}
