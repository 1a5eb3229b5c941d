//! The documents that people and programs rely on: schemas, and the commands that the documentation names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing helper is a failing test")]

use clap::Parser as _;
use rsp_install::cli::Cli;
use rsp_install::report::documents as doc;
use rsp_install::report::secrets;
use rsp_install::{engine, environment};
use schemars::{Schema, schema_for};
use std::path::Path;

/// Every committed schema and what makes it. With `RSP_INSTALL_UPDATE_SCHEMAS=1` the files are written anew.
fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("environment", environment::schema()),
        ("event", schema_for!(engine::Event)),
        ("install", schema_for!(doc::InstallDocument)),
        ("plan", schema_for!(doc::PlanDocument)),
        ("status", schema_for!(doc::StatusDocument)),
        ("validate", schema_for!(doc::ValidateDocument)),
        ("failure", schema_for!(doc::FailureDocument)),
        ("retire", schema_for!(doc::RetireDocument)),
        ("secrets-audit", schema_for!(secrets::AuditDocument)),
        ("secrets-sync", schema_for!(secrets::SyncDocument)),
        ("secrets-copy", schema_for!(secrets::CopyDocument)),
        ("secrets-template", schema_for!(secrets::TemplateDocument)),
        ("access-rotate", schema_for!(secrets::RotateDocument)),
        ("access-audit", schema_for!(secrets::AccessDocument)),
        ("sandbox", schema_for!(rsp_install::sandbox::SandboxInfo)),
        ("drift", rsp_install::drift::schema()),
        ("mode", rsp_install::drift::mode_schema()),
        ("mode-facts", rsp_install::drift::facts_schema()),
    ]
}

#[test]
fn the_committed_schemas_are_those_of_the_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema");
    for (name, schema) in schemas() {
        let path = folder.join(format!("{name}.json"));
        let text = format!("{:#}\n", schema.as_value());
        if std::env::var_os("RSP_INSTALL_UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "{name}.json is old: run RSP_INSTALL_UPDATE_SCHEMAS=1 cargo test --test documents");
    }
}

#[test]
fn the_environment_files_fit_their_schema() {
    let schema = jsonschema::validator_for(environment::schema().as_value()).unwrap();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("environments")).unwrap() {
        let path = entry.unwrap().path();
        let value: serde_json::Value = serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let errors: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
}

/// The commands in a document: indented lines and inline code that begin with the program's name.
fn commands(text: &str) -> Vec<String> {
    let indented = text.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned);
    let inline = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let program = |command: &String| command.starts_with("rsp-install ") || command.starts_with("scripts/rsp-install ");
    indented.chain(inline).filter(program).collect()
}

#[test]
fn every_command_in_the_documentation_is_one_that_the_program_takes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for path in docs.chain([root.join("README.md")]).filter(|path| path.extension().is_some_and(|kind| kind == "md")) {
        for command in commands(&std::fs::read_to_string(&path).unwrap()) {
            seen += 1;
            // What follows a number sign is for the reader.
            let words = command.split('#').next().unwrap().split_whitespace().map(|word| word.trim_end_matches(','));
            if let Err(error) = Cli::try_parse_from(words) {
                let asked = [clap::error::ErrorKind::DisplayHelp, clap::error::ErrorKind::DisplayVersion];
                assert!(asked.contains(&error.kind()), "{}: {command}: {error}", path.display());
            }
        }
    }
    assert!(seen > 8, "only {seen} commands found");
}
