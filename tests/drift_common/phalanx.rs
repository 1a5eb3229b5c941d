//! A small phalanx, of which fork and upstream are two branches.

use super::git_common::{Fixture, git_here};
use rsp_install::client::git::Git;
use rsp_install::drift::Facts;
use rsp_install::drift::{DriftError, Report, Request, Side, report};
use rsp_install::engine::Events;

/// A small phalanx with the environment `roe`, of which fork and upstream are two branches.
pub(crate) struct Phalanx(pub(crate) Fixture);

/// What `environments/values.yaml` turns on.
pub(crate) const CATALOGUE: &str =
    "applications:\n  gafaelfawr: false\n  mobu: false\n  nublado2: false\n  tap: false\n";
/// The environment.
pub(crate) const ROE: &str = "name: roe\nfqdn: rsp.example.ac.uk\nappOfAppsName: science-platform\nvaultUrl: https://vault.example.org/\n\
vaultPathPrefix: secret/phalanx/roe\nrepoUrl: x\ntargetRevision: main\napplications:\n  gafaelfawr: true\n  nublado2: true\n  tap: true\n";

impl Phalanx {
    pub(crate) fn new() -> Option<Self> {
        if !git_here() {
            return None;
        }
        let phalanx = Self(Fixture::new());
        let chart = |name: &str, version: &str| format!("name: {name}\nversion: 1.0.0\nappVersion: {version}\n");
        let gafaelfawr = chart("gafaelfawr", "9.6.1")
            + "dependencies:\n- {name: redis, version: 1.0.13, repository: https://example.org/}\n";
        let tap = chart("tap", "1.0.0")
            + "dependencies:\n- {name: cadc-tap, version: 1.0.0, repository: \"file://../../charts/cadc-tap\"}\n";
        phalanx.0.commit(&[
            ("environments/values.yaml", CATALOGUE),
            ("environments/values-roe.yaml", ROE),
            ("environments/templates/applications/rsp/tap.yaml", "spec:\n  destination:\n    namespace: \"tap\"\n"),
            ("applications/gafaelfawr/Chart.yaml", &gafaelfawr),
            ("applications/gafaelfawr/values.yaml", "config:\n  cadcBaseUuid: \"\"\n  open: {}\n  logLevel: info\n"),
            ("applications/gafaelfawr/values-roe.yaml", "config:\n  cadcBaseUuid: abc\n  open:\n    anything: 1\n"),
            ("applications/gafaelfawr/secrets.yaml", "password:\n  description: x\n  generate:\n    type: password\n"),
            ("applications/nublado2/Chart.yaml", &chart("nublado2", "2.6.1")),
            ("applications/nublado2/values-roe.yaml", "{}\n"),
            ("applications/tap/Chart.yaml", &tap),
            ("applications/tap/values.yaml", "cadc-tap: {}\n"),
            ("applications/tap/values-roe.yaml", "{}\n"),
            ("applications/mobu/Chart.yaml", &chart("mobu", "1.0.0")),
            ("charts/cadc-tap/Chart.yaml", &chart("cadc-tap", "1.0.0")),
            ("charts/cadc-tap/values.yaml", "image:\n  tag: 1.2.3\n"),
            ("README.md", "phalanx\n"),
        ]);
        phalanx.0.git(&["branch", "fork"]);
        Some(phalanx)
    }

    /// Commits on upstream (`main`).
    pub(crate) fn upstream(&self, message: &str, files: &[(&str, &str)]) -> String {
        self.0.git(&["checkout", "-q", "main"]);
        self.0.commit_saying(message, files)
    }

    pub(crate) fn fork(&self, message: &str, files: &[(&str, &str)]) -> String {
        self.0.git(&["checkout", "-q", "fork"]);
        self.0.commit_saying(message, files)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        self.0.git(&["show", &format!("main:{path}")]) + "\n"
    }

    pub(crate) fn try_report_of(&self, fork: &str, upstream: &str, environment: &str) -> Result<Report, DriftError> {
        self.report_with(None, fork, upstream, environment)
    }

    /// The report when something is known of the cluster.
    pub(crate) fn report_knowing(&self, facts: Facts) -> Report {
        self.report_with(Some(facts), "fork", "main", "roe").unwrap()
    }

    fn report_with(
        &self,
        facts: Option<Facts>,
        fork: &str,
        upstream: &str,
        environment: &str,
    ) -> Result<Report, DriftError> {
        let side =
            |reference: &str| Side { repository: self.0.path().display().to_string(), reference: reference.to_owned() };
        let request = Request {
            environment: environment.to_owned(),
            aliases: Vec::new(),
            former_names: Vec::new(),
            fork: side(fork),
            upstream: side(upstream),
            facts,
        };
        report(&Git::new(&self.0.process(), Events::default()), &request)
    }

    pub(crate) fn report(&self) -> Report {
        self.try_report_of("fork", "main", "roe").unwrap()
    }
}

/// The evidence of a signal; nothing when it does not hold.
pub(crate) fn evidence(report: &Report, id: &str) -> Vec<String> {
    let signals = report.signals.iter().filter(|signal| signal.id == id);
    signals.flat_map(|signal| &signal.evidence).map(|one| one.text.clone()).collect()
}
