//! What to do about an object store that refuses, or cannot be reached.

use std::path::Path;

use pitstop::StoreProblem;

/// `place` is the URL of an object in it.
pub(super) fn of(problem: StoreProblem, place: &Path) -> String {
    use StoreProblem as P;
    let place = place.to_string_lossy();
    let [credentials, endpoint, prefix] = match place.split_once("://") {
        Some(("gs", _)) => ["GOOGLE_SERVICE_ACCOUNT", "GOOGLE_BASE_URL", "GOOGLE"],
        Some(("az", _)) => [
            "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
            "AZURE_STORAGE_ENDPOINT",
            "AZURE",
        ],
        _ => ["AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT", "AWS"],
    };
    match problem {
        P::NoCredentials if prefix == "AWS" => {
            format!("set {credentials}; the files in ~/.aws are not read")
        }
        P::NoCredentials => format!("set {credentials}"),
        P::WrongCredentials => format!(
            "check that {credentials} belong together, and to the store that {endpoint} names"
        ),
        P::ExpiredCredentials if prefix == "AWS" => {
            format!("get new credentials, and set {credentials} and AWS_SESSION_TOKEN")
        }
        P::ExpiredCredentials => format!("get new credentials, and set {credentials}"),
        P::NotAllowed => {
            "grant the rights to get and list objects; saving also needs to put and delete them"
                .to_owned()
        }
        P::NoBucket => {
            "create the bucket with the tools of its store, or name another with --repository"
                .to_owned()
        }
        P::WrongRegion => format!("set {prefix}_REGION to the region of the bucket"),
        P::WrongClock => "set the clock: a store accepts a difference of a few minutes".to_owned(),
        P::Overloaded => "try again later".to_owned(),
        P::NoAnswer => format!("try again, or set {prefix}_TIMEOUT to more than 30s"),
        P::UnknownHost | P::Unreachable => match proxy() {
            Some(proxy) => format!(
                "check {endpoint}, the network and the proxy that {proxy} names, and try again"
            ),
            None => format!("check {endpoint} and the network, and try again"),
        },
        P::NotAStore => format!(
            "check {endpoint}, including https:// or http://, and that no proxy or login page answers instead"
        ),
        P::NotSecure => format!(
            "check {endpoint}; this machine must trust the certificate, and SSL_CERT_FILE names more of them"
        ),
        P::HttpNotAllowed => {
            format!("set {prefix}_ALLOW_HTTP=true if the network is trusted")
        }
        _ => "nothing was changed; fix the cause and try again".to_owned(),
    }
}

/// The variable that sends requests through a proxy.
fn proxy() -> Option<&'static str> {
    let names =
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    names.into_iter().find(|name| std::env::var_os(name).is_some_and(|it| !it.is_empty()))
}
