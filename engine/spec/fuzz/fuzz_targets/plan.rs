//! Any bytes: a plan or errors with places, and a format that keeps what the file says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, json};
use twinloom_spec::{
    Catalog, Library, OperatorSignature, PortKind, PortSignature, SourceFile, format, parse_pipeline, plan, read_value,
};

struct One(OperatorSignature);

impl Catalog for One {
    fn operator(&self, name: &str) -> Option<&OperatorSignature> {
        (name == self.0.name).then_some(&self.0)
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.0.name]
    }
}

fn catalog() -> One {
    let port = |name: &str| PortSignature {
        name: name.to_owned(),
        kind: PortKind::Dataset,
        doc: String::new(),
        columns: Vec::new(),
        optional: true,
        many: true,
    };
    One(OperatorSignature {
        name: "clean".to_owned(),
        version: "1".to_owned(),
        summary: String::new(),
        config_schema: json!({"type": "object", "properties": {"n": {"type": "integer"}}}),
        inputs: vec![port("documents")],
        outputs: vec![port("documents")],
        open_ports: true,
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = SourceFile::read("fuzz.yaml", bytes) else { return };
    let library = Library::from_files(vec![file.clone()]).unwrap_or_default();
    if let Err(errors) = plan(&file, &library, &catalog(), &Map::new()) {
        assert!(!errors.is_empty());
        assert!(!errors.render(false).is_empty());
    }
    let _ = parse_pipeline(&file);
    if let Ok(formatted) = format(&file) {
        let again = SourceFile::new("fuzz.yaml", formatted.clone());
        assert_eq!(format(&again).ok().as_deref(), Some(formatted.as_str()));
        assert_eq!(read_value(&formatted), read_value(&file.text));
    }
});
