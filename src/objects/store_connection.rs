//! Connects to an object store with the program's own HTTP client: no redirect is followed, and
//! nothing is repeated by anybody else.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum, S3ConditionalPut};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService,
};
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

/// Connects to the store of the bucket that `url` names.
///
/// # Errors
/// The settings do not describe one.
pub fn connect(
    settings: &ObjectStoreSettings,
    url: &Url,
) -> Result<Arc<dyn ObjectStore>, ObjectError> {
    let unusable = |why: String| ObjectError::Unusable { place: url.to_string(), why };
    let bucket = url.host_str().filter(|_| url.scheme() == "s3");
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
        // A bucket with Object Lock takes nothing without a checksum.
        .with_checksum_algorithm(Checksum::SHA256)
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
        let service = client.map(|client| DatedService(HttpClient::new(client)));
        service.map(HttpClient::new).map_err(|error| object_store::Error::Generic {
            store: "S3",
            source: error.to_string().into(),
        })
    }
}

/// The time at which a store answered, by its own clock.
#[derive(Debug, Clone, Copy)]
pub struct ServerDate(pub DateTime<Utc>);

/// Hands the `Date` of a response on to the caller.
#[derive(Debug)]
struct DatedService(HttpClient);

impl HttpService for DatedService {
    fn call<'a, 'f>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let mut response = self.0.execute(request).await?;
            let date = response.headers().get("date").and_then(|date| date.to_str().ok());
            if let Some(date) = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()) {
                response.extensions_mut().insert(ServerDate(date.to_utc()));
            }
            Ok(response)
        })
    }
}
