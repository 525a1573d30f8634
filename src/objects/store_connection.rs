//! Connects to an object store with the program's own HTTP client: no redirect is followed, and
//! nothing is repeated by anybody else.

use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::client::{HttpClient, HttpConnector};
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use super::object_error::ObjectError;
use crate::config::settings::{ConnectionSettings, ObjectStoreSettings};
use crate::http::client::ClientPool;
use crate::model::address::is_loopback;

/// The endpoint that is named instead of Amazon's.
fn endpoint(settings: &ObjectStoreSettings) -> Option<&str> {
    let find = |wanted: &str| settings.variables.iter().find(|(name, _)| name == wanted);
    let found = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    found.into_iter().find_map(find).map(|(_, value)| value.as_str())
}

/// Connects to a store.
///
/// # Errors
/// The settings do not describe one.
pub fn connect(settings: &ObjectStoreSettings) -> Result<Arc<dyn ObjectStore>, ObjectError> {
    let unusable = |why: String| ObjectError::Unusable { place: settings.url.to_string(), why };
    let bucket = settings.url.host_str().filter(|_| settings.url.scheme() == "s3");
    let bucket = bucket.ok_or_else(|| unusable("it is not `s3://BUCKET/PREFIX`".to_owned()))?;
    let mut builder = AmazonS3Builder::new().with_region("us-east-1");
    for (name, value) in &settings.variables {
        // Others are of no use here.
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    let mut base = None;
    if let Some(endpoint) = endpoint(settings) {
        let url = Url::parse(endpoint).map_err(|error| unusable(error.to_string()))?;
        // Signatures keep a key secret also without TLS, but not the events.
        if url.scheme() != "https" && !is_loopback(&url) {
            let what = "its endpoint is not `https`, and is not on this machine";
            return Err(unusable(what.to_owned()));
        }
        builder = builder.with_endpoint(endpoint).with_allow_http(true);
        base = Some(url);
    }
    let connector = OwnConnector { connection: settings.connection.clone(), base };
    let store = builder
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(connector)
        .build();
    Ok(Arc::new(store.map_err(|error| unusable(error.to_string()))?))
}

/// Makes the HTTP client.
#[derive(Debug)]
struct OwnConnector {
    connection: ConnectionSettings,
    base: Option<Url>,
}

impl HttpConnector for OwnConnector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ClientPool::plain_client(&self.connection, self.base.as_ref());
        client.map(HttpClient::new).map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: error.to_string().into(),
        })
    }
}
