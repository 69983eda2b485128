//! The C side's functions. Every one gives null, or an error's text to be freed with [`tl_free`].

use std::ffi::{c_char, c_double, c_void};

/// A C++ `at::Tensor*`; null is "no tensor".
pub type Raw = *mut c_void;

unsafe extern "C" {
    pub fn tl_free(text: *mut c_char);
    pub fn tl_rms_norm(out: *mut Raw, x: Raw, delta: Raw, weight: Raw, eps: c_double) -> *mut c_char;
    pub fn tl_rope(out: *mut Raw, x: Raw, cos: Raw, sin: Raw) -> *mut c_char;
    pub fn tl_gated(out: *mut Raw, gate: Raw, up: Raw, act: i64) -> *mut c_char;
    pub fn tl_frozen_linear(
        out: *mut Raw,
        x: Raw,
        dense: Raw,
        codes: Raw,
        table: Raw,
        scales: Raw,
        block_scales: Raw,
        offset: Raw,
        outputs: i64,
        inputs: i64,
        bias: Raw,
        a: Raw,
        b: Raw,
        scale: c_double,
    ) -> *mut c_char;
    pub fn tl_unpack(
        out: *mut Raw,
        codes: Raw,
        table: Raw,
        scales: Raw,
        block_scales: Raw,
        offset: Raw,
        outputs: i64,
        inputs: i64,
        bf16: i64,
    ) -> *mut c_char;
    pub fn tl_loss_sum(out: *mut Raw, x: Raw, weight: Raw, targets: Raw, softcap: c_double) -> *mut c_char;
    pub fn tl_loss_each(out: *mut Raw, x: Raw, weight: Raw, targets: Raw, softcap: c_double) -> *mut c_char;
    pub fn tl_adamw(
        value: Raw,
        grad: Raw,
        mean: Raw,
        square: Raw,
        step: Raw,
        rate: c_double,
        beta1: c_double,
        beta2: c_double,
        decay: c_double,
        epsilon: c_double,
        scale: Raw,
        skip: Raw,
    ) -> *mut c_char;
    pub fn tl_set_grad(value: Raw, grad: Raw) -> *mut c_char;
    pub fn tl_deterministic(on: bool) -> *mut c_char;
    pub fn tl_gpu_memory(device: i64, now: *mut i64, peak: *mut i64, reset: bool) -> *mut c_char;
}
