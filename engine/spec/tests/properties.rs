//! What holds for any text.

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};
use twinloom_spec::{SourceFile, expr, format, parse_dag, parse_pipeline, plan, read_value};

use crate::catalog::{library, operators, plan_of};

/// Pieces of YAML in any order: far more of it can be read than of random characters.
fn yamlish() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n"),
        Just("\n  "),
        Just("\n    "),
        Just(" "),
        Just(": "),
        Just("- "),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(", "),
        Just("# c"),
        Just("|\n"),
        Just(">-\n"),
        Just("&a "),
        Just("*a "),
        Just("'"),
        Just("\""),
        Just("steps"),
        Just("uses"),
        Just("apiVersion: twinloom/v1\n"),
        Just("kind: Dag\n"),
        Just("name: x\n"),
        Just("steps:\n  a:\n    uses: clean\n"),
        Just("${{ params.x }}"),
        Just("$${{"),
        Just("12"),
        Just("~"),
        Just("é漢"),
        Just("\t"),
        Just("\r\n"),
        Just("!!str "),
        Just("---\n"),
        Just("? "),
        Just("<<"),
        Just("in: {documents: a.b}"),
        Just("with: "),
        Just("matrix: {a: [1]}"),
        Just("for_each: [1]"),
        Just("params: {x: {default: 1}}\n"),
        Just("\u{feff}"),
        Just("\0"),
        Just("\\"),
        Just("|2\n"),
        Just("%YAML 1.2\n"),
        Just("...\n"),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(|number: f64| json!(number)),
        "[ -~é\n\t]{0,12}".prop_map(Value::from),
        "\\$*\\$\\{\\{ ?[a-z.]{0,5} ?(\\}\\})?".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-z$ {]{0,4}", inner), 0..4).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn all(text: &str) {
    let file = SourceFile::new("any.yaml", text);
    let check = |errors: &twinloom_spec::Diagnostics| {
        assert!(!errors.is_empty());
        for error in &errors.0 {
            assert!(error.line >= 1 && error.column >= 1 && error.span.start <= error.span.end);
            assert!(
                error.file != "any.yaml" || error.span.end <= text.len() + 1,
                "{error:?}"
            );
        }
        assert!(!errors.render(false).is_empty());
    };
    drop(parse_dag(&file).map_err(|errors| check(&errors)));
    drop(parse_pipeline(&file).map_err(|errors| check(&errors)));
    drop(plan(&file, library(), operators(), &Map::new()).map_err(|errors| check(&errors)));
    let value = read_value(text);
    if let Ok(formatted) = format(&file) {
        let again = SourceFile::new("any.yaml", formatted.clone());
        assert_eq!(
            format(&again).expect("what was formatted can be formatted"),
            formatted
        );
        assert_eq!(read_value(&formatted), value);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gives_a_plan_or_errors(text in any::<String>()) {
        all(&text);
    }

    #[test]
    fn anything_like_yaml_gives_a_plan_or_errors(text in yamlish()) {
        all(&text);
    }

    #[test]
    fn any_expression_gives_a_value_or_an_error(text in "[a-z0-9 .\\[\\]()+*/|'\"{},=<>~%-]{0,30}") {
        let scope = json!({"a": {"b": [1, 2]}, "c": "x"});
        drop(expr::eval(&text, &scope));
        drop(expr::render(&json!(format!("x ${{{{ {text} }}}}")), &scope));
    }

    /// A parameter's value comes out as it went in, whatever templates it seems to hold.
    #[test]
    fn values_are_never_templates(value in value()) {
        let body = "params: {v: {}, n: {default: 1}}\nsteps:\n  first: {uses: command, with: {argv: [x]}}\n  \
                    train: {uses: train, in: {documents: 'dataset:d'}, with: {note: ['${{ params.v }}', \
                    '${{ [params.v, steps.first.metrics.n] }}', 'a${{ params.n }}']}}\n";
        let plan = plan_of(body, &json!({"v": value})).unwrap();
        let train = plan.tasks.iter().find(|task| task.id == "train").unwrap();
        let scope = json!({"steps": {"first": {"metrics": {"n": 1}}}});
        let rendered = expr::render(&train.config, &scope).unwrap();
        prop_assert_eq!(&rendered["note"][0], &value);
        prop_assert_eq!(&rendered["note"][2], &json!("a1"));
        // Through the expression engine, mappings lose the order of their keys, which does not count.
        prop_assert_eq!(&rendered["note"][1][0], &value);
    }

    /// Whatever waits for whatever: a plan's tasks come after all that they need.
    #[test]
    fn plans_are_in_order(edges in vec((0_usize..12, 0_usize..12), 0..30), fan in 0_usize..12) {
        let mut steps = String::from("steps:\n");
        for step in 0..12 {
            // Names in another order than the edges, so that the file's order is no order of the plan.
            let name = (step * 7) % 12;
            let after: Vec<_> = edges
                .iter()
                .filter(|(to, from)| *to == name && from < to)
                .map(|(_, from)| format!("s{from}"))
                .collect();
            let each = if name == fan { ", for_each: [1, 2]" } else { "" };
            steps.push_str(&format!("  s{name}: {{uses: command, with: {{argv: [x]}}, after: [{}]{each}}}\n", after.join(", ")));
        }
        let plan = plan_of(&steps, &json!({})).unwrap();
        prop_assert_eq!(plan.tasks.len(), 13);
        let mut seen = std::collections::HashSet::new();
        for task in &plan.tasks {
            prop_assert!(task.needs.iter().all(|need| seen.contains(need.as_str())), "{} comes too early", task.id);
            prop_assert!(seen.insert(task.id.as_str()));
        }
        let direct = edges.iter().filter(|(to, from)| from < to).collect::<std::collections::HashSet<_>>();
        for (to, from) in direct {
            let waits = plan.tasks.iter().filter(|task| task.step == format!("s{to}"));
            let first = format!("s{from}");
            for task in waits {
                let found = task.needs.iter().any(|need| need.split('[').next() == Some(first.as_str()));
                prop_assert!(found, "a need is lost");
            }
        }
    }
}
