//! Owns the room for answers between their head and the disk, shared by all sources of a run: hundreds may be
//! answered at once, and each answer takes a megabyte until it is written.
//!
//! Nobody waits for room who has some: an answer that has its room is read, packed or written without asking
//! for more, so that all room comes back by itself. But a server may take for ever over a body, or a pipe's
//! reader over its lines. Whoever waits behind such a one takes its room after [`PATIENCE`]: one source that
//! is stuck holds no other back, and what it keeps is little, for it asks for nothing more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

/// Answers that may be unpacked in memory: enough for one source to read ahead with, and to write meanwhile.
const ANSWERS: u32 = 6;

/// Bytes of packed answers that may wait for their turn.
const PACKED_BYTES: usize = 12 * 1024 * 1024;

/// The longest that room is kept while others wait for it: longer than a busy disk takes for a commit.
const PATIENCE: Duration = Duration::from_secs(10);

/// The room of a run.
#[derive(Debug, Clone, Default)]
pub struct MemoryBudget(Arc<BudgetState>);

#[derive(Debug)]
struct BudgetState {
    free: Semaphore,
    /// What is taken, the oldest first; with some that came back meanwhile.
    taken: Mutex<VecDeque<Weak<MemoryPermit>>>,
    packed: AtomicUsize,
}

impl Default for BudgetState {
    fn default() -> BudgetState {
        BudgetState {
            free: Semaphore::new(ANSWERS as usize),
            taken: Mutex::default(),
            packed: AtomicUsize::new(0),
        }
    }
}

/// Room for some answers; comes back when dropped.
#[derive(Debug)]
pub struct MemoryPermit {
    room: MemoryBudget,
    answers: u32,
    until: Instant,
    is_back: AtomicBool,
}

/// A body and the room that it takes.
struct BodyWithPermit {
    body: Bytes,
    _share: Arc<MemoryPermit>,
}

impl AsRef<[u8]> for BodyWithPermit {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// Some of the bytes of packed answers, until it is dropped.
#[derive(Debug)]
pub struct CompressedPermit(MemoryBudget, usize);

impl MemoryBudget {
    /// Waits for room for `answers`, as far as there ever is so much. To be called only by who has none.
    pub async fn take(&self, answers: usize) -> Arc<MemoryPermit> {
        let answers = u32::try_from(answers).unwrap_or(ANSWERS).clamp(1, ANSWERS);
        loop {
            let overdue = self.overdue();
            tokio::select! {
                biased;
                permit = self.0.free.acquire_many(answers) => {
                    // It is never closed.
                    if let Ok(permit) = permit {
                        permit.forget();
                    }
                    return self.share(answers);
                }
                () = sleep_until(overdue) => self.reclaim(),
            }
        }
    }

    /// Whether more may be packed.
    pub fn has_compressed_space(&self) -> bool {
        self.0.packed.load(Ordering::Relaxed) < PACKED_BYTES
    }

    /// Takes note of `bytes` of a packed answer.
    pub fn pack(&self, bytes: usize) -> CompressedPermit {
        self.0.packed.fetch_add(bytes, Ordering::Relaxed);
        CompressedPermit(self.clone(), bytes)
    }

    fn share(&self, answers: u32) -> Arc<MemoryPermit> {
        let share = Arc::new(MemoryPermit {
            room: self.clone(),
            answers,
            until: Instant::now() + PATIENCE,
            is_back: AtomicBool::new(false),
        });
        self.reclaim();
        self.taken().push_back(Arc::downgrade(&share));
        share
    }

    /// When the oldest share may be taken from whoever has it.
    fn overdue(&self) -> Instant {
        let oldest = self.taken().iter().find_map(Weak::upgrade);
        oldest.map_or_else(|| Instant::now() + PATIENCE, |share| share.until)
    }

    /// Takes back what was kept for too long, and forgets what came back by itself.
    fn reclaim(&self) {
        let (now, mut taken) = (Instant::now(), self.taken());
        while let Some(oldest) = taken.front() {
            match oldest.upgrade() {
                Some(share) if share.until > now => return,
                Some(share) => share.release(),
                None => {}
            }
            taken.pop_front();
        }
    }

    fn taken(&self) -> MutexGuard<'_, VecDeque<Weak<MemoryPermit>>> {
        // Each change is one call: a panic elsewhere leaves it whole.
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryPermit {
    /// `body`, which keeps the room as long as anybody keeps a part of it.
    pub fn keep(self: &Arc<MemoryPermit>, body: Bytes) -> Bytes {
        Bytes::from_owner(BodyWithPermit {
            body,
            _share: self.clone(),
        })
    }

    fn release(&self) {
        if !self.is_back.swap(true, Ordering::Relaxed) {
            self.room.0.free.add_permits(self.answers as usize);
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
        self.0.0.packed.fetch_sub(self.1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn room_comes_back_with_the_last_part_of_a_body() {
        let room = MemoryBudget::default();
        let began = Instant::now();
        let body = room.take(ANSWERS as usize).await.keep("abc".into());
        let part = body.slice(1..2);
        drop(body);
        let waiting = tokio::spawn({
            let room = room.clone();
            async move { room.take(1).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(part);
        waiting.await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_stuck_holds_nobody_back_and_gives_back_only_once() {
        let room = MemoryBudget::default();
        let stuck = room.take(1_000).await;
        let began = Instant::now();
        let next = room.take(1).await;
        assert_eq!(began.elapsed(), PATIENCE);
        drop((stuck, next));
        assert_eq!(room.0.free.available_permits(), ANSWERS as usize);
    }
}
