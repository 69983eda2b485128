//! Row-wise operators: the author maps rows, the engine works out what has to be mapped.
//!
//! When the last version of the output was made by the same operator, with the same configuration, from an earlier
//! version of the same dataset, only entities that differ are mapped; rows of changed and removed entities go.

use std::{collections::HashSet, sync::Arc};

use arrow::{
    array::{Array, RecordBatch, StringArray},
    datatypes::{Schema, SchemaRef},
};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use serde_json::Value;
use twinloom_store::{
    ArtifactKind, DatasetManifest, Diff, FeatureStore, InputVersion, ReadOptions, Reference, Selector,
    StagedDataset, StoreError,
};

use crate::{Context, Done, Operator, OperatorConfig, OperatorError, OperatorInfo, Outcome};

/// An operator that maps each row by itself. Wrap it in [`RowWise`] to register it.
///
/// The first input port is the mapped dataset; the first output port is the result. The first key of the output must
/// carry the entity key (first key column) of the row it came from: that is how changes and removals find their rows.
#[async_trait]
pub trait RowOperator: Send + Sync + 'static {
    /// What `with:` holds.
    type Config: OperatorConfig;
    /// What is loaded once a run: a model, compiled patterns.
    type State: Send + Sync + 'static;

    /// Name, ports, where it runs.
    fn info(&self) -> OperatorInfo;

    /// Key columns of the output; the first holds the input's entity key.
    fn keys(&self) -> &'static [&'static str];

    /// Batches mapped at a time.
    fn parallel(&self) -> usize {
        1
    }

    /// Rows in a batch.
    fn batch_rows(&self) -> usize {
        1024
    }

    /// The output's schema.
    ///
    /// # Errors
    /// A `Config` or `Data` error when the input does not suit.
    fn output_schema(&self, state: &Self::State, input: &Schema) -> Result<SchemaRef, OperatorError>;

    /// Loads what mapping needs.
    ///
    /// # Errors
    /// What keeps it from loading.
    async fn open(&self, context: &Context, config: Self::Config) -> Result<Self::State, OperatorError>;

    /// What else than operator, configuration and input decides the rows: a model that an environment variable names. Where
    /// it is another one than the last output was made with, everything is mapped again.
    fn identity(&self, _state: &Self::State) -> Option<String> {
        None
    }

    /// Figures of the output's manifest beside the engine's own: what a reader has to know to use the rows.
    fn figures(&self, _state: &Self::State) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// Maps rows to any number of rows. Runs on a blocking thread.
    ///
    /// # Errors
    /// What is wrong with the rows.
    fn map(
        &self,
        context: &Context,
        state: &Self::State,
        rows: RecordBatch,
    ) -> Result<RecordBatch, OperatorError>;
}

/// Makes an [`Operator`] of a [`RowOperator`].
pub struct RowWise<R>(pub Arc<R>);

impl<R: RowOperator> RowWise<R> {
    /// Wraps it.
    pub fn new(operator: R) -> Self {
        Self(Arc::new(operator))
    }
}

#[async_trait]
impl<R: RowOperator> Operator for RowWise<R> {
    type Config = R::Config;

    fn info(&self) -> OperatorInfo {
        self.0.info()
    }

    async fn run(&self, context: &Context, config: Self::Config) -> Result<Outcome, OperatorError> {
        let info = self.0.info();
        let (Some(input), Some(output)) = (info.inputs.first(), info.outputs.first()) else {
            return Err(OperatorError::bug(
                "rowwise.ports",
                format!("`{}` has no input or output", info.name),
            ));
        };
        let (input, output) = (input.name.as_str(), output.name.as_str());
        let manifest = context.dataset(input).await?;
        let state = Arc::new(self.0.open(context, config).await?);
        let schema = self
            .0
            .output_schema(&state, &FeatureStore::schema_of(&manifest)?.as_ref().clone())?;
        let made_with = self.0.identity(&state);
        let base = previous(context, &info, input, output, &schema, self.0.keys()).await?;
        let base = base.filter(|base| same_maker(&base.output, made_with.as_deref()));
        let job = Job {
            operator: Arc::clone(&self.0),
            context: context.clone(),
            manifest,
            schema,
            made_with,
            figures: self.0.figures(&state),
            state,
        };
        match base {
            Some(base) => job.incremental(output, base).await,
            None => job.full(output).await,
        }
    }
}

/// The last output, where a difference can be applied to it, with the input version that it was made from.
struct Base {
    output: Arc<DatasetManifest>,
    input: Arc<DatasetManifest>,
}

struct Job<R: RowOperator> {
    operator: Arc<R>,
    context: Context,
    state: Arc<R::State>,
    manifest: Arc<DatasetManifest>,
    schema: SchemaRef,
    made_with: Option<String>,
    figures: Vec<(&'static str, Value)>,
}

/// The manifest's figure that holds [`RowOperator::identity`].
pub const MADE_WITH: &str = "made_with";

fn same_maker(output: &DatasetManifest, made_with: Option<&str>) -> bool {
    output.data.metrics.get(MADE_WITH).and_then(Value::as_str) == made_with
}

impl<R: RowOperator> Job<R> {
    async fn full(self, output: &str) -> Result<Outcome, OperatorError> {
        let mut writer =
            self.context
                .stage_dataset(output, Arc::clone(&self.schema), self.operator.keys())?;
        let mut mapped = self.mapped(None);
        while let Some(rows) = mapped.try_next().await? {
            writer.write(rows).await?;
        }
        for (name, value) in self.notes() {
            writer.set_metric(name, value);
        }
        let staged = writer.finish().await?;
        Ok(self.done(output, staged, "full", None))
    }

    async fn incremental(self, output: &str, base: Base) -> Result<Outcome, OperatorError> {
        let diff = self.context.store().diff(&base.input, &self.manifest).await?;
        let spec = self
            .context
            .dataset_spec(output, Arc::clone(&self.schema), self.operator.keys())?;
        let mut writer = self.context.store().delta_writer(spec, base.output);
        for entity in diff.changed.iter().chain(&diff.removed) {
            writer.remove(entity).await?;
        }
        let entities: HashSet<String> = diff.added.iter().chain(&diff.changed).cloned().collect();
        if !entities.is_empty() {
            let mut mapped = self.mapped(Some(Arc::new(entities)));
            while let Some(rows) = mapped.try_next().await? {
                writer.write(rows).await?;
            }
        }
        for (name, value) in self.notes() {
            writer.set_metric(name, value);
        }
        let staged = writer.finish().await?;
        Ok(self.done(output, staged, "incremental", Some(&diff)))
    }

    /// What the manifest tells of how the rows were made.
    fn notes(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let made_with = self
            .made_with
            .as_deref()
            .map(|with| (MADE_WITH, Value::from(with)));
        self.figures.iter().cloned().chain(made_with)
    }

    /// Reads, maps on blocking threads, and keeps the order.
    fn mapped(
        &self,
        entities: Option<Arc<HashSet<String>>>,
    ) -> BoxStream<'static, Result<RecordBatch, OperatorError>> {
        let options = ReadOptions {
            entities,
            batch_size: Some(self.operator.batch_rows()),
            ..ReadOptions::default()
        };
        let rows = self.context.store().read(&self.manifest, options);
        let total = self.manifest.data.rows;
        let (operator, context, state) = (
            Arc::clone(&self.operator),
            self.context.clone(),
            Arc::clone(&self.state),
        );
        let done = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let map = move |rows: Result<RecordBatch, StoreError>| {
            let (operator, context, state) = (Arc::clone(&operator), context.clone(), Arc::clone(&state));
            let done = Arc::clone(&done);
            async move {
                let rows = rows?;
                context.check_cancelled()?;
                let count = rows.num_rows() as u64;
                let entities = entity_set(&rows, 0);
                let reporter = context.clone();
                let mapped =
                    tokio::task::spawn_blocking(move || operator.map(&context, &state, rows)).await??;
                check_entities(&mapped, &entities)?;
                let done = done.fetch_add(count, std::sync::atomic::Ordering::Relaxed) + count;
                reporter.progress(done, Some(total), "rows");
                Ok(mapped)
            }
        };
        rows.map(map).buffered(self.operator.parallel().max(1)).boxed()
    }

    fn done(&self, port: &str, staged: StagedDataset, mode: &str, diff: Option<&Diff>) -> Outcome {
        let mut done = Done::new()
            .metric("rows_in", self.manifest.data.rows)
            .metric("rows_out", staged.rows)
            .metric("mode", mode);
        if let Some(diff) = diff {
            done = done
                .metric("entities_added", diff.added.len())
                .metric("entities_changed", diff.changed.len())
                .metric("entities_removed", diff.removed.len());
        }
        done.dataset(port, staged).into()
    }
}

fn entity_set(rows: &RecordBatch, column: usize) -> HashSet<String> {
    let texts = rows
        .columns()
        .get(column)
        .and_then(|array| array.as_any().downcast_ref::<StringArray>());
    texts
        .map(|texts| texts.iter().flatten().map(str::to_owned).collect())
        .unwrap_or_default()
}

/// An output row under an entity that was not in the input would never be updated or removed again.
fn check_entities(mapped: &RecordBatch, entities: &HashSet<String>) -> Result<(), OperatorError> {
    match entity_set(mapped, 0)
        .iter()
        .find(|entity| !entities.contains(*entity))
    {
        None => Ok(()),
        Some(entity) => Err(OperatorError::bug(
            "rowwise.entity",
            format!("a mapped row has the key `{entity}`, which no row of its batch has"),
        )),
    }
}

/// Finds the last output if a difference may be applied to it: made by the same operator, version and configuration,
/// from an earlier version of the same dataset, all other inputs equal.
async fn previous(
    context: &Context,
    info: &OperatorInfo,
    input: &str,
    output: &str,
    schema: &SchemaRef,
    keys: &[&str],
) -> Result<Option<Base>, OperatorError> {
    let Some(name) = context.output_name(output) else {
        return Ok(None);
    };
    let store = context.store();
    if store.dataset_versions(name).await?.is_empty() {
        return Ok(None);
    }
    let last = store
        .dataset(&Reference {
            name: name.clone(),
            selector: Selector::Latest,
        })
        .await?;
    let made = &last.data.producer;
    let same_maker = made.operator == info.name
        && made.operator_version == info.version
        && made.config_hash == context.task().config_hash
        && last.data.keys == keys
        && FeatureStore::schema_of(&last)? == *schema;
    let (now, now_others) = split_inputs(context.input_versions(), input);
    let (then, then_others) = split_inputs(last.data.inputs.clone(), input);
    let (Some(now), Some(then)) = (now, then) else {
        return Ok(None);
    };
    if !same_maker || now.id.name != then.id.name || now_others != then_others {
        return Ok(None);
    }
    let keyed = |manifest: &DatasetManifest| !manifest.data.keys.is_empty();
    match store.dataset_exact(&then.id).await {
        Ok(earlier) if keyed(&earlier) => Ok(Some(Base {
            output: last,
            input: earlier,
        })),
        // Collected or replaced since: there is nothing to compare with, so all of it is mapped again.
        Ok(_) | Err(_) => Ok(None),
    }
}

fn split_inputs(
    inputs: Vec<InputVersion>,
    port: &str,
) -> (Option<InputVersion>, Vec<(ArtifactKind, String)>) {
    let (mut mapped, others): (Vec<_>, Vec<_>) = inputs.into_iter().partition(|input| input.port == port);
    (
        mapped.pop(),
        others
            .into_iter()
            .map(|input| (input.kind, input.id.hash))
            .collect(),
    )
}
