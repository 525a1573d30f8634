//! Connects to an object store with the program's own HTTP client: no redirect is followed, and
//! nothing is repeated by anybody else.

use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use http_body_util::BodyExt as _;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, Checksum, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use super::object_error::ObjectError;
use crate::config::settings::{ConnectionSettings, ObjectStoreSettings};
use crate::http::client::ClientPool;
use crate::model::address::is_loopback;

/// A variable of the environment that names an endpoint instead of the cloud's own.
fn endpoint<'s>(settings: &'s ObjectStoreSettings, names: &[&str]) -> Option<&'s str> {
    let find = |wanted: &&str| settings.variables.iter().find(|(name, _)| name == wanted);
    names.iter().find_map(find).map(|(_, value)| value.as_str())
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
    let bucket = url.host_str().filter(|bucket| !bucket.is_empty());
    let bucket = bucket.ok_or_else(|| unusable("it names no bucket".to_owned()))?;
    let endpoint = match url.scheme() {
        "s3" => endpoint(settings, &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]),
        "az" => endpoint(settings, &["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]),
        "gs" => endpoint(settings, &["GOOGLE_BASE_URL"]),
        _ => return Err(unusable("it is neither `s3://`, `az://` nor `gs://`".to_owned())),
    };
    let base = endpoint.map(Url::parse).transpose().map_err(|error| unusable(error.to_string()))?;
    // Signatures keep a key secret also without TLS, but not the events.
    if base.as_ref().is_some_and(|base| base.scheme() != "https" && !is_loopback(base)) {
        let what = "its endpoint is not `https`, and is not on this machine";
        return Err(unusable(what.to_owned()));
    }
    let connector = OwnConnector { connection: settings.connection.clone(), base };
    let store = match url.scheme() {
        "az" => azure(settings, bucket, connector),
        "gs" => google(settings, bucket, connector),
        _ => amazon(settings, bucket, endpoint, connector),
    };
    store.map_err(|error| unusable(error.to_string()))
}

/// No call is repeated by anybody else than us.
fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// The variables that the builder of a cloud knows, by its own names of them.
fn known_variables<K: FromStr>(settings: &ObjectStoreSettings) -> impl Iterator<Item = (K, &str)> {
    let variables = settings.variables.iter();
    variables.filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, &**value)))
}

fn amazon(
    settings: &ObjectStoreSettings,
    bucket: &str,
    endpoint: Option<&str>,
    connector: OwnConnector,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut builder = AmazonS3Builder::new().with_region("us-east-1");
    for (key, value) in known_variables::<AmazonS3ConfigKey>(settings) {
        builder = builder.with_config(key, value);
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(true);
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // A bucket with Object Lock takes nothing without a checksum.
        .with_checksum_algorithm(Checksum::SHA256)
        .with_retry(no_retries())
        .with_http_connector(connector)
        .build()?;
    Ok(Arc::new(store))
}

fn azure(
    settings: &ObjectStoreSettings,
    container: &str,
    connector: OwnConnector,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut builder = MicrosoftAzureBuilder::new();
    for (key, value) in known_variables::<AzureConfigKey>(settings) {
        builder = builder.with_config(key, value);
    }
    let store = builder
        // Its address would not be one that was checked: it is said by AZURE_STORAGE_ENDPOINT.
        .with_use_emulator(false)
        .with_container_name(container)
        .with_allow_http(true)
        .with_retry(no_retries())
        .with_http_connector(connector)
        .build()?;
    Ok(Arc::new(store))
}

fn google(
    settings: &ObjectStoreSettings,
    bucket: &str,
    connector: OwnConnector,
) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut builder = GoogleCloudStorageBuilder::new();
    for (key, value) in known_variables::<GoogleConfigKey>(settings) {
        builder = builder.with_config(key, value);
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_retry(no_retries())
        .with_http_connector(connector)
        .build()?;
    Ok(Arc::new(store))
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
        client.map(|client| HttpClient::new(StoreService(client))).map_err(|error| {
            object_store::Error::Generic { store: "S3", source: error.to_string().into() }
        })
    }
}

/// The time at which a store answered, by its own clock.
#[derive(Debug, Clone, Copy)]
pub struct ServerDate(pub DateTime<Utc>);

/// Sends the requests of the library, and hands the `Date` of a response on to the caller.
#[derive(Debug)]
struct StoreService(reqwest::Client);

impl HttpService for StoreService {
    fn call<'a, 'f>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let url = Url::parse(&parts.uri.to_string());
            let url = url.map_err(|error| HttpError::new(HttpErrorKind::Request, error))?;
            let mut request = reqwest::Request::new(parts.method, url);
            *request.headers_mut() = parts.headers;
            *request.body_mut() = Some(body.collect().await?.to_bytes().into());
            let answer = self.0.execute(request).await.map_err(failed)?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = reqwest::Body::from(answer).map_err(failed);
            let mut response = HttpResponse::new(HttpResponseBody::new(body));
            let date = headers.get("date").and_then(|date| date.to_str().ok());
            if let Some(date) = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()) {
                response.extensions_mut().insert(ServerDate(date.to_utc()));
            }
            (*response.status_mut(), *response.headers_mut()) = (status, headers);
            Ok(response)
        })
    }
}

/// The library repeats nothing, so the kind does not matter to it.
fn failed(error: reqwest::Error) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error.without_url())
}
