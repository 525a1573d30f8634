//! Tries whether a store keeps the conditions of writes. Some answer 200 and write all the same.

use bytes::Bytes;

use super::object_client::{CreateOutcome, ObjectClient, SwapOutcome};
use super::object_error::ObjectError;

/// Tries to create an object that is there with this content: all that a store must refuse to which
/// objects are only added.
///
/// # Errors
/// The store carries it out, or cannot be used.
pub async fn check_creation(
    client: &ObjectClient,
    key: &str,
    content: &Bytes,
) -> Result<(), ObjectError> {
    match client.refuses_creation(key, content).await? {
        true => Ok(()),
        false => Err(ObjectError::IgnoresConditions {
            place: client.place().to_owned(),
            condition: "If-None-Match",
        }),
    }
}

/// Creates an object at `key`, and tries to create it again and to replace a version that it no
/// longer has. The object stays: nothing is deleted.
///
/// # Errors
/// The store carries out what it should refuse, or cannot be used.
pub async fn check_conditions(client: &ObjectClient, key: &str) -> Result<(), ObjectError> {
    let unkept =
        |condition| ObjectError::IgnoresConditions { place: client.place().to_owned(), condition };
    let content = || Bytes::from(format!("atlaudit probe {:032x}", fastrand::u128(..)));
    let first = content();
    let outcome = client.create(key, &first).await?;
    let Some(found) = client.read(key).await? else {
        return Err(unkept("If-None-Match"));
    };
    // An earlier probe may have left one, which must still be there.
    if outcome == CreateOutcome::OtherExists && found.bytes == first {
        return Err(unkept("If-None-Match"));
    }
    if let CreateOutcome::Created(_) = client.create(key, &content()).await? {
        return Err(unkept("If-None-Match"));
    }
    let SwapOutcome::Swapped(_) = client.swap(key, &content(), &found.version).await? else {
        // Somebody else tries at the same time: that one sees what there is to see.
        return Ok(());
    };
    match client.swap(key, &content(), &found.version).await? {
        SwapOutcome::Lost => Ok(()),
        SwapOutcome::Swapped(_) => Err(unkept("If-Match")),
    }
}
