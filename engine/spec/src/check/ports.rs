//! What flows between steps: kinds, columns, one or many.

use super::graph::{Graph, Reference, Target, World};
use crate::{ColumnSignature, PortKind, model::Step};

/// What an output gives.
pub(crate) struct Flow<'a> {
    /// `None` where the operator does not say.
    pub(crate) kind: Option<PortKind>,
    /// Empty where any.
    pub(crate) columns: &'a [ColumnSignature],
    /// Whether it is several artifacts.
    pub(crate) many: bool,
    /// How messages call it.
    pub(crate) described: String,
}

/// What an input needs.
pub(crate) struct Need<'a> {
    pub(crate) kind: Option<PortKind>,
    pub(crate) columns: &'a [ColumnSignature],
    pub(crate) many: bool,
    pub(crate) optional: bool,
    pub(crate) described: String,
}

/// A port that does not exist, with those that do.
pub(crate) struct NoPort<'a> {
    pub(crate) owner: String,
    pub(crate) known: Vec<&'a str>,
}

/// Whether a step stands for several tasks whose outputs all count.
pub(crate) fn is_fanned(step: &Step) -> bool {
    step.for_each.is_some() || (step.is_varied() && step.select.is_none())
}

/// An output of a step; `Ok(None)` where nothing is known of it.
pub(crate) fn output<'a>(
    world: World<'a>,
    step: &'a Step,
    port: &str,
) -> Result<Option<Flow<'a>>, NoPort<'a>> {
    let many = is_fanned(step);
    match world.target(step) {
        Target::Unknown => Ok(None),
        Target::Operator(operator) => {
            match operator.outputs.iter().find(|signature| signature.name == port) {
                Some(signature) => Ok(Some(Flow {
                    kind: Some(signature.kind),
                    columns: &signature.columns,
                    many,
                    described: format!("the output `{port}` of the operator `{}`", operator.name),
                })),
                None if operator.open_ports => {
                    let described = format!("the output `{port}` of the operator `{}`", operator.name);
                    Ok(Some(Flow {
                        kind: None,
                        columns: &[],
                        many,
                        described,
                    }))
                }
                None => Err(NoPort {
                    owner: format!("the operator `{}`", operator.name),
                    known: operator
                        .outputs
                        .iter()
                        .map(|signature| signature.name.as_str())
                        .collect(),
                }),
            }
        }
        Target::Pipeline(graph) => {
            let Some(inner) = graph.outputs.and_then(|outputs| outputs.get(port)) else {
                return match graph.outputs.is_some_and(|outputs| outputs.is_broken(port)) {
                    true => Ok(None),
                    false => Err(NoPort {
                        owner: format!("the pipeline `{}`", graph.name),
                        known: graph
                            .outputs
                            .into_iter()
                            .flat_map(|outputs| outputs.names())
                            .collect(),
                    }),
                };
            };
            let Some(Reference::Step {
                step,
                port: inner_port,
            }) = Reference::read(&inner.value)
            else {
                return Ok(None);
            };
            let Some(step) = graph.steps.get(step) else {
                return Ok(None);
            };
            // What is wrong inside the pipeline is reported there.
            let flow = output(world, step, inner_port).ok().flatten();
            Ok(flow.map(|flow| Flow {
                many: flow.many || many,
                described: format!("the output `{port}` of the pipeline `{}`", graph.name),
                ..flow
            }))
        }
    }
}

/// What all that an input feeds needs; for a pipeline, the inputs of its steps.
pub(crate) fn needs<'a>(world: World<'a>, step: &'a Step, port: &str) -> Result<Vec<Need<'a>>, NoPort<'a>> {
    match world.target(step) {
        Target::Unknown => Ok(Vec::new()),
        Target::Operator(operator) => match operator.inputs.iter().find(|signature| signature.name == port) {
            Some(signature) => Ok(vec![Need {
                kind: Some(signature.kind),
                columns: &signature.columns,
                many: signature.many,
                optional: signature.optional,
                described: format!("the input `{port}` of the operator `{}`", operator.name),
            }]),
            None if operator.open_ports => Ok(Vec::new()),
            None => Err(NoPort {
                owner: format!("the operator `{}`", operator.name),
                known: operator
                    .inputs
                    .iter()
                    .map(|signature| signature.name.as_str())
                    .collect(),
            }),
        },
        Target::Pipeline(graph) => pipeline_needs(world, graph, port),
    }
}

fn pipeline_needs<'a>(world: World<'a>, graph: Graph<'a>, port: &str) -> Result<Vec<Need<'a>>, NoPort<'a>> {
    let Some(declared) = graph.inputs.and_then(|inputs| inputs.get(port)) else {
        return match graph.inputs.is_some_and(|inputs| inputs.is_broken(port)) {
            true => Ok(Vec::new()),
            false => Err(NoPort {
                owner: format!("the pipeline `{}`", graph.name),
                known: graph
                    .inputs
                    .into_iter()
                    .flat_map(|inputs| inputs.names())
                    .collect(),
            }),
        };
    };
    let mut found = vec![Need {
        kind: Some(declared.kind.unwrap_or(PortKind::Dataset)),
        columns: &[],
        many: true,
        optional: declared.optional.unwrap_or(false),
        described: format!("the input `{port}` of the pipeline `{}`", graph.name),
    }];
    for (name, entry) in graph.steps.iter() {
        for (inner_port, inner) in entry.value.inputs.iter().flat_map(|inputs| inputs.iter()) {
            let fed = inner
                .value
                .values
                .iter()
                .any(|text| Reference::read(&text.value) == Some(Reference::Input(port)));
            if fed {
                for need in needs(world, &entry.value, inner_port).unwrap_or_default() {
                    let described = format!(
                        "{} in the step `{name}` of the pipeline `{}`",
                        need.described, graph.name
                    );
                    // The pipeline's own declaration has been compared; of its steps, columns and numbers count.
                    found.push(Need {
                        kind: None,
                        described,
                        ..need
                    });
                }
            }
        }
    }
    Ok(found)
}

/// Columns that are needed and missing, or of another type; as words.
pub(crate) fn columns_amiss(given: &[ColumnSignature], needed: &[ColumnSignature]) -> Vec<String> {
    if given.is_empty() {
        return Vec::new();
    }
    needed
        .iter()
        .filter_map(
            |column| match given.iter().find(|candidate| candidate.name == column.name) {
                None => Some(format!(
                    "the column `{}` ({}) is missing",
                    column.name, column.data_type
                )),
                Some(found) if same_type(&found.data_type, &column.data_type) => None,
                Some(found) => Some(format!(
                    "the column `{}` is {}, needed is {}",
                    column.name, found.data_type, column.data_type
                )),
            },
        )
        .collect()
}

/// `Vector` is a list of a fixed number of floats, whatever the number.
fn same_type(a: &str, b: &str) -> bool {
    let vector = |text: &str| text == "Vector" || text.starts_with("FixedSizeList");
    a == b || ((a == "Vector" || b == "Vector") && vector(a) && vector(b))
}
