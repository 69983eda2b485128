//! The binary `twinloom-torch`.
fn main() {}
