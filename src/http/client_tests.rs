//! Tests of the client against real sockets on loopback.

use std::io::Write;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::http::message::Endpoint;

/// A server that reads one request head, lets `answer` play its part and hands the head back.
async fn serve<F, Fut>(answer: F) -> (Url, JoinHandle<String>)
where
    F: FnOnce(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x?cursor=c", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.unwrap() == 1 {
            head.push(byte[0]);
        }
        answer(stream).await;
        String::from_utf8(head).unwrap()
    });
    (url.parse().unwrap(), task)
}

async fn serve_bytes(bytes: impl Into<Vec<u8>>) -> (Url, JoinHandle<String>) {
    let bytes = bytes.into();
    serve(|mut stream| async move {
        // The client may hang up on a body that is too large.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
    })
    .await
}

/// Soon where a test waits for it.
const SOON: Duration = Duration::from_millis(200);

/// Long enough for a busy machine.
const LONG_TIMEOUT: Duration = Duration::from_secs(20);

fn connection(timeout: Duration) -> ConnectionSettings {
    ConnectionSettings {
        requests_per_minute: None,
        timeout,
        retry_for: Duration::ZERO,
        max_wait: Duration::ZERO,
        ca_file: None,
        proxy: None,
    }
}

fn client(url: &Url) -> HttpClient {
    patient_client(url, LONG_TIMEOUT)
}

fn patient_client(url: &Url, timeout: Duration) -> HttpClient {
    let key = HttpCredential::Bearer(SecretString::from("hunter2"));
    let mut pool = ClientPool::default();
    pool.connect(&connection(timeout), url, Some(&key)).unwrap()
}

async fn get(client: &HttpClient, url: &Url) -> Result<Response, TransportError> {
    let request = Request::get(Endpoint::EventsStream, url.clone());
    client.send(&request).await
}

async fn failure(url: &Url) -> (TransportErrorKind, String) {
    failure_of(&client(url), url).await
}

/// The failure of a client that waits for 200 ms.
async fn failure_soon(url: &Url) -> (TransportErrorKind, String) {
    failure_of(&patient_client(url, SOON), url).await
}

async fn failure_of(client: &HttpClient, url: &Url) -> (TransportErrorKind, String) {
    let error = get(client, url).await.unwrap_err();
    (error.kind(), error.to_string())
}

/// Whatever calls it: only the client of `respond` changes anything.
#[cfg(feature = "respond")]
#[tokio::test]
async fn a_change_is_sent_only_by_a_client_that_may_write() {
    use crate::http::message::AccountWrite;

    let (url, received) = serve_bytes("HTTP/1.1 204 No Content\r\n\r\n").await;
    let place = url.join("/users/a/manage/lifecycle/enable").unwrap();
    let request = Request::write(Endpoint::OrgAdmin, place, AccountWrite::Enable, None);
    let reader = client(&url);
    let refused = reader.send(&request).await.unwrap_err();
    assert_eq!(refused.kind(), TransportErrorKind::Invalid);
    assert_eq!(reader.with_writes().send(&request).await.unwrap().status, 204);
    // It was the first that came.
    assert!(received.await.unwrap().starts_with("POST "), "{request:?}");
}

#[tokio::test]
async fn a_request_says_who_we_are_and_a_whole_answer_comes_back() {
    let answer = "HTTP/1.1 429 Too Many\r\nX-RateLimit-Reset: 2026-11-20T09:31Z\r\nX-Odd: \u{e9}\r\ncontent-length: 2\r\n\r\n{}";
    let (url, head) = serve_bytes(answer).await;
    let response = get(&client(&url), &url).await.unwrap();
    assert_eq!(response.status, 429);
    assert_eq!(response.header("x-ratelimit-reset"), Some("2026-11-20T09:31Z"));
    assert_eq!(response.header("x-odd"), None);
    assert_eq!(&response.body[..], b"{}");
    let head = head.await.unwrap().to_ascii_lowercase();
    assert!(head.starts_with("get /x?cursor=c http/1.1\r\n"), "{head}");
    let version = env!("CARGO_PKG_VERSION");
    for line in [
        &format!("user-agent: atlaudit/{version}"),
        "accept: application/json",
        "accept-encoding: gzip",
        "authorization: bearer hunter2",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} not in {head}");
    }
}

#[tokio::test]
async fn basic_is_encoded_and_no_debug_shows_a_credential() {
    let basic = HttpCredential::Basic {
        user: "ada@example.com".to_owned(),
        password: SecretString::from("hunter2"),
    };
    let url = "http://127.0.0.1:1/".parse().unwrap();
    let mut pool = ClientPool::default();
    let client = pool.connect(&connection(LONG_TIMEOUT), &url, Some(&basic)).unwrap();
    let header = client.headers.get(AUTHORIZATION).unwrap();
    assert!(header.is_sensitive());
    assert_eq!(header, "Basic YWRhQGV4YW1wbGUuY29tOmh1bnRlcjI=");
    let shown = format!("{basic:?} {client:?} {:?}", client.headers);
    assert!(!shown.contains("hunter2") && !shown.contains("YWRh"), "{shown}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (url, _head) = serve_bytes(
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/login\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    let response = get(&client(&url), &url).await.unwrap();
    assert_eq!(response.status, 302);
}

#[tokio::test]
async fn a_body_past_the_limit_is_refused_also_when_it_is_compressed() {
    let plain = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(100_001));
    let (url, _head) = serve_bytes(plain).await;
    let small = client(&url).with_body_limit(100_000);
    let error = get(&small, &url).await.unwrap_err();
    assert_eq!(error.kind(), TransportErrorKind::TooLarge);

    let (url, _head) = serve_bytes(gzip_answer(&vec![b' '; 8 << 20])).await;
    let small = client(&url).with_body_limit(100_000);
    let error = get(&small, &url).await.unwrap_err();
    assert_eq!(error.to_string(), "body too large: more than 100000 bytes");

    let (url, _head) = serve_bytes(gzip_answer(&[b' '; 100_000])).await;
    let small = client(&url).with_body_limit(100_000);
    assert_eq!(get(&small, &url).await.unwrap().body.len(), 100_000);
}

fn gzip_answer(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    let body = encoder.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body].concat()
}

#[tokio::test]
async fn a_silent_server_is_abandoned_after_the_read_timeout() {
    let (url, _head) = serve(|stream| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(stream);
    })
    .await;
    let start = Instant::now();
    let (kind, text) = failure_soon(&url).await;
    assert_eq!(kind, TransportErrorKind::ReadTimeout, "{text}");
    assert_eq!(text, "timed out while reading");
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn silence_in_the_middle_of_a_body_is_a_timeout_too() {
    let (url, _head) = serve(|mut stream| async move {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{";
        stream.write_all(head).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
    })
    .await;
    assert_eq!(failure_soon(&url).await.0, TransportErrorKind::ReadTimeout);
}

#[tokio::test]
async fn a_slow_body_passes_while_each_read_is_in_time() {
    let (url, _head) = serve(|mut stream| async move {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        stream.write_all(head).await.unwrap();
        for byte in b"12345" {
            tokio::time::sleep(Duration::from_millis(80)).await;
            stream.write_all(&[*byte]).await.unwrap();
        }
    })
    .await;
    assert_eq!(&get(&client(&url), &url).await.unwrap().body[..], b"12345");
}

#[tokio::test]
async fn a_connection_that_ends_early_is_never_a_whole_answer() {
    let cut = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[1,2", TransportErrorKind::BodyLost),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n[1,2\r\n",
            TransportErrorKind::BodyLost,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-len", TransportErrorKind::ConnectionLost),
        ("", TransportErrorKind::ConnectionLost),
        ("SSH-2.0-OpenSSH_9.9\r\n", TransportErrorKind::ConnectionLost),
    ];
    for (bytes, want) in cut {
        let (url, _head) = serve_bytes(bytes).await;
        let (kind, text) = failure(&url).await;
        assert_eq!(kind, want, "{bytes:?}: {text}");
        assert!(!text.contains("cursor") && !text.contains("for url"), "{text}");
    }
    let (url, _head) = serve(|mut stream| async move {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[1,2";
        stream.write_all(head).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Closing at once, with no time to linger, resets the connection.
        stream.set_zero_linger().unwrap();
    })
    .await;
    let (kind, text) = failure(&url).await;
    assert_eq!(kind, TransportErrorKind::BodyLost, "{text}");
}

#[tokio::test]
async fn damaged_compression_is_no_answer() {
    let mut cut = gzip_answer(&[b'x'; 5000]);
    let len = cut.len();
    cut[len - 6] ^= 0xff;
    let (url, _head) = serve_bytes(cut).await;
    let (kind, text) = failure(&url).await;
    assert_eq!(kind, TransportErrorKind::Garbled, "{text}");
}

#[tokio::test]
async fn a_refused_connection_says_so_in_one_readable_line() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let (kind, text) = failure(&url).await;
    assert_eq!(kind, TransportErrorKind::Connect);
    assert_eq!(text, "cannot connect: Connection refused (os error 111)");
}

#[tokio::test]
async fn no_tls_is_distinguished_from_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("https://localhost:{port}/").parse().unwrap();
    let _server = tokio::spawn(async move {
        // Plain words, whatever the client says first.
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n").await;
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    let (kind, text) = failure(&url).await;
    assert_eq!(kind, TransportErrorKind::Tls, "{text}");
    assert!(text.starts_with("no secure connection: "), "{text}");
}

#[tokio::test]
async fn a_credential_leaves_neither_its_host_nor_encryption() {
    let base: Url = "https://api.example/admin".parse().unwrap();
    let client = client(&base);
    for other in ["https://api.example.evil/", "https://api.example:444/", "http://api.example/"] {
        let error = get(&client, &other.parse().unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Invalid, "{other}");
    }
    let plain: Url = "http://192.0.2.1/".parse().unwrap();
    assert_eq!(failure(&plain).await.0, TransportErrorKind::Invalid);
    for (text, want) in [
        ("http://127.8.9.1/", true),
        ("http://[::1]:80/", true),
        ("http://LOCALHOST/", true),
        ("http://localhost.evil.example/", false),
        ("http://0.0.0.0/", false),
    ] {
        assert_eq!(is_loopback(&text.parse().unwrap()), want, "{text}");
    }
}

#[tokio::test]
async fn this_machine_is_never_reached_through_a_proxy() {
    let (url, head) = serve_bytes("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
    let mut connection = connection(LONG_TIMEOUT);
    // Nobody listens there: going through it would fail.
    let proxy = "http://user:hunter2@127.0.0.1:1/".parse().unwrap();
    connection.proxy = Some(SafeUrl::new(proxy));
    let client = ClientPool::default().connect(&connection, &url, None).unwrap();
    assert_eq!(get(&client, &url).await.unwrap().status, 200);
    assert!(!head.await.unwrap().contains("authorization"));
}

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

#[test]
fn equal_settings_share_a_client() {
    let mut pool = ClientPool::default();
    let mut other = connection(LONG_TIMEOUT);
    other.timeout = Duration::from_secs(5);
    let local = url("http://127.0.0.1:1/");
    pool.connect(&connection(LONG_TIMEOUT), &local, None).unwrap();
    pool.connect(&connection(LONG_TIMEOUT), &url("http://localhost:2/x"), None).unwrap();
    assert_eq!(pool.clients.len(), 1);
    pool.connect(&other, &local, None).unwrap();
    assert_eq!(pool.clients.len(), 2);
    // What a client is not built from makes no other client.
    other.max_wait = Duration::ZERO;
    pool.connect(&other, &local, None).unwrap();
    assert_eq!(pool.clients.len(), 2);
}

#[test]
fn a_ca_file_that_is_none_is_an_error_with_its_path() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut settings = connection(LONG_TIMEOUT);
    settings.ca_file = Some(file.path().to_owned());
    let api = url("https://api.example/");
    let error = ClientPool::default().connect(&settings, &api, None).unwrap_err();
    assert!(error.to_string().ends_with("no certificate in it"), "{error}");
    file.write_all(b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").unwrap();
    let error = ClientPool::default().connect(&settings, &api, None).unwrap_err();
    assert!(error.to_string().starts_with("cannot use the CA file /"), "{error}");
    settings.ca_file = Some("/does/not/exist.pem".into());
    let error = ClientPool::default().connect(&settings, &api, None).unwrap_err();
    assert!(error.to_string().contains("/does/not/exist.pem"), "{error}");
    assert!(error.hint.contains("PEM"));
}

#[test]
fn no_error_holds_a_secret() {
    let api = url("http://127.0.0.1:1/");
    let broken = HttpCredential::Bearer(SecretString::from("hunter2\nx"));
    let error =
        ClientPool::default().connect(&connection(LONG_TIMEOUT), &api, Some(&broken)).unwrap_err();
    assert!(error.to_string().starts_with("the credential holds"), "{error}");
    assert!(!format!("{broken:?} {error:?} {error}").contains("hunter2"));

    let mut settings = connection(LONG_TIMEOUT);
    settings.proxy = Some(SafeUrl::new(url("gopher://user:hunter2@proxy.example/")));
    if let Err(error) = ClientPool::default().connect(&settings, &url("https://api.example/"), None)
    {
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}
