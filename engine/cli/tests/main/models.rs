//! Models from the command line.

use std::{io::Write as _, path::Path};

use serde_json::json;
use twinloom_gateway::{Generate, Sampling, TorchWorker};
use twinloom_store::{Commit, FeatureStore, Name, Producer, StageModel, StoreLocation, VersionId};

use super::support::{Project, root, torch};

pub async fn register(
    store: &FeatureStore,
    name: &str,
    base: Option<VersionId>,
    files: &[&Path],
) -> VersionId {
    let mut writer = store.model_writer(StageModel {
        name: Name::new(name).unwrap(),
        base,
        config: json!({}),
        card: String::new(),
        metrics: Default::default(),
        producer: Producer::default(),
        inputs: Vec::new(),
    });
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        writer.add_file(name, file).await.unwrap();
    }
    let commit = Commit {
        task_key: None,
        not_before: None,
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let staged = writer.finish().await.unwrap();
    store.commit_model(staged, commit).await.unwrap().manifest.id()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_is_exported_with_its_base_or_merged_into_it() {
    let Some(program) = torch() else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: twinloom-torch is not built: run `make test`"
        );
        return;
    };
    let project = Project::new();
    let location = StoreLocation::new(format!("file://{}", project.path(".twinloom/store").display()));
    let store = FeatureStore::open(&location).await.unwrap();
    let golden = root().join("operators/torch/tests/golden");
    let (tiny, bytes) = (golden.join("tiny-llama"), golden.join("bytes"));
    let base = [
        &tiny.join("config.json"),
        &tiny.join("model.safetensors"),
        &bytes.join("tokenizer.json"),
        &bytes.join("tokenizer_config.json"),
    ];
    let base = register(&store, "tiny", None, &base.map(|path| path.as_path())).await;
    let adapter =
        ["adapter_config.json", "adapter_model.safetensors"].map(|name| tiny.join("adapter").join(name));
    register(
        &store,
        "twin",
        Some(base),
        &adapter.each_ref().map(|path| path.as_path()),
    )
    .await;

    project.ok(&["model", "export", "twin", "apart"]);
    let apart = project.path("apart");
    assert!(
        apart.join("adapter_model.safetensors").is_file() && apart.join("base/model.safetensors").is_file()
    );
    let named: serde_json::Value =
        serde_json::from_slice(&std::fs::read(apart.join("adapter_config.json")).unwrap()).unwrap();
    assert_eq!(
        (&named["base_model_name_or_path"], &named["peft_type"]),
        (&json!(apart.join("base").canonicalize().unwrap()), &json!("LORA")),
        "PEFT finds the base"
    );
    let told = project.json(&["model", "export", "twin@1", "whole", "--merged"]);
    assert_eq!(
        (
            &told["dir"],
            &told["name"],
            &told["version"],
            &told["merged"],
            &told["base"]
        ),
        (
            &json!("whole"),
            &json!("twin"),
            &json!(1),
            &json!(true),
            &json!(false)
        )
    );
    let whole = project.path("whole");
    assert!(!whole.join("adapter_config.json").exists() && whole.join("tokenizer.json").is_file());

    let worker = TorchWorker::start(&program).unwrap();
    let write = async |model: &Path, adapter: Option<&Path>| {
        let request = Generate {
            model: model.to_owned(),
            adapter: adapter.map(Path::to_owned),
            messages: Some(vec![json!({"role": "user", "content": "hello"})]),
            sampling: Sampling {
                max_new_tokens: 40,
                ..Sampling::default()
            },
            ..Generate::default()
        };
        worker.generate(&request).await.unwrap().text
    };
    let base = apart.join("base");
    let (adapted, merged, plain) = (
        write(&base, Some(&apart)).await,
        write(&whole, None).await,
        write(&base, None).await,
    );
    assert_eq!(adapted, merged);
    assert_ne!(plain, merged);

    assert_eq!(project.json(&["model", "export", "twin", "beside"])["base"], true);
    project.ok(&["model", "export", "tiny", "base", "--merged"]);
    assert!(project.path("base/model.safetensors").is_file(), "whole as it is");
    let again = project.run(&["model", "export", "twin", "apart"]);
    assert_eq!(again.code, 2, "{}", again.stderr);
    assert!(
        again.stderr.contains("model.folder_not_empty"),
        "{}",
        again.stderr
    );
    assert_eq!(project.run(&["model", "export", "nobody", "out"]).code, 3);
    project.ok(&["store", "verify"]);
}
