//! Defines states that are stored elsewhere than in the state folder: with the objects of a store.

use std::fmt;

use crate::model::name::SourceName;
use crate::objects::ObjectBatch;
use crate::state::StateError;
use crate::state::checkpoint::Checkpoint;

/// The states of all sources.
pub trait RemoteStates: fmt::Debug + Send + Sync {
    /// The checkpoint of `source`, only to look at.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or was written by a newer version.
    fn load(&self, source: &SourceName) -> Result<Option<Checkpoint>, StateError>;

    /// Tries whether states can be kept there, and whether objects can be created below the URL
    /// `folder`, if that is said: a small object stays there. Returns where the states are.
    ///
    /// # Errors
    /// They cannot.
    fn probe(&self, folder: Option<&str>) -> Result<String, StateError>;

    /// Takes `source` for this run, and publishes what the last one left. Returns its checkpoint,
    /// if it has one.
    ///
    /// # Errors
    /// As with [`RemoteStates::load`]; or another run holds it.
    fn take(&self, source: &SourceName) -> Result<TakenState, StateError>;

    /// Lets calls that fail fail, from now on: the program shall end.
    fn stop_retrying(&self);

    /// Lets others take `source` at once, if this process still holds it.
    ///
    /// # Errors
    /// The store does not answer: others take it when the lease ends.
    fn release(&self, source: &SourceName) -> Result<(), StateError>;
}

/// A source that a run has taken.
#[derive(Debug)]
pub struct TakenState {
    /// Its checkpoint, if it has one.
    pub checkpoint: Option<Checkpoint>,
    /// Its state, where that is not in the state folder.
    pub remote: Option<Box<dyn RemoteState>>,
}

/// The state of a source that a run has taken.
pub trait RemoteState: fmt::Debug + Send {
    /// What the source has in the store beside its checkpoint.
    fn objects(&self) -> &ObjectBatch;

    /// Replaces the state, if no other run did so meanwhile: this is the commit. Without `objects`,
    /// those of the last commit stay. After the last one of the run others may take the source,
    /// unless the process holds it until its next run.
    ///
    /// # Errors
    /// Another run was faster, or the store does not answer. The last commit counts, or this one;
    /// the next run sees which.
    fn save(
        &mut self,
        checkpoint: &Checkpoint,
        objects: Option<ObjectBatch>,
        is_last: bool,
    ) -> Result<(), StateError>;

    /// Publishes the objects of the last commit.
    ///
    /// # Errors
    /// One of them could not be published. The next run does it.
    fn publish(&mut self) -> Result<(), StateError>;
}
