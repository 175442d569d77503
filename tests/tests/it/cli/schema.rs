//! What needs no deployment.

use std::{path::Path, process::Command};

use moorage_tests::{cli::Moorage, stack::Stack};

/// The example, by its schema as another implementation reads it.
const VALIDATE: &str = "
import json, sys, jsonschema_rs, yaml
schema, example = json.load(open(sys.argv[1])), yaml.safe_load(open(sys.argv[2]))
validator = jsonschema_rs.validator_for(schema)
assert validator.is_valid(example), [str(error) for error in validator.iter_errors(example)]
del example['repositories']['acme/app']['mirror']['robot_username']
assert not validator.is_valid(example)
";

#[tokio::test]
async fn editors_can_complete_a_document() {
    let moorage = Moorage::new(&Stack::from_env().await);
    let schema = moorage.run(&["schema"]).await.ends(0);
    let (root, schema) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), moorage.file("schema.json", &schema.out));
    let mut command = Command::new(root.join("target/tests-venv/bin/python"));
    command.args(["-c", VALIDATE]).arg(schema).arg(root.join("infra/cli/examples/mirrors.yaml"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn shells_can_complete_the_command_line() {
    let moorage = Moorage::of("https://localhost:1", "unused-token");
    for shell in ["bash", "zsh", "fish"] {
        let script = moorage.run(&["completions", shell]).await.ends(0).out;
        assert!(script.contains("rollback"), "{shell}");
    }
}

#[tokio::test]
async fn a_wrong_command_line_is_neither_changes_nor_a_failure() {
    let moorage = Moorage::of("", "");
    for arguments in [&["plan"][..], &["sync"], &["sync", "Acme/app"], &["rollback", "a/b"], &["runs", "--token", "x"]]
    {
        let ran = moorage.run(arguments).await.ends(64);
        assert!(ran.out.is_empty() && ran.err.contains("error:"), "{ran:?}");
    }
    let ran = moorage.run(&["--help"]).await.ends(0);
    assert!(ran.out.contains("Examples:"));
    let ran = moorage.run(&["runs"]).await.ends(1);
    assert!(ran.err.contains("MOORAGE_URL"), "{ran:?}");
    let ran = moorage.run(&["runs", "--url", "http://moorage.example.com"]).await.ends(1);
    assert!(ran.err.contains("plain http"), "{ran:?}");
}
