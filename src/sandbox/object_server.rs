//! A server of objects on loopback: the parts of S3, Azure Blob Storage and Google Cloud Storage
//! that atlaudit uses, with faults on demand.
//!
//! It knows GET and PUT with `If-Match` and `If-None-Match`, or Google's generations, and checks
//! that a request is signed with a known key, but not the signature. Its ETag is a hash of the
//! content, so that the same bytes have the same one again, as in S3. As Google does, it refuses a
//! second write of one object within a second, to a client that asks with Google's token.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use super::connection::{ConnectionHandle, SeverableListener};

/// The one bucket there is.
pub const BUCKET: &str = "audit-lake";
/// The key that requests are signed with.
pub const ACCESS_KEY: &str = "AKIDSANDBOX";

/// The account of Azure, with a key that is any Base64: `http://127.0.0.1:PORT/ACCOUNT`.
pub const AZURE_ACCOUNT: &str = "sandbox";
/// The bearer token of Google.
pub const GOOGLE_TOKEN: &str = "sandbox-google-token";

/// Entries of an answer to a list.
const LIST_PAGE: usize = 5;

/// Bytes of an object at most.
const LARGEST_OBJECT: usize = 64 * 1024 * 1024;

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectFault {
    /// Nothing.
    Pass,
    /// This status with this code of S3; nothing is done.
    Refuse(u16, &'static str),
    /// The request is carried out, and answered with this status and code.
    DoneThen(u16, &'static str),
    /// The request is carried out, and the connection closed instead of an answer.
    DoneThenClose,
    /// The connection is closed; nothing is done.
    Close,
    /// The answer comes so much later.
    Slow(Duration),
    /// 307 to this location.
    Redirect(String),
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRequest {
    /// GET, PUT, ...
    pub method: String,
    /// The key in the bucket.
    pub key: String,
    /// The status that it was answered with; 0 where it was not answered.
    pub status: u16,
}

/// An object, and when it was written by the server's clock.
#[derive(Debug)]
struct ServedObject {
    content: Bytes,
    written: DateTime<Utc>,
    /// Google's version of it: another one for each write.
    generation: u64,
}

#[derive(Debug, Default)]
struct ObjectBucket {
    objects: HashMap<String, ServedObject>,
    /// The keys of objects that another content replaced.
    replaced: Vec<String>,
    /// How often anything was written.
    writes: u64,
    /// How far the server's clock is ahead of ours.
    ahead: TimeDelta,
    faults: VecDeque<ObjectFault>,
    requests: Vec<ObjectRequest>,
    ignores_conditions: bool,
    wants_checksums: bool,
    readable: Option<String>,
}

/// A running server. Dropping it does not stop it: it lives as long as its runtime.
#[derive(Debug, Clone)]
pub struct ObjectServer {
    shared: Arc<Mutex<ObjectBucket>>,
    url: String,
}

impl ObjectServer {
    /// Binds 127.0.0.1 and starts to serve an empty bucket on the current tokio runtime.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start() -> io::Result<ObjectServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let server = ObjectServer { shared: Arc::default(), url };
        let service = Router::new()
            .fallback(handle)
            .with_state(server.clone())
            .into_make_service_with_connect_info::<ConnectionHandle>();
        tokio::spawn(async move { axum::serve(SeverableListener(listener), service).await });
        Ok(server)
    }

    /// `http://127.0.0.1:PORT`, the endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets these things go wrong with the next requests, one each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = ObjectFault>) {
        self.lock().faults.extend(faults);
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Whether the server takes every condition for fulfilled, as some do.
    pub fn ignore_conditions(&self, ignores: bool) {
        self.lock().ignores_conditions = ignores;
    }

    /// The server refuses a PUT without a checksum, as a bucket with Object Lock does.
    pub fn want_checksums(&self) {
        self.lock().wants_checksums = true;
    }

    /// The key's policy allows reading and writing only below this prefix.
    pub fn allow_only(&self, prefix: &str) {
        self.lock().readable = Some(prefix.to_owned());
    }

    /// The object at a key.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.lock().objects.get(key).map(|object| object.content.to_vec())
    }

    /// The keys of objects that another content replaced.
    pub fn replaced(&self) -> Vec<String> {
        self.lock().replaced.clone()
    }

    /// Lets the server's clock go on by so much at once.
    pub fn advance_clock(&self, by: TimeDelta) {
        self.lock().ahead += by;
    }

    /// Puts an object, as somebody else would.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        self.lock().store(key, Bytes::copy_from_slice(bytes));
    }

    /// Removes an object, as a lifecycle rule would.
    pub fn remove(&self, key: &str) {
        self.lock().objects.remove(key);
    }

    /// The keys that there are, sorted.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.lock().objects.keys().cloned().collect();
        keys.sort();
        keys
    }

    /// The requests that came so far.
    pub fn requests(&self) -> Vec<ObjectRequest> {
        self.lock().requests.clone()
    }

    fn lock(&self) -> MutexGuard<'_, ObjectBucket> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn handle(
    State(server): State<ObjectServer>,
    ConnectInfo(line): ConnectInfo<ConnectionHandle>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let path = percent_decoded(parts.uri.path().trim_start_matches('/'));
    let path = path.strip_prefix(&format!("{AZURE_ACCOUNT}/")).unwrap_or(&path).to_owned();
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let is_list = query.contains_key("list-type");
    let body = to_bytes(body, LARGEST_OBJECT).await;
    let (fault, mut answer, now) = {
        let mut objects = server.lock();
        let now = objects.now();
        let fault = objects.faults.pop_front().unwrap_or(ObjectFault::Pass);
        let answer = match (&fault, body) {
            (ObjectFault::Close, _) => ObjectAnswer::error(0, ""),
            (ObjectFault::Refuse(status, code), _) => ObjectAnswer::error(*status, code),
            (ObjectFault::Redirect(to), _) => ObjectAnswer {
                location: Some(to.clone()),
                ..ObjectAnswer::error(307, "TemporaryRedirect")
            },
            (_, Err(_)) => ObjectAnswer::error(400, "IncompleteBody"),
            (_, Ok(_)) if is_list => objects.list(&parts.headers, bucket, &query),
            (_, Ok(body)) => objects.answer(&parts.method, &parts.headers, bucket, key, body),
        };
        let answer = match &fault {
            ObjectFault::DoneThen(status, code) => ObjectAnswer::error(*status, code),
            ObjectFault::DoneThenClose => ObjectAnswer::error(0, ""),
            _ => answer,
        };
        objects.requests.push(ObjectRequest {
            method: parts.method.to_string(),
            key: key.to_owned(),
            status: answer.status,
        });
        (fault, answer, now)
    };
    if let ObjectFault::Slow(pause) = fault {
        tokio::time::sleep(pause).await;
    }
    if answer.status == 0 {
        line.close();
        answer.status = 500;
    }
    answer.into_response(now)
}

/// Google's headers of versions.
const GENERATION: HeaderName = HeaderName::from_static("x-goog-generation");
const GENERATION_MATCH: HeaderName = HeaderName::from_static("x-goog-if-generation-match");
/// Google's pause between two writes of one object, a little shorter.
const WRITE_PAUSE: TimeDelta = TimeDelta::milliseconds(900);

/// The cloud whose client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CloudDialect {
    Amazon,
    Azure,
    Google,
}

impl CloudDialect {
    /// By the header `Authorization`; none where the key is not known.
    fn of(authorization: &str) -> Option<CloudDialect> {
        if authorization.contains(&format!("Credential={ACCESS_KEY}/")) {
            Some(CloudDialect::Amazon)
        } else if authorization.starts_with(&format!("SharedKey {AZURE_ACCOUNT}:")) {
            Some(CloudDialect::Azure)
        } else {
            (authorization == format!("Bearer {GOOGLE_TOKEN}")).then_some(CloudDialect::Google)
        }
    }
}

fn percent_decoded(path: &str) -> String {
    // The parser is one of forms, where these three have a meaning.
    let path = path.replace('+', "%2B").replace('=', "%3D").replace('&', "%26");
    let mut decoded = url::form_urlencoded::parse(path.as_bytes());
    decoded.next().map_or(String::new(), |(name, _)| name.into_owned())
}

struct ObjectAnswer {
    status: u16,
    etag: Option<String>,
    location: Option<String>,
    written: Option<DateTime<Utc>>,
    generation: Option<u64>,
    /// Which part of the content it has, where it is not all.
    range: Option<String>,
    body: Bytes,
}

impl ObjectAnswer {
    fn error(status: u16, code: &str) -> ObjectAnswer {
        let body = format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>");
        ObjectAnswer {
            status,
            etag: None,
            location: None,
            written: None,
            generation: None,
            range: None,
            body: body.into(),
        }
    }

    fn into_response(self, now: DateTime<Utc>) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::IM_A_TEAPOT);
        let http_date = |time: DateTime<Utc>| time.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let mut response = Response::builder().status(status).header(header::DATE, http_date(now));
        for (name, value) in [
            (header::ETAG, self.etag),
            (header::LOCATION, self.location),
            (header::CONTENT_RANGE, self.range),
            (header::LAST_MODIFIED, self.written.map(http_date)),
            (GENERATION, self.generation.map(|generation| generation.to_string())),
        ] {
            if let Some(value) = value {
                response = response.header(name, value);
            }
        }
        response.body(Body::from(self.body)).unwrap_or_default()
    }
}

impl ServedObject {
    /// The content, or the part that `range` names, such as `bytes=0-99`.
    fn answer(&self, range: &str) -> ObjectAnswer {
        let whole = ObjectAnswer {
            status: 200,
            etag: Some(etag(&self.content)),
            location: None,
            written: Some(self.written),
            generation: Some(self.generation),
            range: None,
            body: self.content.clone(),
        };
        let bounds = range.strip_prefix("bytes=").and_then(|range| range.split_once('-'));
        let bounds = bounds.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        let Some((from, to)) = bounds else {
            return whole;
        };
        let length = self.content.len();
        let to: usize = length.min(usize::saturating_add(to, 1));
        if from >= to {
            return ObjectAnswer::error(416, "InvalidRange");
        }
        ObjectAnswer {
            status: 206,
            range: Some(format!("bytes {from}-{}/{length}", to - 1)),
            body: self.content.slice(from..to),
            ..whole
        }
    }
}

impl ObjectBucket {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.ahead
    }

    fn store(&mut self, key: &str, content: Bytes) {
        self.writes += 1;
        let generation = self.writes;
        let object = ServedObject { content: content.clone(), written: self.now(), generation };
        match self.objects.insert(key.to_owned(), object) {
            Some(before) if before.content != content => self.replaced.push(key.to_owned()),
            _ => {}
        }
    }

    /// The objects of a folder and the folders in it, a few in each answer.
    fn list(
        &self,
        headers: &HeaderMap,
        bucket: &str,
        query: &HashMap<String, String>,
    ) -> ObjectAnswer {
        let value = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let (prefix, after) = (value("prefix"), value("continuation-token"));
        if CloudDialect::of(text_of(headers, header::AUTHORIZATION)).is_none() {
            return ObjectAnswer::error(403, "InvalidAccessKeyId");
        }
        if bucket != BUCKET {
            return ObjectAnswer::error(404, "NoSuchBucket");
        }
        if self.readable.as_ref().is_some_and(|allowed| !prefix.starts_with(allowed)) {
            return ObjectAnswer::error(403, "AccessDenied");
        }
        let mut entries = BTreeMap::new();
        for (key, object) in &self.objects {
            if let Some(rest) = key.strip_prefix(prefix) {
                let written = object.written.to_rfc3339();
                let (length, etag) = (object.content.len(), etag(&object.content));
                match rest.split_once('/') {
                    Some((folder, _)) => entries.insert(
                        format!("{prefix}{folder}/"),
                        format!(
                            "<CommonPrefixes><Prefix>{prefix}{folder}/</Prefix></CommonPrefixes>"
                        ),
                    ),
                    None => entries.insert(
                        key.clone(),
                        format!(
                            "<Contents><Key>{key}</Key><LastModified>{written}</LastModified>\
                             <ETag>{etag}</ETag><Size>{length}</Size></Contents>"
                        ),
                    ),
                };
            }
        }
        let mut page = entries.into_iter().filter(|(key, _)| key.as_str() > after);
        let shown: Vec<_> = page.by_ref().take(LIST_PAGE).collect();
        let next = match (page.next(), shown.last()) {
            (Some(_), Some((last, _))) => format!(
                "<IsTruncated>true</IsTruncated>\
                 <NextContinuationToken>{last}</NextContinuationToken>"
            ),
            _ => "<IsTruncated>false</IsTruncated>".to_owned(),
        };
        let shown: String = shown.into_iter().map(|(_, entry)| entry).collect();
        let body = format!("<ListBucketResult>{next}{shown}</ListBucketResult>").into();
        ObjectAnswer { body, ..ObjectAnswer::error(200, "") }
    }

    fn answer(
        &mut self,
        method: &Method,
        headers: &HeaderMap,
        bucket: &str,
        key: &str,
        body: Bytes,
    ) -> ObjectAnswer {
        let text = |name| text_of(headers, name);
        let Some(cloud) = CloudDialect::of(text(header::AUTHORIZATION)) else {
            return ObjectAnswer::error(403, "InvalidAccessKeyId");
        };
        if bucket != BUCKET {
            return ObjectAnswer::error(404, "NoSuchBucket");
        }
        if self.readable.as_ref().is_some_and(|prefix| !key.starts_with(prefix)) {
            return ObjectAnswer::error(403, "AccessDenied");
        }
        let found = self.objects.get(key);
        match *method {
            Method::GET => match found {
                Some(object) => object.answer(text(header::RANGE)),
                None => ObjectAnswer::error(404, "NoSuchKey"),
            },
            Method::PUT => self.put(cloud, headers, key, body),
            _ => ObjectAnswer::error(405, "MethodNotAllowed"),
        }
    }

    fn put(
        &mut self,
        cloud: CloudDialect,
        headers: &HeaderMap,
        key: &str,
        body: Bytes,
    ) -> ObjectAnswer {
        let found = self.objects.get(key);
        let text = |name| text_of(headers, name);
        let (wanted, forbidden) = (text(header::IF_MATCH), text(header::IF_NONE_MATCH));
        let generation = text(GENERATION_MATCH);
        if cloud == CloudDialect::Google
            && found.is_some_and(|found| self.now() - found.written < WRITE_PAUSE)
        {
            return ObjectAnswer::error(429, "SlowDown");
        }
        let is_met = match found {
            Some(found) if cloud == CloudDialect::Google => {
                generation.is_empty() || generation == found.generation.to_string()
            }
            Some(found) => {
                forbidden != "*" && (wanted.is_empty() || wanted == etag(&found.content))
            }
            None if wanted.is_empty() => true,
            None => return ObjectAnswer::error(404, "NoSuchKey"),
        };
        if self.wants_checksums
            && cloud == CloudDialect::Amazon
            && !headers.contains_key("x-amz-checksum-sha256")
        {
            return ObjectAnswer::error(400, "InvalidRequest");
        }
        if !is_met && !self.ignores_conditions {
            return match cloud {
                CloudDialect::Azure if forbidden == "*" => {
                    ObjectAnswer::error(409, "BlobAlreadyExists")
                }
                _ => ObjectAnswer::error(412, "PreconditionFailed"),
            };
        }
        let etag = etag(&body);
        self.store(key, body);
        let generation = Some(self.writes);
        let status = if cloud == CloudDialect::Azure { 201 } else { 200 };
        let written = Some(self.now());
        ObjectAnswer { etag: Some(etag), generation, written, ..ObjectAnswer::error(status, "") }
    }
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn etag(body: &[u8]) -> String {
    let hash = Sha256::digest(body);
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}
