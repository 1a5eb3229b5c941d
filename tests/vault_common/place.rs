//! The program as people run it against a Vault server: a folder with a small checkout, an environment file, and static
//! secrets.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use super::Server;

/// Three applications: `b` makes secrets, `a` and `c` copy and are given some.
const CHECKOUT: [(&str, &str); 11] = [
    (
        "environments/values.yaml",
        "appOfAppsName: x\nvaultUrl: https://v.invalid\nrepoUrl: https://r\ntargetRevision: main\napplications: {a: true, b: true, c: true}\n",
    ),
    ("environments/values-e.yaml", "name: e\nfqdn: e.org\nvaultPathPrefix: secret/phalanx/e\n"),
    ("applications/a/Chart.yaml", "name: a\nversion: 1.0.0\n"),
    ("applications/a/values-e.yaml", "enabled: yes\n"),
    (
        "applications/a/secrets.yaml",
        "given: {description: x}\nmade: {description: x, if: enabled, generate: {type: password}}\ncopied: {copy: {application: b, key: made}}\n",
    ),
    ("applications/b/Chart.yaml", "name: b\nversion: 1.0.0\n"),
    ("applications/b/values-e.yaml", ""),
    (
        "applications/b/secrets.yaml",
        "made: {description: x, generate: {type: password}}\ntoken: {description: x, generate: {type: gafaelfawr-token}}\n",
    ),
    ("applications/c/Chart.yaml", "name: c\nversion: 1.0.0\n"),
    ("applications/c/values-e.yaml", ""),
    (
        "applications/c/secrets.yaml",
        "fernet: {description: x, generate: {type: fernet-key}}\nagain: {copy: {application: a, key: made}}\n",
    ),
];

const STATICS: &str = "applications: {a: {given: {value: canary-static}}}\n";

/// The folder, and how the program logs in.
pub struct Place {
    pub folder: tempfile::TempDir,
    /// Where the program thinks that Vault is.
    pub address: String,
    /// Its environment beside what it always has.
    pub variables: Vec<(&'static str, String)>,
}

impl Place {
    /// At this server, as root.
    pub fn new(server: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in CHECKOUT {
            let path = folder.path().join("phalanx").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let git = |arguments: &[&str]| {
            let done = Command::new("git").current_dir(folder.path().join("phalanx")).args(arguments).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        git(&["init", "-q", "-b", "main"]);
        git(&["add", "."]);
        git(&["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "x"]);
        std::fs::create_dir(folder.path().join("environments")).unwrap();
        let place =
            Self { folder, address: server.address.clone(), variables: vec![("VAULT_TOKEN", server.root.clone())] };
        place.write("static.yaml", STATICS);
        place
    }

    /// The same through another address and with another environment.
    pub fn with(self, address: &str, variables: &[(&'static str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { address: address.to_owned(), variables, ..self }
    }

    /// Writes a file into the folder; tells its path.
    pub fn write(&self, file: &str, text: &str) -> String {
        let path = self.folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// A command below `secrets` that is not started yet, with secrets under this prefix.
    pub fn command(&self, prefix: &str, arguments: &[&str]) -> Command {
        let file = format!(
            "name: e\nphalanx: {{repository: ../phalanx, branch: main, environment: e}}\nvault: {{address: \"{}\", pathPrefix: {prefix}}}\n",
            self.address
        );
        self.write("environments/e.yaml", &file);
        let mut command = Command::new(env!("CARGO_BIN_EXE_rsp-install"));
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("RSP_INSTALL_CACHE", self.folder.path().join("cache"))
            .envs(self.variables.iter().cloned())
            .args(["--env", "e", "--output", "json", "--events", "events.json", "--verbose", "secrets"])
            .args(arguments);
        command
    }

    /// Runs a command below `secrets`.
    pub fn run(&self, prefix: &str, arguments: &[&str]) -> Output {
        self.command(prefix, arguments).output().unwrap()
    }
}

/// The document that a command printed.
pub fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Every value that every key under a prefix ever had.
pub async fn history(server: &Server, path: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::default();
    for application in ["a", "b", "c"] {
        for version in 1.. {
            let path = format!("secret/data/{path}/{application}?version={version}");
            let Some(answer) = server.call("GET", &path, None).await else { break };
            for (key, value) in answer["data"]["data"].as_object().unwrap() {
                let known = values.entry(format!("{application}/{key}")).or_default();
                known.insert(value.as_str().unwrap().to_owned());
            }
        }
    }
    values
}
