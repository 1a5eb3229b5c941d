//! The program as a user calls it: its own cache, its own environment files, and what it said.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses its part; a failing helper is a failing test"
)]

use rsp_install::sandbox::SandboxInfo;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program in a temporary place.
pub(crate) struct Program {
    place: tempfile::TempDir,
    tools: PathBuf,
}

/// What a call said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// The one JSON document on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Fails with everything that was said unless the exit code is this.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

impl Program {
    /// With these environment files.
    pub(crate) fn new(environments: &[(&str, String)]) -> Self {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("environments")).unwrap();
        let tools = std::env::var_os("RSP_INSTALL_TOOLS").map_or_else(default_tools, PathBuf::from);
        let program = Self { place, tools };
        for (name, text) in environments {
            program.write(&format!("environments/{name}.yaml"), text);
        }
        program
    }

    /// The temporary place.
    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    /// The folder of the sandbox's tools; nothing, and a line that says so, when they are not built.
    pub(crate) fn tools(&self) -> Option<&Path> {
        if self.tools.join("kube-apiserver").exists() {
            return Some(&self.tools);
        }
        eprintln!("SKIPPED: the sandbox's tools are not built (scripts/build-tools)");
        None
    }

    /// Writes a file in the temporary place.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A call that is not started yet. It sees nothing of the tester's own environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rsp-install"));
        let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin", self.tools.display());
        command.env_clear().env("PATH", path).env("HOME", self.path());
        command.env("RSP_INSTALL_CACHE", self.path().join("cache")).env("RSP_INSTALL_TOOLS", &self.tools);
        command.args(arguments).current_dir(self.path());
        command
    }

    /// How to reach the program's sandbox.
    pub(crate) fn info(&self) -> SandboxInfo {
        serde_json::from_value(self.call(&["sandbox", "status", "--output", "json"]).expect(0).json()).unwrap()
    }

    /// The sandbox's environment file, with a sandbox named as any existing cluster would be.
    pub(crate) fn as_existing(&self, info: &SandboxInfo) -> String {
        let own = std::fs::read_to_string(self.path().join("environments/sandbox.yaml")).unwrap();
        let cluster = format!(
            "cluster: {{existing: {{kubeconfig: {}, context: {}, server: '{}'}}}}\nvault: {{address: '{}'}}",
            info.kubeconfig.display(),
            info.context,
            info.server,
            info.vault_address
        );
        own.replace("cluster: {sandbox: {}}", &cluster)
    }

    /// A call.
    pub(crate) fn call(&self, arguments: &[&str]) -> Said {
        said(&self.command(arguments).output().unwrap())
    }
}

/// The program with the sandbox's environment file and the miniature phalanx; nothing, and a line that says so, where
/// something for it is missing.
pub(crate) fn in_sandbox() -> Option<Program> {
    let repository = mini_phalanx()?;
    let program = Program::new(&[("sandbox", sandbox_file(&repository))]);
    program.tools()?;
    Some(program)
}

/// The sandbox's environment file with this repository.
pub(crate) fn sandbox_file(repository: &Path) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments/sandbox.yaml");
    std::fs::read_to_string(path).unwrap().replace("../target/phalanx", repository.to_str().unwrap())
}

/// Takes the program's sandbox down however the test ends.
pub(crate) struct Down<'a>(pub(crate) &'a Program);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        let said = self.0.call(&["sandbox", "down"]);
        if said.code != Some(0) {
            eprintln!("{}", said.stderr);
        }
    }
}

/// What an output says.
pub(crate) fn said(output: &Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Said { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn default_tools() -> PathBuf {
    rsp_install::process::Process::from_system().cache().join("tools/current")
}

/// The miniature phalanx as a repository; nothing, and a line that says so, when it is not made yet.
pub(crate) fn mini_phalanx() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/phalanx");
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: the miniature phalanx is not made (scripts/mini-phalanx)");
    None
}

/// A schema of `docs/schema`.
pub(crate) fn fits(schema: &str, document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schema/{schema}.json"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = schema.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?} in {document:#}");
}
