//! The running server: accepts connections on loopback and answers each request.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, header},
    response::Response,
};
use tokio::net::TcpListener;

use super::{
    SandboxControl, SandboxOptions,
    connection::{ConnectionHandle, SeverableListener},
    delivery::{self, DeliveryOptions},
    exchange,
    request::{ApiRoute, ParsedRequest},
    request_log,
    server_state::{ServerState, SharedServerState},
};

/// A running server. Dropping it stops it: no new connection is accepted, idle ones are closed.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<SharedServerState>,
    address: SocketAddr,
}

impl Sandbox {
    /// Composes the history, binds 127.0.0.1 and starts to serve on the current tokio runtime.
    pub async fn start(options: SandboxOptions) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let state = ServerState::new(&options, format!("http://{address}"));
        let shared = Arc::new(SharedServerState::new(state));
        let service = Router::new()
            .fallback(handle)
            .with_state(Arc::clone(&shared))
            .into_make_service_with_connect_info::<ConnectionHandle>();
        let stopping = Arc::clone(&shared);
        let serving = axum::serve(SeverableListener(listener), service)
            .with_graceful_shutdown(async move { stopping.stopped().await });
        // It ends when the server is stopped; axum's serve never fails.
        tokio::spawn(async move { serving.await });
        Ok(Self { shared, address })
    }

    /// `http://127.0.0.1:PORT`, for every API.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A handle to script the server while it runs.
    pub fn control(&self) -> SandboxControl {
        SandboxControl::new(Arc::clone(&self.shared))
    }

    /// Serves until [`SandboxControl::stop`]. Signals are the caller's business: select on one
    /// beside this.
    pub async fn run_until_stopped(self) {
        self.shared.stopped().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

async fn handle(
    State(shared): State<Arc<SharedServerState>>,
    ConnectInfo(line): ConnectInfo<ConnectionHandle>,
    request: Request,
) -> Response {
    let arrived = Instant::now();
    let parsed = parse_request(&request);
    let (reply, fault, latency, terms) = {
        let mut state = shared.state();
        let entry = entry(arrived, &parsed, request.headers());
        let number = state.request_log.arrive(entry);
        let (reply, fault) = exchange::answer(&mut state, &parsed);
        state.request_log.settle(number, reply.status);
        let behaviour = &state.behaviour;
        let terms = DeliveryOptions {
            gzip: behaviour.gzip
                && text(request.headers(), header::ACCEPT_ENCODING).contains("gzip"),
            content_encoding: behaviour.content_encoding,
            clock_skew: behaviour.clock_skew,
        };
        let latency = parsed.route.api().map(|api| behaviour.latency(api));
        (reply, fault, latency, terms)
    };
    if let Some(latency) = latency.filter(|latency| !latency.is_zero()) {
        tokio::time::sleep(latency).await;
    }
    delivery::deliver(&shared, &line, reply, fault, &terms).await
}

fn parse_request(request: &Request) -> ParsedRequest {
    let uri = request.uri();
    let query = uri.query().unwrap_or_default();
    ParsedRequest {
        is_get: request.method() == Method::GET,
        path: uri.path().to_owned(),
        route: ApiRoute::of(uri.path()),
        query: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        authorization: request
            .headers()
            .get(header::AUTHORIZATION)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
    }
}

fn entry(at: Instant, parsed: &ParsedRequest, headers: &HeaderMap) -> request_log::LoggedRequest {
    request_log::LoggedRequest {
        at,
        api: parsed.route.api(),
        path: parsed.path.clone(),
        query: parsed.query.clone(),
        status: 0,
        user_agent: text(headers, header::USER_AGENT).to_owned(),
        authorization_present: parsed.authorization.is_some(),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
