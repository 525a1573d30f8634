//! Reads and writes objects in a store such as S3, with conditions that make each write happen
//! once.
//!
//! To write, only GET and PUT are used: no list, copy, delete or multipart upload, so that a policy
//! can be narrow and no leftovers need to be cleaned up. Saved events are found by listing.
//!
//! A refused condition is never believed. A write whose answer was lost and that was repeated is
//! refused because of itself; a store may also answer that somebody else was first when nobody was.
//! What is there is read back and compared.

#[cfg(feature = "object-store")]
mod blocking;
#[cfg(feature = "object-store")]
mod folder_copy;
mod object_batch;
#[cfg(feature = "object-store")]
mod object_client;
mod object_error;
#[cfg(feature = "object-store")]
mod object_stores;
#[cfg(feature = "object-store")]
mod store_connection;
#[cfg(feature = "object-store")]
mod store_probe;

#[cfg(feature = "object-store")]
pub use blocking::wait;
#[cfg(feature = "object-store")]
pub use folder_copy::copy_folder;
pub use object_batch::ObjectBatch;
#[cfg(feature = "object-store")]
pub use object_batch::{ObjectForm, PendingObject, WaitingLines};
#[cfg(feature = "object-store")]
pub use object_client::{CreateOutcome, HiddenFolders, ObjectClient, ObjectVersion, SwapOutcome};
pub use object_error::ObjectError;
#[cfg(feature = "object-store")]
pub use object_stores::ObjectStores;
#[cfg(feature = "object-store")]
pub use store_probe::{check_conditions, check_creation};
