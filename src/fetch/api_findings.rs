//! What a run finds out about the server of one source: how it wants to be asked, and which event
//! queries it runs for us.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::source::api_reading::ApiReading;
use crate::state::checkpoint::OpenQuery;

/// Shared by the tasks that read a source.
#[derive(Debug, Default)]
pub struct ApiFindings {
    reading: Mutex<ApiReading>,
    open_queries: Mutex<Vec<OpenQuery>>,
    refuses_queries: AtomicBool,
}

impl ApiFindings {
    /// How requests are worded.
    pub fn reading(&self) -> ApiReading {
        *locked(&self.reading)
    }

    /// Notes how the server takes requests.
    pub fn note_reading(&self, reading: ApiReading) {
        *locked(&self.reading) = reading;
    }

    /// Whether the server runs no event queries, or none that can be used.
    pub fn refuses_queries(&self) -> bool {
        self.refuses_queries.load(Ordering::Relaxed)
    }

    /// Notes that no event query can be used.
    pub fn note_refused_queries(&self) {
        self.refuses_queries.store(true, Ordering::Relaxed);
    }

    /// Notes a query whose results are still to be read.
    pub fn note_query(&self, query: &OpenQuery) {
        locked(&self.open_queries).push(query.clone());
    }

    /// Notes that nothing more is wanted of the query `id`.
    pub fn forget_query(&self, id: &str) {
        locked(&self.open_queries).retain(|query| query.id != id);
    }

    /// The queries whose results are still to be read.
    pub fn open_queries(&self) -> Vec<OpenQuery> {
        locked(&self.open_queries).clone()
    }
}

/// Every change is one call: a panic elsewhere leaves the value whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
