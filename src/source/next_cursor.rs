//! Reads where a page of the events APIs goes on: `meta.next` or `links.next`. The organizations'
//! API has both (recorded: hashicorp-forge/grove); for workspace events neither is documented.

use url::form_urlencoded;

use crate::http::message::UnreadableBody;
use crate::model::json::Node;
use crate::source::page::{PageBody, PageLocator};

/// The next page that `body` names.
///
/// # Errors
/// It says in a way that we cannot follow that there is one.
pub(super) fn next(
    _: &PageLocator,
    _: u64,
    body: &PageBody,
) -> Result<Option<PageLocator>, UnreadableBody> {
    let meta = body.beside("meta")?;
    let cursor = match next_in_meta(meta)? {
        Some(cursor) => Some(cursor),
        None => next_in_links(body.beside("links")?)?,
    };
    if cursor.is_none() && meta.is_some_and(has_more_flag) {
        return Err(UnreadableBody::new(
            "the response's `meta` says that there is more, but names no cursor",
        ));
    }
    Ok(cursor.map(PageLocator::Cursor))
}

/// `meta.next`: missing, null and empty all mean that `meta` names no further page.
fn next_in_meta(meta: Option<Node<'_>>) -> Result<Option<String>, UnreadableBody> {
    let Some(meta) = meta else { return Ok(None) };
    if !meta.is_object() {
        return Err(UnreadableBody::new(
            "the response's `meta` is not an object, so the next page is not known",
        ));
    }
    match meta.get("next") {
        Some(next) if !next.is_string() => Err(UnreadableBody::new(
            "the response's `meta.next` is not a string, so the next page is not known",
        )),
        next => Ok(next.and_then(Node::text).map(|cursor| cursor.into_owned())),
    }
}

/// Whether `meta` says in one of the usual words that there is a further page. None has been seen.
fn has_more_flag(meta: Node<'_>) -> bool {
    let words = meta.fields(["hasMore", "has_more", "hasNext", "hasNextPage"]);
    words.iter().flatten().any(|word| word.raw() == "true")
}

/// The cursor in `links.next`, which is a URL with a `cursor` parameter (recorded:
/// hashicorp-forge/grove), or on a sibling API the cursor alone. JSON:API also allows an object
/// with the URL as `href`. The host of the URL is never followed.
fn next_in_links(links: Option<Node<'_>>) -> Result<Option<String>, UnreadableBody> {
    let next = links.filter(|links| links.is_object());
    let Some(next) = next.and_then(|links| links.get("next")) else {
        return Ok(None);
    };
    let no_way_on = || {
        UnreadableBody::new(
            "the response's `links.next` says that there is more, but names no cursor",
        )
    };
    let text = match (next.is_string(), next.is_object()) {
        (true, _) => next.text(),
        (_, true) => Some(next.text_of("href").ok_or_else(no_way_on)?),
        _ => return Err(no_way_on()),
    };
    let Some(text) = text else { return Ok(None) };
    let is_url = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
    let Some((_, query)) = text.split_once('?') else {
        return match is_url {
            true => Err(no_way_on()),
            false => Ok(Some(text.into_owned())),
        };
    };
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, cursor)| key == "cursor" && !cursor.is_empty())
        .map(|(_, cursor)| Some(cursor.into_owned()))
        .ok_or_else(no_way_on)
}
