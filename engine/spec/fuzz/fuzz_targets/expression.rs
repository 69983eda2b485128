//! Any text as an expression: a value or an error, within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use twinloom_spec::expr;

fuzz_target!(|text: &str| {
    let scope = json!({"params": {"a": [1, 2, {"b": "c"}], "n": -1.5}, "item": "x"});
    let _ = expr::eval(text, &scope);
    let _ = expr::render(&json!(format!("{text} ${{{{ {text} }}}}")), &scope);
});
