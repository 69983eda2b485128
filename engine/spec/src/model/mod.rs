//! What a YAML file may hold, as typed structs.

mod dag;
mod defaults;
mod on;
mod params;
pub(crate) mod scalars;
mod search;
mod step;

pub use dag::{ApiVersion, Dag, DagKind, Labels, Pipeline, PipelineInput, PipelineKind};
pub use defaults::{ConcurrencySpec, Defaults, ExecutorName, ResourcesSpec, RetriesSpec};
pub use on::{
    AliasEvent, Bounds, Catchup, DatasetCondition, DatasetFilter, DatasetGroup, ModelCondition, ModelFilter,
    On, QueueTrigger, RunEnd, RunTrigger, Schedule, WebhookTrigger,
};
pub use params::{Boxed, ParamSpec, ParamType};
pub use scalars::{
    ByteSize, CronExpression, Expression, Label, Moment, MomentAt, Period, SecretRef, Timezone,
};
pub use search::{Halving, Range, Reuse, Search};
pub use step::{Condition, ForEach, Matrix, Select, Step};
