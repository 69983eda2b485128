//! From a typed DAG to the tasks of a run.

mod expand;
mod inputs;
mod names;
mod options;
mod partial;
mod search;
mod types;
mod variants;

use serde_json::{Map, Value};

pub(crate) use search::rungs;
pub use types::*;

use crate::{
    Catalog, Dag, Pipeline,
    check::{
        self,
        graph::{Graph, World},
    },
    diagnostic::{Diagnostics, Report},
    load::{self, Library},
    source::{Source, SourceFile},
};

/// Reads a DAG, checks it whole, and makes the plan of a run with these parameters.
///
/// # Errors
/// Everything that is wrong with the file, the pipelines it uses and the parameters.
pub fn plan(
    file: &SourceFile,
    library: &Library,
    catalog: &dyn Catalog,
    params: &Map<String, Value>,
) -> Result<Plan, Diagnostics> {
    let world = World { library, catalog };
    let (dag, source, mut report) = checked(file, world);
    if let Some(dag) = &dag {
        let graph = Graph::of_dag(dag, &source);
        let values = check::params::resolve(graph.params, params, &source, &mut report);
        if report.is_empty() {
            let plan = expand::expand(dag, &graph, world, values, &mut report);
            report.finish()?;
            return plan.ok_or(Diagnostics(Vec::new()));
        }
    }
    report.finish()?;
    Err(Diagnostics(Vec::new()))
}

/// Reads a DAG and checks it whole. Where every parameter has a default, the plan is made as well, so that mistakes in
/// what templates give are found.
///
/// # Errors
/// Everything that is wrong with the file and the pipelines it uses.
pub fn validate(file: &SourceFile, library: &Library, catalog: &dyn Catalog) -> Result<Dag, Diagnostics> {
    let world = World { library, catalog };
    let (dag, source, mut report) = checked(file, world);
    let Some(dag) = dag else {
        report.finish()?;
        return Err(Diagnostics(Vec::new()));
    };
    let graph = Graph::of_dag(&dag, &source);
    let complete = graph
        .params
        .is_none_or(|params| params.iter().all(|(_, entry)| !entry.value.is_required()));
    if report.is_empty() && complete {
        let values = check::params::resolve(graph.params, &Map::new(), &source, &mut report);
        expand::expand(&dag, &graph, world, values, &mut report);
    }
    report.finish()?;
    Ok(dag)
}

/// Reads a pipeline and checks it whole.
///
/// # Errors
/// Everything that is wrong with the file and the pipelines it uses.
pub fn validate_pipeline(
    file: &SourceFile,
    library: &Library,
    catalog: &dyn Catalog,
) -> Result<Pipeline, Diagnostics> {
    let (pipeline, source, mut report) = load::read::<Pipeline>(file);
    if let Some(pipeline) = &pipeline {
        check::check_pipeline(pipeline, &source, World { library, catalog }, &mut report);
    }
    report.finish()?;
    pipeline.ok_or(Diagnostics(Vec::new()))
}

fn checked(file: &SourceFile, world: World<'_>) -> (Option<Dag>, Source, Report) {
    let (dag, source, mut report) = load::read::<Dag>(file);
    if let Some(dag) = &dag {
        check::check_dag(dag, &source, world, &mut report);
    }
    (dag, source, report)
}
