//! The running server: accepts connections on loopback and answers each request.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use axum::{
    Router,
    body::to_bytes,
    extract::{ConnectInfo, Request, State},
    http::Method,
    response::Response,
};
use tokio::net::TcpListener;

use super::{
    SandboxControl, SandboxOptions,
    connection::{ConnectionHandle, SeverableListener},
    delivery::ReplyDelivery,
    exchange,
    request::{ParsedRequest, SandboxEndpoint},
    server_state::{LoggedRequest, RequestInFlight, ServerState, SharedServerState},
};

/// Bytes of a request's body that are remembered.
const REMEMBERED_BODY: usize = 4 * 1024;
/// Bytes of a request's body that are read at most.
const LARGEST_BODY: usize = 64 * 1024;

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
    let at = Instant::now();
    let mut parsed = ParsedRequest::new(&request);
    if parsed.method != Method::GET {
        // A body that is too large, or that breaks off, counts as none.
        parsed.body = to_bytes(request.into_body(), LARGEST_BODY).await.unwrap_or_default();
    }
    let request = parsed;
    let api = request.endpoint.api();
    let _in_flight = api.map(|api| RequestInFlight::new(&shared, api));
    let (delivery, latency) = {
        let mut state = shared.state();
        let (reply, fault) = exchange::answer(&mut state, &request);
        let behaviour = &state.behaviour;
        let latency = match request.endpoint {
            SandboxEndpoint::Admin(_) => behaviour.admin_latency,
            _ => api.map(|api| behaviour.latency(api)).unwrap_or_default(),
        };
        let gzip = behaviour.gzip && request.accepts_gzip;
        let (content_encoding, clock_skew) = (behaviour.content_encoding, behaviour.clock_skew);
        state.remember(LoggedRequest {
            at,
            api,
            method: request.method.to_string(),
            path: request.path,
            query: request.query,
            status: reply.status,
            user_agent: request.user_agent,
            authorization_present: request.authorization.is_some(),
            body: String::from_utf8_lossy(&request.body[..request.body.len().min(REMEMBERED_BODY)])
                .into_owned(),
        });
        (ReplyDelivery { reply, fault, gzip, content_encoding, clock_skew }, latency)
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    delivery.response(&shared, &line).await
}
