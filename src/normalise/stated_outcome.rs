//! Reads what an event itself says of how it ended. That counts more than the name of its action:
//! `user_login` proves no login where the event holds `"status": "FAILED"`.

use crate::model::event::Event;
use crate::model::json::Node;
use crate::model::meaning::Outcome;
use crate::normalise::fields::{items, part_camel_case};
use crate::normalise::taxonomy;

/// The fields that say how an event ended. Only a status may also be the state of a thing.
const FIELDS: [&str; 4] = [STATUS, "result", "outcome", "success"];
const STATUS: &str = "status";

/// The words of such a field, of which one is enough: the first list that has one decides.
const FAILED: &str = "fail failed failure error denied rejected blocked refused unsuccessful \
    unauthorized unauthorised unauthenticated forbidden invalid incorrect";
const IN_DOUBT: &str = "not partial partially errors warnings";
const DONE: &str = "success successful successfully succeeded ok passed complete completed done \
    allowed granted accepted approved authenticated";

/// The states of accounts, apps, pages, tokens and the like, which do not say how an event ended.
const STATES: &str = "true false active activated inactive deactivated enabled disabled suspended \
    invited pending open closed new live current draft published archived trashed deleted removed \
    installed uninstalled verified unverified expired revoked valid trial public private";

/// Weighs the fields of an organization's event: those of `attributes`, and those of each item of
/// `context` and of its attributes. Where Atlassian puts them is not documented.
pub fn weigh_context<'a>(event: &mut Event<'_>, attributes: Node<'a>, context: Option<Node<'a>>) {
    let of_items = items(context).flat_map(|item| {
        let [kind, inner, own @ ..] =
            item.fields(["type", "attributes", STATUS, "result", "outcome", "success"]);
        let inner = inner.map(|inner| inner.fields(FIELDS)).unwrap_or_default();
        let is_issue = kind.and_then(Node::text).is_some_and(|kind| kind.contains("issue"));
        // An issue's status is a step of its workflow, which any word may name.
        let counts = move |field: &str| !is_issue || field != STATUS;
        named(own).chain(named(inner)).filter(move |(field, _)| counts(field))
    });
    weigh(event, named(attributes.fields(FIELDS)).chain(of_items), |_, _| true);
}

/// Weighs a Data Center's extra attributes, by their names or by the ends of the keys of these,
/// which are the same in every language.
pub fn weigh_attributes<'a>(event: &mut Event<'_>, list: Option<Node<'a>>) {
    let fields = items(list).filter_map(|attribute| {
        let [name, key, value] = attribute.fields(["name", "nameI18nKey", "value"]);
        let names = [name, key].map(|text| text.and_then(Node::text));
        let is_called = |field: &&str| {
            let end = |text: &str| text.rsplit('.').next().map(str::to_ascii_lowercase);
            names.iter().flatten().any(|text| end(text).as_deref() == Some(*field))
        };
        Some((FIELDS.into_iter().find(is_called)?, value?))
    });
    // A state in another language is no word that is known here.
    weigh(event, fields, |field, outcome| field != STATUS || outcome != Outcome::Unknown);
}

/// An event that failed may say so only at the start of its text.
pub fn weigh_message(event: &mut Event<'_>) {
    let mut words =
        event.message.as_deref().unwrap_or_default().split(|c: char| !c.is_alphanumeric());
    if words.next().is_some_and(|word| word.eq_ignore_ascii_case("failed")) {
        event.outcome = Outcome::Failure;
    }
}

fn named<'a>(values: [Option<Node<'a>>; 4]) -> impl Iterator<Item = (&'static str, Node<'a>)> {
    FIELDS.into_iter().zip(values).filter_map(|(field, value)| Some((field, value?)))
}

/// Changes the outcome to what `fields` say: a failure before anything else, then what is unknown.
/// An action that is called a failure stays one.
fn weigh<'a>(
    event: &mut Event<'_>,
    fields: impl Iterator<Item = (&'static str, Node<'a>)>,
    counts: fn(&str, Outcome) -> bool,
) {
    let stated: Vec<_> = fields
        .filter_map(|(field, value)| {
            let outcome = stated(field, &value.scalar()?, &event.action)?;
            counts(field, outcome).then_some(outcome)
        })
        .collect();
    let ranked = [Outcome::Failure, Outcome::Unknown, Outcome::Success];
    let strongest = ranked.into_iter().find(|outcome| stated.contains(outcome));
    if event.outcome != Outcome::Failure {
        event.outcome = strongest.unwrap_or(event.outcome);
    }
}

/// How an event ended by the text of one field, if it says that at all. A word of the action's own
/// name says nothing more: `user_blocked` leaves the user blocked.
fn stated(field: &str, text: &str, action: &str) -> Option<Outcome> {
    let text = taxonomy::snake_case(&part_camel_case(text))?;
    let is_own = |word: &&str| action.split('_').any(|own| own == *word);
    let words: Vec<&str> = text.split('_').filter(|word| !is_own(word)).collect();
    let has_one = |list: &str| list.split(' ').any(|word| words.contains(&word));
    let number = text.parse::<u64>().ok();
    Some(match (field, &*words) {
        (_, []) => return None,
        ("success", _) if number.is_some() => return None,
        ("result" | "outcome" | "success", ["true" | "yes"]) => Outcome::Success,
        ("result" | "outcome" | "success", ["false" | "no"]) => Outcome::Failure,
        // Of HTTP.
        _ if matches!(number, Some(200..=299)) => Outcome::Success,
        _ if matches!(number, Some(400..=599)) => Outcome::Failure,
        _ if has_one(FAILED) => Outcome::Failure,
        _ if has_one(IN_DOUBT) => Outcome::Unknown,
        _ if has_one(DONE) => Outcome::Success,
        (STATUS, _) if has_one(STATES) => return None,
        _ => Outcome::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use crate::model::name::SourceKind;
    use crate::normalise::testing::normalised;
    use serde_json::{Value, json};

    /// The outcome of an organization's event with these attributes beside its action.
    fn outcome(action: &str, attributes: Value) -> String {
        let mut record = json!({"id": "e1", "attributes": attributes});
        record["attributes"]["action"] = action.into();
        let event = normalised(SourceKind::OrgEvents, &record.to_string());
        event["outcome"].as_str().unwrap().to_owned()
    }

    fn of_login(field: &str, value: impl Into<Value>) -> String {
        let value: Value = value.into();
        outcome("user_login", json!({"context": [{"attributes": {field: value}}]}))
    }

    #[test]
    fn a_field_counts_wherever_it_stands() {
        let failed = json!({"status": "FAILED"});
        for attributes in [
            json!({"status": "FAILED"}),
            json!({"context": [{"type": "users", "status": "FAILED"}]}),
            json!({"context": [{"type": "users"}, {"type": "sessions", "attributes": failed}]}),
            json!({"context": [null, 7, {"attributes": failed}]}),
        ] {
            assert_eq!(outcome("user_login", attributes.clone()), "failure", "{attributes}");
        }
        let place = json!({"container": [{"type": "sites", "attributes": failed}]});
        assert_eq!(outcome("user_login", place), "success");
    }

    #[test]
    fn words_that_say_failure() {
        for text in [
            "failed",
            "FAILURE",
            "Login failed",
            "accessDenied",
            "INVALID_PASSWORD",
            "success: error",
            "401 Unauthorized",
            "403",
        ] {
            for field in ["status", "result", "outcome", "success"] {
                if (field, text) != ("success", "403") {
                    assert_eq!(of_login(field, text), "failure", "{field} {text}");
                }
            }
        }
    }

    #[test]
    fn words_that_say_success() {
        for text in ["success", "Login successful", "COMPLETED", "ok", "200 OK", "204"] {
            assert_eq!(of_login("status", text), "success", "{text}");
            let requested = json!({"result": text});
            assert_eq!(outcome("page_export_requested", requested), "success", "{text}");
        }
    }

    #[test]
    fn an_unknown_word_proves_nothing() {
        for text in ["MFA_REQUIRED", "not successful", "partially completed", "in progress", "7"] {
            assert_eq!(of_login("status", text), "unknown", "{text}");
        }
        assert_eq!(of_login("result", "active"), "unknown");
        assert_eq!(of_login("status", 302), "unknown");
    }

    #[test]
    fn a_boolean_is_read_where_it_is_no_state() {
        for field in ["result", "outcome", "success"] {
            assert_eq!(of_login(field, false), "failure", "{field}");
            assert_eq!(of_login(field, true), "success", "{field}");
        }
        assert_eq!(of_login("status", false), "success");
        assert_eq!(of_login("success", 3), "success", "a count");
    }

    #[test]
    fn the_state_of_a_thing_is_no_outcome() {
        for state in ["active", "DEACTIVATED", "enabled", "archived", "pending", "expired"] {
            let of_thing = json!({"context": [{"type": "users", "attributes": {"status": state}}]});
            assert_eq!(outcome("user_added_to_group", of_thing), "success", "{state}");
        }
        let issue = json!({"context": [{"type": "issues", "attributes": {"status": "Blocked"}}]});
        assert_eq!(outcome("jira_issue_viewed", issue), "success");
        for none in [json!(null), json!(" "), json!({"name": "failed"}), json!(["failed"])] {
            assert_eq!(of_login("status", none.clone()), "success", "{none}");
        }
    }

    #[test]
    fn a_word_of_the_actions_own_name_says_nothing_more() {
        let locked = json!({"context": [{"status": "locked"}]});
        assert_eq!(outcome("user_locked", locked.clone()), "success");
        assert_eq!(outcome("user_updated", locked), "unknown");
    }

    #[test]
    fn a_failure_outweighs_what_else_is_said() {
        let both = json!({"result": "success", "context": [{"status": "failed"}]});
        assert_eq!(outcome("user_login", both), "failure");
        let doubt = json!({"result": "success", "outcome": "MFA_REQUIRED"});
        assert_eq!(outcome("user_login", doubt), "unknown");
        assert_eq!(outcome("user_login_failed", json!({"status": "success"})), "failure");
    }

    #[test]
    fn a_message_that_begins_with_failed() {
        let outcome = |message: &str| {
            let text =
                json!({"attributes": {"action": "user_login"}, "message": {"content": message}});
            normalised(SourceKind::OrgEvents, &text.to_string())["outcome"].clone()
        };
        assert_eq!(outcome("Failed to log in"), "failure");
        assert_eq!(outcome("FAILED: password"), "failure");
        assert_eq!(outcome("Failedover"), "success");
        assert_eq!(outcome("Ada logged in after she failed"), "success");
        let jira = normalised(SourceKind::JiraAudit, r#"{"summary":"Failed to create user"}"#);
        assert_eq!(jira["outcome"], "failure");
    }

    #[test]
    fn an_extra_attribute_is_known_by_its_name_or_key() {
        let outcome = |name: &str, key: &str, value: &str| {
            let record = json!({"type": {"action": "User created"},
                "extraAttributes": [{"name": name, "nameI18nKey": key, "value": value}]});
            normalised(SourceKind::DatacenterAudit, &record.to_string())["outcome"].clone()
        };
        assert_eq!(outcome("Result", "", "Failed"), "failure");
        assert_eq!(outcome("Ergebnis", "example.audit.attribute.result", "FAILURE"), "failure");
        assert_eq!(outcome("Ergebnis", "example.audit.attribute.result", "Fehler"), "unknown");
        assert_eq!(outcome("Status", "example.audit.attribute.status", "Aktiv"), "success");
        assert_eq!(outcome("Results returned", "example.attribute.results", "failed"), "success");
    }
}
