//! Bounds the memory of the responses of a run, which all its sources share. The whole rule:
//!
//! - at most 6 responses are unpacked at once, each about a megabyte, from the time that their head
//!   has come until they are written or compressed;
//! - at most 12 MiB of compressed responses wait for their turn (one more may exceed it);
//! - a source's own memory (its dedup cache, its lines of one commit) is bounded elsewhere: sources
//!   start three at a time (`StartLimiter`) and read their checkpoints one by one (`StateStore`).
//!
//! A task never acquires a second permit while it holds one, so permits cannot deadlock. But a
//! server may stop in the middle of a body, or the reader of a pipe may stop reading. A permit
//! older than 10 s is reclaimed when others wait: a stuck source blocks no other, and what it holds
//! is little, because it acquires nothing more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

/// Responses that may be unpacked in memory: enough for one source to prefetch, and to write
/// meanwhile.
const MAX_RESPONSES: u32 = 6;

/// Bytes of compressed responses that may wait for their turn.
const MAX_COMPRESSED_BYTES: usize = 12 * 1024 * 1024;

/// The longest that a permit is held while others wait: longer than a busy disk takes for a commit.
const MAX_HOLD: Duration = Duration::from_secs(10);

/// The memory budget of a run.
#[derive(Debug, Clone, Default)]
pub struct MemoryBudget(Arc<BudgetState>);

#[derive(Debug)]
struct BudgetState {
    free: Semaphore,
    /// The permits, oldest first; some may have been released meanwhile.
    held: Mutex<VecDeque<Weak<MemoryPermit>>>,
    compressed: AtomicUsize,
}

impl Default for BudgetState {
    fn default() -> BudgetState {
        BudgetState {
            free: Semaphore::new(MAX_RESPONSES as usize),
            held: Mutex::default(),
            compressed: AtomicUsize::new(0),
        }
    }
}

/// The right to hold some responses; released when dropped.
#[derive(Debug)]
pub struct MemoryPermit {
    budget: MemoryBudget,
    responses: u32,
    until: Instant,
    is_released: AtomicBool,
}

/// A body and its permit.
struct BodyWithPermit {
    body: Bytes,
    _permit: Arc<MemoryPermit>,
}

impl AsRef<[u8]> for BodyWithPermit {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// Some of the bytes of compressed responses, until it is dropped.
#[derive(Debug)]
pub struct CompressedPermit(MemoryBudget, usize);

impl MemoryBudget {
    /// Waits for the right to hold `responses`, at most as many as there may be at all. Only for a
    /// task that holds no permit.
    pub async fn take(&self, responses: usize) -> Arc<MemoryPermit> {
        let responses = u32::try_from(responses).unwrap_or(MAX_RESPONSES).clamp(1, MAX_RESPONSES);
        loop {
            let overdue = self.overdue();
            tokio::select! {
                biased;
                permit = self.0.free.acquire_many(responses) => {
                    // It is never closed.
                    if let Ok(permit) = permit {
                        permit.forget();
                    }
                    return self.permit(responses);
                }
                () = sleep_until(overdue) => self.reclaim(),
            }
        }
    }

    /// Whether more compressed responses may wait.
    pub fn has_compressed_space(&self) -> bool {
        self.0.compressed.load(Ordering::Relaxed) < MAX_COMPRESSED_BYTES
    }

    /// Counts `bytes` of a compressed response.
    pub fn pack(&self, bytes: usize) -> CompressedPermit {
        self.0.compressed.fetch_add(bytes, Ordering::Relaxed);
        CompressedPermit(self.clone(), bytes)
    }

    fn permit(&self, responses: u32) -> Arc<MemoryPermit> {
        let permit = Arc::new(MemoryPermit {
            budget: self.clone(),
            responses,
            until: Instant::now() + MAX_HOLD,
            is_released: AtomicBool::new(false),
        });
        self.reclaim();
        self.held().push_back(Arc::downgrade(&permit));
        permit
    }

    /// When the oldest permit may be reclaimed.
    fn overdue(&self) -> Instant {
        let oldest = self.held().iter().find_map(Weak::upgrade);
        oldest.map_or_else(|| Instant::now() + MAX_HOLD, |permit| permit.until)
    }

    /// Releases the permits that were held for too long, and forgets those that were released.
    fn reclaim(&self) {
        let (now, mut held) = (Instant::now(), self.held());
        while let Some(oldest) = held.front() {
            match oldest.upgrade() {
                Some(permit) if permit.until > now => return,
                Some(permit) => permit.release(),
                None => {}
            }
            held.pop_front();
        }
    }

    fn held(&self) -> MutexGuard<'_, VecDeque<Weak<MemoryPermit>>> {
        // Each change is one call: a panic elsewhere leaves it whole.
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryPermit {
    /// `body`, which holds the permit as long as a part of it is used.
    pub fn keep(self: &Arc<MemoryPermit>, body: Bytes) -> Bytes {
        Bytes::from_owner(BodyWithPermit { body, _permit: self.clone() })
    }

    fn release(&self) {
        if !self.is_released.swap(true, Ordering::Relaxed) {
            self.budget.0.free.add_permits(self.responses as usize);
        }
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        self.release();
    }
}

impl Drop for CompressedPermit {
    fn drop(&mut self) {
        self.0.0.compressed.fetch_sub(self.1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_permit_is_released_with_the_last_part_of_a_body() {
        let budget = MemoryBudget::default();
        let began = Instant::now();
        let body = budget.take(MAX_RESPONSES as usize).await.keep("abc".into());
        let part = body.slice(1..2);
        drop(body);
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.take(1).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(part);
        waiting.await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_task_blocks_no_other_and_releases_only_once() {
        let budget = MemoryBudget::default();
        let stuck = budget.take(1_000).await;
        let began = Instant::now();
        let next = budget.take(1).await;
        assert_eq!(began.elapsed(), MAX_HOLD);
        drop((stuck, next));
        assert_eq!(budget.0.free.available_permits(), MAX_RESPONSES as usize);
    }
}
