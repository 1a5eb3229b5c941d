//! The servers and their command lines, as data.

use super::folder::Folder;
use super::keeper::{Prepare, Server};
use super::kubeconfig;
use super::ports::Ports;
use super::tools::Tools;

/// Services get addresses from here; the first is the API server's own, which its certificate names.
const SERVICES: &str = "10.0.0.0/16";
/// Pods get addresses from here; nothing answers there.
const PODS: &str = "10.64.0.1/16";

/// What all command lines are made from.
#[derive(Clone)]
pub(super) struct Servers {
    pub folder: Folder,
    pub ports: Ports,
    pub tools: Tools,
}

impl Servers {
    fn server(&self, name: &'static str, port: u16, arguments: Vec<String>) -> Server {
        Server {
            name,
            program: self.tools.path(name),
            arguments,
            environment: Vec::new(),
            port,
            prepare: None,
            orderly: false,
            essential: true,
        }
    }

    fn path(&self, relative: &str) -> String {
        self.folder.path(relative).display().to_string()
    }

    fn kubeconfig(&self, client: &str) -> String {
        format!("--kubeconfig={}", self.path(&kubeconfig::file(client)))
    }

    /// etcd speaks TLS with client certificates: whoever reads it reads every Secret.
    pub(super) fn etcd(&self) -> Server {
        let client = format!("https://127.0.0.1:{}", self.ports.etcd);
        let peer = format!("https://127.0.0.1:{}", self.ports.etcd_peer);
        let (ca, certificate, key) =
            (self.path("certificates/ca.crt"), self.path("certificates/server.crt"), self.path("certificates/server.key"));
        let arguments = vec![
            format!("--data-dir={}", self.path("data/etcd")),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--client-cert-auth".into(),
            format!("--trusted-ca-file={ca}"),
            format!("--cert-file={certificate}"),
            format!("--key-file={key}"),
            "--peer-client-cert-auth".into(),
            format!("--peer-trusted-ca-file={ca}"),
            format!("--peer-cert-file={certificate}"),
            format!("--peer-key-file={key}"),
            // The disk may lie for a second: only a power cut would show it, and the sandbox holds nothing dear.
            "--unsafe-no-fsync".into(),
            "--log-level=warn".into(),
        ];
        Server { orderly: true, ..self.server("etcd", self.ports.etcd, arguments) }
    }

    /// The API server. It calls no admission webhook: their pods do not run, and most refuse what they cannot see.
    pub(super) fn api_server(&self, prepare: Prepare) -> Server {
        let certificate = |name: &str| self.path(&format!("certificates/{name}"));
        let arguments = vec![
            format!("--etcd-servers=https://127.0.0.1:{}", self.ports.etcd),
            format!("--etcd-cafile={}", certificate("ca.crt")),
            format!("--etcd-certfile={}", certificate("etcd-client.crt")),
            format!("--etcd-keyfile={}", certificate("etcd-client.key")),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={}", self.ports.api_server),
            // A loopback address is refused here and a machine without a network has no other: nobody is told this one.
            "--advertise-address=198.18.255.254".into(),
            "--endpoint-reconciler-type=none".into(),
            format!("--tls-cert-file={}", certificate("server.crt")),
            format!("--tls-private-key-file={}", certificate("server.key")),
            format!("--client-ca-file={}", certificate("ca.crt")),
            format!("--service-account-key-file={}", certificate("service-accounts.pub")),
            format!("--service-account-signing-key-file={}", certificate("service-accounts.key")),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-cluster-ip-range={SERVICES}"),
            "--authorization-mode=RBAC".into(),
            "--allow-privileged=true".into(),
            "--disable-admission-plugins=MutatingAdmissionWebhook,ValidatingAdmissionWebhook".into(),
            format!("--audit-policy-file={}", self.path("audit/policy.yaml")),
            format!("--audit-log-path={}", self.path("audit/kubernetes.log")),
            "--audit-log-format=json".into(),
            // Written before the answer is sent, so that whoever counts after an answer counts all.
            "--audit-log-mode=blocking-strict".into(),
            "--audit-log-maxsize=200".into(),
            "--audit-log-maxbackup=1".into(),
            format!("--cert-dir={}", self.path("certificates")),
        ];
        Server { prepare: Some(prepare), ..self.server("kube-apiserver", self.ports.api_server, arguments) }
    }

    pub(super) fn controller_manager(&self) -> Server {
        let arguments = vec![
            self.kubeconfig("controller-manager"),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={}", self.ports.controller_manager),
            format!("--service-account-private-key-file={}", self.path("certificates/service-accounts.key")),
            format!("--root-ca-file={}", self.path("certificates/ca.crt")),
            format!("--cluster-signing-cert-file={}", self.path("certificates/ca.crt")),
            format!("--cluster-signing-key-file={}", self.path("certificates/ca.key")),
            "--use-service-account-credentials".into(),
            "--leader-elect=false".into(),
            format!("--cert-dir={}", self.path("certificates/controller-manager")),
        ];
        self.server("kube-controller-manager", self.ports.controller_manager, arguments)
    }

    pub(super) fn scheduler(&self) -> Server {
        let arguments = vec![
            self.kubeconfig("scheduler"),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={}", self.ports.scheduler),
            "--leader-elect=false".into(),
            format!("--cert-dir={}", self.path("certificates/scheduler")),
        ];
        self.server("kube-scheduler", self.ports.scheduler, arguments)
    }

    pub(super) fn kwok(&self) -> Server {
        let arguments = vec![
            self.kubeconfig("kwok"),
            "--manage-all-nodes=true".into(),
            format!("--config={}", self.tools.path("stages.yaml").display()),
            "--node-lease-duration-seconds=40".into(),
            format!("--cidr={PODS}"),
            format!("--server-address=127.0.0.1:{}", self.ports.kwok),
        ];
        self.server("kwok", self.ports.kwok, arguments)
    }

    pub(super) fn vault(&self, prepare: Prepare) -> Server {
        let arguments =
            vec!["-addr".into(), format!("127.0.0.1:{}", self.ports.vault), "-storage".into(), self.path("data/vault")];
        Server { prepare: Some(prepare), orderly: true, ..self.server("vault", self.ports.vault, arguments) }
    }

    /// Argo CD's cache: nothing in it is needed twice, so nothing is saved.
    pub(super) fn redis(&self) -> Server {
        let arguments = vec![
            "--bind".into(),
            "127.0.0.1".into(),
            "--port".into(),
            self.ports.redis.to_string(),
            "--save".into(),
            String::new(),
            "--appendonly".into(),
            "no".into(),
            "--dir".into(),
            self.path("data/redis"),
        ];
        self.server("redis-server", self.ports.redis, arguments)
    }

    /// Argo CD's repository server, with a home and a scratch folder inside the state folder.
    pub(super) fn repo_server(&self) -> Server {
        let arguments = vec![
            "--address=127.0.0.1".into(),
            format!("--port={}", self.ports.repo_server),
            "--metrics-address=127.0.0.1".into(),
            format!("--metrics-port={}", self.ports.repo_server_metrics),
            "--disable-tls".into(),
            format!("--redis=127.0.0.1:{}", self.ports.redis),
        ];
        let environment = vec![
            ("ARGOCD_GPG_ENABLED", "false".into()),
            ("ARGOCD_ASK_PASS_SOCK", self.path("data/argocd/ask-pass.sock")),
            ("PATH", self.tools.search_path(&["argocd-repo-server", "helm", "kustomize", "git"])),
        ];
        let server = self.server("argocd-repo-server", self.ports.repo_server, arguments);
        Server { environment, essential: false, ..server }
    }

    /// Argo CD's application controller for the Argo CD in this namespace.
    pub(super) fn application_controller(&self, namespace: &str) -> Server {
        let arguments = vec![
            self.kubeconfig("argocd"),
            format!("--namespace={namespace}"),
            format!("--metrics-port={}", self.ports.application_controller),
            format!("--redis=127.0.0.1:{}", self.ports.redis),
            format!("--repo-server=127.0.0.1:{}", self.ports.repo_server),
            "--repo-server-plaintext".into(),
        ];
        // What it believes to be its own cluster is found as kubectl finds one.
        let kubeconfig = self.path(&kubeconfig::file("argocd"));
        let environment = vec![("ARGOCD_FAKE_IN_CLUSTER", "true".into()), ("KUBECONFIG", kubeconfig)];
        let server = self.server("argocd-application-controller", self.ports.application_controller, arguments);
        Server { environment, essential: false, ..server }
    }
}
