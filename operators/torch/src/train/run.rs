//! The operator `train`.

use async_trait::async_trait;
use tch::{Device, Kind};
use twinloom_operators::train::{Config, Method, Precision, info};
use twinloom_sdk::{Context, Operator, OperatorError, OperatorInfo, Outcome};

use super::{pretrain, tune};
use crate::ModelError;

/// Trains a model.
pub struct TrainOperator;

#[async_trait]
impl Operator for TrainOperator {
    type Config = Config;

    fn info(&self) -> OperatorInfo {
        info()
    }

    async fn run(&self, context: &Context, config: Config) -> Result<Outcome, OperatorError> {
        config.check()?;
        match config.method {
            Method::Pretrain => pretrain::run(context, config).await,
            _ => tune::run(context, config).await,
        }
    }
}

/// The type that weights are held in on a device.
pub fn kind(precision: Precision, device: Device) -> Kind {
    match (precision, device) {
        (Precision::Fp32, _) | (Precision::Auto, Device::Cpu) => Kind::Float,
        (Precision::Bf16 | Precision::Auto, _) => Kind::BFloat16,
    }
}

/// A type that models are trained in, as a config.json calls it.
pub fn type_name(kind: Kind) -> &'static str {
    if kind == Kind::Float {
        "float32"
    } else {
        "bfloat16"
    }
}

/// Whether libtorch refuses operations whose result may differ between two runs.
pub fn set_deterministic(on: bool) -> Result<(), ModelError> {
    Ok(twinloom_shim::deterministic(on)?)
}

/// Sets the number of threads of libtorch's operations.
pub fn set_threads(threads: u32) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(1));
}
