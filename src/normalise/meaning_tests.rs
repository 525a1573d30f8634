//! Tests that every source gives its events the meaning of their action, and none beside it.

use super::testing::with_event;
use crate::model::meaning::{Category, Deed, OcsfClass, Outcome, UNKNOWN_MEANING};
use crate::model::name::SourceKind::{ConfluenceAudit, DatacenterAudit, JiraAudit, OrgEvents};

#[test]
fn every_source_has_the_meaning_of_its_actions() {
    let records = [
        (OrgEvents, r#"{"attributes":{"action":"user_added_to_group"}}"#),
        (JiraAudit, r#"{"summary":"User added to group","category":"permissions"}"#),
        (ConfluenceAudit, r#"{"summary":"User added to group"}"#),
        (DatacenterAudit, r#"{"type":{"action":"User added to group"}}"#),
    ];
    for (kind, text) in records {
        let (class, deed) =
            with_event(kind, None, text, |event| (event.meaning.class, event.meaning.deed));
        assert_eq!((class, deed), (OcsfClass::GroupManagement, Deed::AddUser), "{text}");
    }
}

#[test]
fn what_a_source_files_an_unknown_action_under_is_a_category_and_no_meaning() {
    let records = [
        (JiraAudit, r#"{"summary":"Hat lent","category":"permissions"}"#),
        (ConfluenceAudit, r#"{"summary":"Hat lent","category":"Permissions"}"#),
        (DatacenterAudit, r#"{"type":{"action":"Hat lent","category":"Permissions"}}"#),
    ];
    for (kind, text) in records {
        with_event(kind, None, text, |event| {
            assert_eq!(event.category, Category::Permission, "{text}");
            assert_eq!(
                (event.meaning, event.outcome),
                (UNKNOWN_MEANING, Outcome::Unknown),
                "{text}"
            );
        });
    }
}

#[test]
fn an_unparsed_record_means_nothing() {
    for kind in [OrgEvents, JiraAudit, ConfluenceAudit, DatacenterAudit] {
        with_event(kind, None, "{}", |event| {
            assert_eq!((event.meaning, event.category), (UNKNOWN_MEANING, Category::Other));
        });
    }
}
