//! Which instructions this machine has.

/// Sets of instructions that there is code for, poorest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every machine has.
    Plain,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with products of bf16 pairs.
    Avx512Bf16,
}

impl Level {
    /// The richest that this machine has.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                return if is_x86_feature_detected!("avx512bf16") {
                    Self::Avx512Bf16
                } else {
                    Self::Avx512
                };
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Plain
    }

    /// All that this machine has, poorest first: for tests.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let best = Self::detect();
        [Self::Plain, Self::Avx2, Self::Avx512, Self::Avx512Bf16]
            .into_iter()
            .filter(|level| *level <= best)
            .collect()
    }
}

/// Makes a function that runs `$inner` compiled for the instructions of a [`Level`]: the compiler vectorises plain loops
/// as far as it may.
macro_rules! leveled {
    ($(#[$doc:meta])* $vis:vis fn $name:ident $(<$($generic:ident: $bound:path),+>)? ($($arg:ident: $type:ty),* $(,)?) = $inner:ident) => {
        $(#[$doc])*
        $vis fn $name $(<$($generic: $bound),+>)? (level: $crate::Level, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn wide $(<$($generic: $bound),+>)? ($($arg: $type),*) {
                    $inner $(::<$($generic),+>)? ($($arg),*);
                }
                #[target_feature(enable = "avx2,fma")]
                fn middle $(<$($generic: $bound),+>)? ($($arg: $type),*) {
                    $inner $(::<$($generic),+>)? ($($arg),*);
                }
                match level {
                    $crate::Level::Plain => $inner $(::<$($generic),+>)? ($($arg),*),
                    // SAFETY: a level is only made by `Level::detect` or `available`, which asked the processor.
                    $crate::Level::Avx2 => unsafe { middle $(::<$($generic),+>)? ($($arg),*) },
                    // SAFETY: as above.
                    _ => unsafe { wide $(::<$($generic),+>)? ($($arg),*) },
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            {
                let _ = level;
                $inner $(::<$($generic),+>)? ($($arg),*);
            }
        }
    };
}
pub(crate) use leveled;

/// Runs a function; its last generic argument says whether it may call code that is written for AVX-512.
macro_rules! in_loops {
    ($level:expr, $inner:ident $(::<$($generic:ident),+>)? ($($arg:ident),* $(,)?)) => {
        if cfg!(target_arch = "x86_64") && $level >= $crate::Level::Avx512 {
            $inner::<$($($generic,)+)? true>($($arg),*);
        } else {
            $inner::<$($($generic,)+)? false>($($arg),*);
        }
    };
}
pub(crate) use in_loops;
