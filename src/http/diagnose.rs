//! Owns telling from reqwest's chain of causes where an attempt failed.

use std::error::Error;
use std::io;

use super::error::{TransportError, TransportErrorKind, error_chain, flatten};

/// How far an attempt had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptPhase {
    /// No answer yet.
    Sending,
    /// The head of an answer was there.
    Body,
}

/// reqwest's error in our words. The URL is dropped, for its query may hold a cursor.
pub(super) fn diagnose(error: reqwest::Error, phase: AttemptPhase) -> TransportError {
    let error = error.without_url();
    TransportError::new(error_kind(&error, phase), &flatten(&error))
}

fn error_kind(error: &reqwest::Error, phase: AttemptPhase) -> TransportErrorKind {
    if error.is_builder() {
        TransportErrorKind::Invalid
    } else if error.is_dns() {
        TransportErrorKind::Dns
    } else if error.is_connect() {
        connect_kind(error)
    } else if error.is_timeout() {
        TransportErrorKind::ReadTimeout
    } else if phase == AttemptPhase::Sending {
        TransportErrorKind::ConnectionLost
    } else {
        TransportErrorKind::BodyLost
    }
}

fn connect_kind(error: &reqwest::Error) -> TransportErrorKind {
    if error.is_timeout() {
        TransportErrorKind::ConnectTimeout
    } else if has_io_kind(error, io::ErrorKind::InvalidData) {
        // tokio-rustls hands every verdict of rustls over as InvalidData; a handshake that was
        // merely cut off is UnexpectedEof and may succeed the next time.
        TransportErrorKind::Tls
    } else {
        TransportErrorKind::Connect
    }
}

fn has_io_kind(error: &(dyn Error + 'static), kind: io::ErrorKind) -> bool {
    error_chain(error)
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == kind)
}
