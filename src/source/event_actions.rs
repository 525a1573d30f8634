//! Reads the list of all actions that the events of an organization or a workspace can name.
//!
//! Facts (developer.atlassian.com/cloud/admin, `event-actions` of the organizations' and of the
//! workspaces' API): `data` has an object with `id` and `attributes.displayName` for each, and
//! there are no parameters. Whether there are pages is not said; if so, they are taken to be named
//! as those of events.

use url::Url;

use crate::http::message::{Request, Response, UnreadableBody};
use crate::model::json::Node;
use crate::model::source_kind::Endpoint;
use crate::source::next_cursor;
use crate::source::page::{PageBody, PageLocator};

/// An action that the list names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedAction {
    /// The word for it in events.
    pub id: String,
    /// What people are shown.
    pub display_name: Option<String>,
}

/// The list beside the events of one organization or workspace.
#[derive(Debug, Clone)]
pub struct EventActionList {
    /// `.../event-actions`
    url: Url,
    endpoint: Endpoint,
}

impl EventActionList {
    /// The list beside the events at `events_url`, whose last segment it replaces.
    pub(super) fn beside(events_url: &Url, endpoint: Endpoint) -> EventActionList {
        let mut url = events_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop().push("event-actions");
        }
        EventActionList { url, endpoint }
    }

    /// The request for the part of it after `cursor`.
    pub fn request(&self, cursor: Option<&str>) -> Request {
        let mut url = self.url.clone();
        if let Some(cursor) = cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        Request::get(self.endpoint, url)
    }
}

/// The actions in the response, and the cursor of the next part, if there is one.
///
/// # Errors
/// It is no list of actions.
pub fn read(response: &Response) -> Result<(Vec<ListedAction>, Option<String>), UnreadableBody> {
    let body = PageBody::of("event-actions", "data", response)?;
    let actions = body.records().filter_map(|doc| {
        let [id, attributes] = doc.root().fields(["id", "attributes"]);
        let display_name = attributes.and_then(|of| of.text_of("displayName"));
        Some(ListedAction {
            id: id.and_then(Node::scalar)?.into_owned(),
            display_name: display_name.map(|name| name.into_owned()),
        })
    });
    let actions = actions.collect();
    let next = next_cursor::next(&PageLocator::Start, 0, &body)?;
    Ok((actions, next.as_ref().and_then(PageLocator::cursor).map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::SourceKind;
    use crate::source::Source;

    fn read_text(body: &str) -> Result<(Vec<ListedAction>, Option<String>), UnreadableBody> {
        let body = bytes::Bytes::copy_from_slice(body.as_bytes());
        read(&Response { status: 200, headers: Vec::new(), body })
    }

    #[test]
    fn the_list_lies_beside_the_events() {
        let url = "https://api.example/x".parse().unwrap();
        let list = |kind, owner| Source::new(kind, &url, Some(owner), 500).event_actions();
        let url = |kind, owner| list(kind, owner).unwrap().request(Some("a+b")).url.to_string();
        assert_eq!(
            url(SourceKind::OrgEvents, "o-1"),
            "https://api.example/x/admin/v1/orgs/o-1/event-actions?cursor=a%2Bb"
        );
        assert_eq!(
            url(SourceKind::WorkspaceEvents, "ari:cloud:jira::site/c1"),
            "https://api.example/x/audit-log/v1/workspaces/ari%3Acloud%3Ajira%3A%3Asite%2Fc1/event-actions?cursor=a%2Bb"
        );
        assert!(list(SourceKind::JiraAudit, "").is_none());
    }

    #[test]
    fn actions_have_an_id_and_perhaps_a_name() {
        let body = r#"{"data":[{"id":"a","type":"eventActions","attributes":{"displayName":"A b"}},
            {"id":"b","attributes":{}},{"id":"c"},{"attributes":{"displayName":"none"}},7,null],
            "links":null,"meta":null}"#;
        let (actions, next) = read_text(body).unwrap();
        let found: Vec<_> =
            actions.iter().map(|action| (&*action.id, action.display_name.as_deref())).collect();
        assert_eq!(found, [("a", Some("A b")), ("b", None), ("c", None)]);
        assert_eq!(next, None);
    }

    #[test]
    fn a_further_part_is_named_in_meta_or_links() {
        let next = |body: &str| read_text(body).unwrap().1;
        assert_eq!(next(r#"{"data":[],"meta":{"next":"c1"}}"#).as_deref(), Some("c1"));
        let link = r#"{"data":[],"links":{"next":"https://x.example/a?cursor=c%202"}}"#;
        assert_eq!(next(link).as_deref(), Some("c 2"));
    }

    #[test]
    fn another_body_is_no_list() {
        for body in ["", "{}", "[]", "<html>", r#"{"data":{}}"#, r#"{"errors":[{"id":"x"}]}"#] {
            assert!(read_text(body).is_err(), "{body}");
        }
    }
}
