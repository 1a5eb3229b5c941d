//! Stands in for cert-manager's controller: issuers become ready, Certificates get their TLS Secret.
//!
//! Simpler: every certificate is signed by the sandbox's own authority, whatever the issuer says; nothing is asked of
//! an ACME server; Ingress annotations make no Certificates; certificates are not renewed.

use super::{Context, StandInError, again, drive, served};
use crate::sandbox::cluster::MANAGER;
use jiff::{Timestamp, ToSpan as _};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::runtime::Controller;
use kube::runtime::controller::Action;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use rcgen::{CertificateParams, DnType};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// cert-manager's own note on a Secret of the names that its certificate is for.
const NAMES: &str = "cert-manager.io/alt-names";
const LIFETIME_DAYS: i64 = 90;

/// Makes issuers of a kind ready.
pub(super) async fn issuers(context: Arc<Context>, kind: &'static str) {
    served(&context.client, &format!("{}s.cert-manager.io", kind.to_lowercase())).await;
    let issuers: Api<DynamicObject> = Api::all_with(context.client.clone(), &resource(kind));
    let controller = Controller::new_with(issuers, watcher::Config::default(), resource(kind));
    drive(controller.run(register, again, context)).await;
}

/// Gives Certificates their Secrets.
pub(super) async fn certificates(context: Arc<Context>) {
    served(&context.client, "certificates.cert-manager.io").await;
    let certificates: Api<DynamicObject> = Api::all_with(context.client.clone(), &resource("Certificate"));
    let secrets: Api<Secret> = Api::all(context.client.clone());
    let of_type_tls = watcher::Config::default().fields("type=kubernetes.io/tls");
    let controller = Controller::new_with(certificates, watcher::Config::default(), resource("Certificate")).owns_with(
        secrets,
        (),
        of_type_tls,
    );
    drive(controller.run(issue, again, context)).await;
}

fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("cert-manager.io", "v1", kind))
}

async fn register(issuer: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, StandInError> {
    let kind = issuer.types.as_ref().map_or("ClusterIssuer", |types| types.kind.as_str()).to_owned();
    set_ready(&issuer, &kind, &context, true, "ACMEAccountRegistered", json!({})).await
}

async fn issue(certificate: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, StandInError> {
    let (spec, namespace) = (&certificate.data["spec"], certificate.namespace().unwrap_or_default());
    if !issuer_exists(spec, &namespace, &context).await? {
        set_ready(&certificate, "Certificate", &context, false, "IssuerNotFound", json!({})).await?;
        return Ok(Action::requeue(Duration::from_secs(2)));
    }
    let names = names_of(spec);
    let secret_name = spec["secretName"].as_str().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(context.client.clone(), &namespace);
    let held = secrets.get_opt(secret_name).await?;
    let fits = held.is_some_and(|secret| secret.annotations().get(NAMES) == Some(&names.join(",")));
    if !fits {
        let secret = secret_for(&certificate, &names, &context)?;
        let parameters = PatchParams::apply(MANAGER).force();
        secrets.patch(secret_name, &parameters, &Patch::Apply(&secret)).await?;
    }
    set_ready(&certificate, "Certificate", &context, true, "Ready", json!({"revision": 1})).await
}

async fn issuer_exists(spec: &Value, namespace: &str, context: &Context) -> Result<bool, StandInError> {
    let reference = &spec["issuerRef"];
    let kind = reference["kind"].as_str().unwrap_or("Issuer");
    let issuers: Api<DynamicObject> = match kind {
        "ClusterIssuer" => Api::all_with(context.client.clone(), &resource(kind)),
        _ => Api::namespaced_with(context.client.clone(), namespace, &resource(kind)),
    };
    Ok(issuers.get_opt(reference["name"].as_str().unwrap_or_default()).await?.is_some())
}

fn names_of(spec: &Value) -> Vec<String> {
    let listed = spec["dnsNames"].as_array().cloned().unwrap_or_default();
    let mut names: Vec<String> = listed.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
    if let Some(common) = spec["commonName"].as_str()
        && !names.iter().any(|name| name == common)
    {
        names.insert(0, common.to_owned());
    }
    names
}

fn secret_for(certificate: &DynamicObject, names: &[String], context: &Context) -> Result<Value, StandInError> {
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, names.first().map_or("sandbox", String::as_str));
    let (pem, key) = context.authority.issue(params, &certificate.name_any())?;
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": certificate.data["spec"]["secretName"],
            "namespace": certificate.namespace(),
            "annotations": {NAMES: names.join(","), "cert-manager.io/certificate-name": certificate.name_any()},
        },
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": pem, "tls.key": key},
    }))
}

/// Sets the condition `Ready`, unless it is as it should be.
async fn set_ready(
    object: &DynamicObject,
    kind: &str,
    context: &Context,
    ready: bool,
    reason: &str,
    beside: Value,
) -> Result<Action, StandInError> {
    let status = if ready { "True" } else { "False" };
    let now = &object.data["status"]["conditions"][0];
    let generation = json!(object.metadata.generation);
    if now["status"] == status && now["reason"] == reason && now["observedGeneration"] == generation {
        return Ok(Action::await_change());
    }
    let mut wanted = beside;
    wanted["conditions"] = json!([{
        "type": "Ready", "status": status, "reason": reason, "message": "the sandbox's stand-in for cert-manager",
        "lastTransitionTime": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "observedGeneration": generation,
    }]);
    if ready && kind == "Certificate" {
        let end = Timestamp::now().checked_add((24 * LIFETIME_DAYS).hours()).unwrap_or(Timestamp::MAX);
        wanted["notAfter"] = json!(end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    }
    let (client, name) = (context.client.clone(), object.name_any());
    let api: Api<DynamicObject> = match object.namespace() {
        Some(namespace) => Api::namespaced_with(client, &namespace, &resource(kind)),
        None => Api::all_with(client, &resource(kind)),
    };
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&json!({"status": wanted}))).await?;
    Ok(Action::await_change())
}
