//! Tries whether a store keeps the conditions of writes. Some answer 200 and write all the same.

use bytes::Bytes;

use super::object_client::{ObjectClient, SwapOutcome};
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
    match client.refuses(key, content, None).await? {
        true => Ok(()),
        false => Err(unkept(client, "If-None-Match")),
    }
}

/// Creates an object at `key`, and tries to create it again and to replace a version that it no
/// longer has: the store must refuse both, in so many words. The object stays: nothing is deleted.
///
/// # Errors
/// The store carries out what it should refuse, or cannot be used.
pub async fn check_conditions(client: &ObjectClient, key: &str) -> Result<(), ObjectError> {
    let content = || Bytes::from(format!("atlaudit probe {:032x}", fastrand::u128(..)));
    client.create(key, &content()).await?;
    check_creation(client, key, &content()).await?;
    let Some(found) = client.read(key).await? else {
        return Err(unkept(client, "If-None-Match"));
    };
    let SwapOutcome::Swapped(_) = client.swap(key, &content(), &found.version).await? else {
        // Somebody else tries at the same time: that one sees what there is to see.
        return Ok(());
    };
    match client.refuses(key, &content(), Some(&found.version)).await? {
        true => Ok(()),
        false => Err(unkept(client, "If-Match")),
    }
}

fn unkept(client: &ObjectClient, condition: &'static str) -> ObjectError {
    ObjectError::IgnoresConditions { place: client.place().to_owned(), condition }
}
