//! The URL of a repository, and the store that it leads to.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jiff::SignedDuration;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};

use super::client::{Connect, RetryBudget, Store};
use crate::error::{Error, LocationProblem, Result};

/// The store that a URL leads to. Nothing is asked of it yet.
pub(crate) fn open(url: &str) -> Result<Store> {
    let invalid = |problem| Error::InvalidLocation { location: without_credentials(url), problem };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| invalid(LocationProblem::NotAUrl))?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.contains('@') {
        return Err(invalid(LocationProblem::Credentials));
    }
    if rest.contains(['?', '#']) {
        return Err(invalid(LocationProblem::Query));
    }
    let prefix = prefix.trim_matches('/');
    if Path::parse(prefix).is_err() {
        return Err(invalid(LocationProblem::Prefix));
    }
    let location = PathBuf::from(match prefix {
        "" => format!("{scheme}://{bucket}"),
        prefix => format!("{scheme}://{bucket}/{prefix}"),
    });
    let connect: fn(&str) -> Connected = match scheme {
        "memory" => |name| Ok((memory(name), RetryBudget::default())),
        _ if bucket.is_empty() => return Err(invalid(LocationProblem::NoBucket)),
        "s3" => s3,
        "gs" => gcs,
        "az" => azure,
        _ => return Err(invalid(LocationProblem::Scheme)),
    };
    let (bucket, place) = (bucket.to_owned(), location.clone());
    let connect = move || {
        let location = place.clone();
        connect(&bucket).map_err(|problem| Error::InvalidLocation { location, problem })
    };
    Store::new(location, prefix.to_owned(), Arc::new(connect) as Arc<Connect>)
}

/// The URL as it may be shown.
fn without_credentials(url: &str) -> PathBuf {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let shown = match (url.split_once("://"), url[..end].rfind('@')) {
        (Some((scheme, _)), Some(at)) => format!("{scheme}://...{}", &url[at..end]),
        _ => url[..end].to_owned(),
    };
    shown.into()
}

/// All that is called by one name in this process is one store.
fn memory(name: &str) -> Arc<dyn ObjectStore> {
    static STORES: LazyLock<Mutex<HashMap<String, Arc<InMemory>>>> = LazyLock::new(Mutex::default);
    let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
    stores.entry(name.to_owned()).or_default().clone()
}

type Connected = std::result::Result<(Arc<dyn ObjectStore>, RetryBudget), LocationProblem>;

// What the builders say of a failure may repeat the configuration, and so a secret.
const INCOMPLETE: LocationProblem = LocationProblem::Environment;

fn s3(bucket: &str) -> Connected {
    use_ring();
    let builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(no_retries());
    check_endpoint(builder.get_config_value(&AmazonS3ConfigKey::Endpoint))?;
    check_endpoint(builder.get_config_value(&AmazonS3ConfigKey::S3Endpoint))?;
    let budget = budget(|key| builder.get_config_value(&AmazonS3ConfigKey::Client(key)));
    Ok((Arc::new(builder.build().map_err(|_| INCOMPLETE)?), budget))
}

fn gcs(bucket: &str) -> Connected {
    use_ring();
    let builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket);
    let builder = builder.with_retry(no_retries());
    check_endpoint(builder.get_config_value(&GoogleConfigKey::BaseUrl))?;
    let budget = budget(|key| builder.get_config_value(&GoogleConfigKey::Client(key)));
    Ok((Arc::new(builder.build().map_err(|_| INCOMPLETE)?), budget))
}

fn azure(container: &str) -> Connected {
    use_ring();
    let builder = MicrosoftAzureBuilder::from_env().with_container_name(container);
    let builder = builder.with_retry(no_retries());
    check_endpoint(builder.get_config_value(&AzureConfigKey::Endpoint))?;
    let budget = budget(|key| builder.get_config_value(&AzureConfigKey::Client(key)));
    Ok((Arc::new(builder.build().map_err(|_| INCOMPLETE)?), budget))
}

/// What stands before the host would be traced with every connection.
fn check_endpoint(endpoint: Option<String>) -> std::result::Result<(), LocationProblem> {
    let endpoint = endpoint.unwrap_or_default();
    let (_, host) = endpoint.split_once("://").unwrap_or(("", &endpoint));
    match host.split(['/', '?', '#']).next().unwrap_or_default().contains('@') {
        true => Err(LocationProblem::EndpointCredentials),
        false => Ok(()),
    }
}

/// What may be tried again is, for as long as a single request may take: 30 seconds, and 5 to be connected, unless
/// the environment says otherwise.
fn budget(configured: impl Fn(ClientConfigKey) -> Option<String>) -> RetryBudget {
    let duration = |key, default| {
        let duration = configured(key).and_then(|it| it.parse::<SignedDuration>().ok());
        duration.and_then(|it| it.try_into().ok()).unwrap_or(default)
    };
    let RetryBudget { retry, connect } = RetryBudget::default();
    RetryBudget {
        retry: duration(ClientConfigKey::Timeout, retry),
        connect: duration(ClientConfigKey::ConnectTimeout, connect),
    }
}

/// A request that is sent again by itself can meet what it did before, and call that a conflict.
fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// The cryptography for TLS, unless the program has chosen one.
fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_what_the_environment_says() {
        let said = |timeout: Option<&str>, connect: Option<&str>| {
            let budget = budget(|key| match key {
                ClientConfigKey::Timeout => timeout.map(str::to_owned),
                _ => connect.map(str::to_owned),
            });
            (budget.retry.as_millis(), budget.connect.as_millis())
        };
        assert_eq!(said(None, None), (30_000, 5_000));
        assert_eq!(said(Some("1m 30s"), Some("300ms")), (90_000, 300));
        assert_eq!(said(Some("300s"), Some("2 seconds")), (300_000, 2_000));
        assert_eq!(said(Some("soon"), Some("-1s")), (30_000, 5_000));
    }

    #[test]
    fn a_url_is_taken_or_refused_with_the_reason_and_without_its_secrets() {
        for (url, location) in [
            ("memory://", "memory://"),
            ("memory://one/a/b/", "memory://one/a/b"),
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/some/prefix", "s3://bucket/some/prefix"),
        ] {
            assert_eq!(open(url).unwrap().location(), PathBuf::from(location));
        }
        for (url, problem) in [
            ("s3://", "no bucket"),
            ("s3://KEY:SECRET@bucket/p", "credentials"),
            ("s3://bucket/p?sig=SECRET", "'?'"),
            ("s3://bucket/a//b", "characters"),
            ("ftp://host/p", "only s3://"),
        ] {
            let error = open(url).unwrap_err();
            assert!(error.to_string().contains(problem), "{error}");
            assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
        }
    }
}
