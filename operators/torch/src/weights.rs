//! How a model's weights are held.

use tch::Kind;
use twinloom_kernels::Format;

/// How weights are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Weights {
    /// In the type that the checkpoint names; encoders in 32-bit.
    #[default]
    Auto,
    /// 32-bit.
    F32,
    /// 16-bit.
    Bf16,
    /// 8-bit integers, a scale for each 64.
    Int8,
    /// 4-bit integers, a scale for each 32; a decoder's embedding and head 8-bit.
    Int4,
}

impl Weights {
    /// The CPU kernels' format; `named` is the type of the checkpoint.
    #[must_use]
    pub fn format(self, named: Kind) -> Format {
        match (self, named) {
            (Self::Auto, Kind::BFloat16) | (Self::Bf16, _) => Format::Bf16,
            (Self::Auto | Self::F32, _) => Format::F32,
            (Self::Int8, _) => Format::Int8 { group: 64 },
            (Self::Int4, _) => Format::Int4 { group: 32 },
        }
    }

    /// libtorch's type, for a model that runs there.
    #[must_use]
    pub fn kind(self, named: Kind) -> Kind {
        match self {
            Self::Auto => named,
            Self::F32 => Kind::Float,
            Self::Bf16 | Self::Int8 | Self::Int4 => Kind::BFloat16,
        }
    }
}
