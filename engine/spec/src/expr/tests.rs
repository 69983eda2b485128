#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;

fn scope() -> Value {
    json!({
        "params": {"author": "Ada", "n": 3, "sources": [{"z": 1, "a": 2}], "none": null, "rate": 0.0001},
        "steps": {"training/train": {"metrics": {"loss": 1.5}}},
        "item": "x",
    })
}

#[test]
fn a_whole_expression_keeps_its_type() {
    let cases = [
        ("${{ params.n }}", json!(3)),
        ("  ${{ params.sources }} ", json!([{"z": 1, "a": 2}])),
        ("${{ params.sources[0].a }}", json!(2)),
        ("${{ params.n + 1 }}", json!(4)),
        ("${{ params.rate * 2 }}", json!(0.0002)),
        ("${{ [params.n, 'b'] }}", json!([3, "b"])),
        ("${{ {'a': {'b': params.n}} }}", json!({"a": {"b": 3}})),
        ("${{ range(3) }}", json!([0, 1, 2])),
        ("${{ len(params.sources) }}", json!(1)),
        ("${{ params.author | upper }}", json!("ADA")),
        ("${{ ['a', 'b'] | join('-') }}", json!("a-b")),
        ("${{ '}}' }}", json!("}}")),
        ("${{ params.n > 2 and not false }}", json!(true)),
        ("${{ steps['training/train'].metrics.loss }}", json!(1.5)),
        ("${{ params.missing is defined }}", json!(false)),
        (
            "n=${{ params.n }}, ${{ params.author }}${{ params.none }}!",
            json!("n=3, Ada!"),
        ),
        ("$${{ params.n }}", json!("${{ params.n }}")),
        ("a $${{ b }} ${{ item }}", json!("a ${{ b }} x")),
        ("no template {{ here }}", json!("no template {{ here }}")),
    ];
    for (template, expected) in cases {
        assert_eq!(render(&json!(template), &scope()), Ok(expected), "{template}");
    }
    let order = render(&json!("${{ params.sources }}"), &scope()).unwrap();
    assert_eq!(order.to_string(), r#"[{"z":1,"a":2}]"#, "keys keep their order");
}

#[test]
fn mistakes_are_named() {
    let cases = [
        (
            "${{ params.autor }}",
            "`params.autor` is not defined",
            Some("Did you mean `params.author`?"),
        ),
        (
            "${{ param.author }}",
            "`param` is not defined",
            Some("Did you mean `params`?"),
        ),
        (
            "${{ params.autor + 'x' }}",
            "`params.autor` is not defined",
            Some("Did you mean `params.author`?"),
        ),
        ("${{ params.n", "`${{` has no `}}`", None),
        ("${{ }}", "the expression is empty", None),
    ];
    for (template, message, hint) in cases {
        let error = render(&json!(template), &scope()).unwrap_err();
        assert_eq!(error.to_string(), message, "{template}");
        if let Some(hint) = hint {
            assert_eq!(error.hint().as_deref(), Some(hint), "{template}");
        }
    }
    assert!(matches!(
        eval("params.n +", &scope()),
        Err(ExprError::Syntax { .. })
    ));
    assert!(matches!(
        eval("params.n / 'a'", &scope()),
        Err(ExprError::Failed { .. })
    ));
    assert!(matches!(
        eval("undefined_function(1)", &scope()),
        Err(ExprError::Failed { .. })
    ));
}

#[test]
fn work_and_size_are_bounded() {
    let long = "1 + ".repeat(300_000) + "1";
    assert!(eval(&long, &json!({})).is_err());
    let deep = "(".repeat(5000) + "1" + &")".repeat(5000);
    assert!(eval(&deep, &json!({})).is_err());
    assert!(
        eval(
            "range(100000) | list | map('upper') | join('x' * 10000)",
            &json!({})
        )
        .is_err()
    );
    assert!(eval("range(100000000)", &json!({})).is_err());
    assert_eq!(eval("('a' * 9000000)", &json!({})), Err(ExprError::TooLarge));
    assert_eq!(eval("[0] * 9999999", &json!({})), Err(ExprError::TooLarge));
    assert!(eval("1e308 * 1e308", &json!({})).is_err());
    let product = ["'a' * 90000000"; 20].join(" ~ ");
    assert_eq!(eval(&product, &json!({})), Err(ExprError::TooLarge));
    assert!(eval("('a' * 100000) | replace('a', 'b' * 100000)", &json!({})).is_err());
    assert_eq!(eval("'a-b' | replace('-', '+')", &json!({})), Ok(json!("a+b")));
}

#[test]
fn references_are_found() {
    let found: Vec<_> = references(
        "steps.a.metrics['x'] | default(params.n) + len(item[0].b) + f(key=matrix.r) == 'steps.q'",
    )
    .into_iter()
    .map(|reference| reference.display(9))
    .collect();
    assert_eq!(found, ["steps.a.metrics.x", "params.n", "item[0].b", "matrix.r"]);
    assert!(references("'unclosed").is_empty());
    assert_eq!(references("a.b.upper()")[0].display(9), "a.b");
    assert_eq!(references("a is not defined and b is none").len(), 2);
}

#[test]
fn literals_come_back_as_they_were() {
    for value in [
        json!({"a": [1, -2, 0.5, -1e-9, null, true, "q\"uo\\te\n\u{1f}é漢"], "": {}}),
        json!(-3),
        json!("}}"),
        json!(u64::MAX),
        json!([[], {}]),
    ] {
        assert_eq!(eval(&literal(&value), &json!({})), Ok(value.clone()), "{value}");
        let template = json!(format!("${{{{ {} }}}}", literal(&value)));
        assert_eq!(render(&template, &json!({})), Ok(value));
    }
}

#[test]
fn truth() {
    for value in [
        json!(null),
        json!(false),
        json!(0),
        json!(0.0),
        json!(""),
        json!([]),
        json!({}),
    ] {
        assert!(!truthy(&value), "{value}");
    }
    for value in [json!(true), json!(1), json!("false"), json!([0]), json!({"a": 0})] {
        assert!(truthy(&value), "{value}");
    }
}
