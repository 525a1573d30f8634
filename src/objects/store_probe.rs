//! Tries whether a store keeps the conditions of writes. Some answer 200 and write all the same.

use bytes::Bytes;

use super::object_client::{CreateOutcome, ObjectClient, SwapOutcome};
use super::object_error::ObjectError;

/// The object that is tried with. It stays: nothing is deleted.
const PROBE_KEY: &str = "_atlaudit/probe";

/// Creates an object, and tries to create it again and to replace a version that it no longer has.
///
/// # Errors
/// The store carries out what it should refuse, or cannot be used.
pub async fn check_conditions(client: &ObjectClient) -> Result<(), ObjectError> {
    let unkept =
        |condition| ObjectError::IgnoresConditions { place: client.place().to_owned(), condition };
    let content = || Bytes::from(format!("atlaudit probe {:032x}", fastrand::u128(..)));
    let first = content();
    let outcome = client.create(PROBE_KEY, &first).await?;
    let Some(found) = client.read(PROBE_KEY).await? else {
        return Err(unkept("If-None-Match"));
    };
    // An earlier probe may have left one, which must still be there.
    if outcome == CreateOutcome::OtherExists && found.bytes == first {
        return Err(unkept("If-None-Match"));
    }
    if client.create(PROBE_KEY, &content()).await? == CreateOutcome::Created {
        return Err(unkept("If-None-Match"));
    }
    let SwapOutcome::Swapped(_) = client.swap(PROBE_KEY, &content(), &found.version).await? else {
        // Somebody else tries at the same time: that one sees what there is to see.
        return Ok(());
    };
    match client.swap(PROBE_KEY, &content(), &found.version).await? {
        SwapOutcome::Lost => Ok(()),
        SwapOutcome::Swapped(_) => Err(unkept("If-Match")),
    }
}
