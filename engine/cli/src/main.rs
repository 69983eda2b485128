//! The binary `twinloom`.
fn main() {}
