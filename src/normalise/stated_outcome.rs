//! Reads what an event itself says of how it ended. That counts more than the name of its action:
//! `user_login` proves no login where the event holds `"status": "FAILED"`.

use crate::model::event::{Event, UNPARSED};
use crate::model::json::Node;
use crate::model::meaning::{Category, Outcome};
use crate::normalise::fields::{first_scalar, items, part_camel_case};
use crate::normalise::taxonomy;

/// The longest action, field and text that are read, in bytes.
const LONGEST: usize = 200;

/// The last words of the names of fields, in any case and spelling: `loginStatus`, `RESULT`.
const STATUSES: &str = "status statuscode status_code";
const RESULTS: &str = "result outcome";
const SUCCESSES: &str = "success successful";
const REASONS: &str = "failurereason failure_reason errorcode error_code";

/// The last letters of all of these.
const ENDS: [[u8; 4]; 7] = [*b"atus", *b"code", *b"sult", *b"come", *b"cess", *b"sful", *b"ason"];

/// The words of such a field, of which one is enough.
const FAILED: &str = "fail fails failed failure error deny denied reject rejected block blocked \
    refused unsuccessful unsuccessfully unauthorized unauthorised unauthenticated forbidden \
    invalid incorrect wrong locked expired aborted";
const DONE: &str = "success successful successfully succeeded ok passed complete completed done \
    allowed granted accepted approved authenticated permitted authorized authorised";
const IN_DOUBT: &str = "partial partially errors warnings";
const NEGATIONS: &str = "no not non none never without nothing zero 0 false";

/// The states of accounts, apps, pages, tokens and the like, which do not say how an event ended:
/// those in which nobody can log in, and the others.
const UNUSABLE: &str = "false inactive deactivated disabled suspended invited pending closed \
    deleted removed archived trashed uninstalled unverified revoked";
const USABLE: &str = "true active activated enabled open new live current draft published \
    installed verified valid trial public private";

/// The only words that say of a thing's status that the event failed or succeeded.
const THING_FAILED: &str = "failed failure error denied rejected";
const THING_DONE: &str = "success successful succeeded";

/// What stands in the place of a reason where there is none.
const NO_REASON: &str = "none null no no_error n_a not_applicable ok success false 0 200";

/// The types whose status is a step of a workflow, which any word may name.
const WORKFLOW_TYPES: &str = "issue issues ticket tickets workitem workitems status statuses";

/// A field that says how an event ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OutcomeField {
    LoginStatus,
    EventStatus,
    /// The status of a thing that an event other than a login is about.
    ThingStatus,
    Result,
    /// Yes or no, or how many.
    Success,
    FailureReason,
}

impl OutcomeField {
    /// The field that is called `name`, in an event (`is_login`) or in a thing of it (`is_thing`).
    fn of(name: &str, is_login: bool, is_thing: bool) -> Option<OutcomeField> {
        let name = name.trim_matches(|c: char| !c.is_alphanumeric());
        let ends_with_one = |list: &str| list.split(' ').any(|word| ends_with_word(name, word));
        Some(match (is_login, is_thing) {
            _ if ends_with_one(RESULTS) => OutcomeField::Result,
            _ if ends_with_one(SUCCESSES) => OutcomeField::Success,
            _ if ends_with_one(REASONS) => OutcomeField::FailureReason,
            _ if !ends_with_one(STATUSES) => return None,
            (true, _) => OutcomeField::LoginStatus,
            (_, true) => OutcomeField::ThingStatus,
            _ => OutcomeField::EventStatus,
        })
    }
}

/// Whether a key of an object, as it is written, ends as a field may that says how an event ended.
/// Nearly none does, and every event has many keys.
fn may_state(key: Node<'_>) -> bool {
    let [.., a, b, c, d, b'"'] = key.raw().as_bytes() else {
        return false;
    };
    ENDS.contains(&[a, b, c, d].map(u8::to_ascii_lowercase))
}

/// Whether the last word of `name` is `word`, also where camelCase begins it.
fn ends_with_word(name: &str, word: &str) -> bool {
    let parts = name.len().checked_sub(word.len()).and_then(|at| name.split_at_checked(at));
    parts.is_some_and(|(before, end)| {
        let is_camel = before.ends_with(char::is_lowercase) && end.starts_with(char::is_uppercase);
        end.eq_ignore_ascii_case(word) && (is_camel || !before.ends_with(char::is_alphanumeric))
    })
}

/// Weighs the fields of an organization's event: those of `attributes`, and those of each item of
/// `context` and of its attributes. Where Atlassian puts them is not documented.
pub fn weigh_context<'a>(event: &mut Event<'_>, attributes: Node<'a>, context: Option<Node<'a>>) {
    let mut stated = read_fields(event, attributes, None);
    for item in context.filter(|one| one.is_object()).into_iter().chain(items(context)) {
        stated.extend(read_fields(event, item, Some(item)));
        if let Some(attributes) = item.get("attributes") {
            stated.extend(read_fields(event, attributes, Some(item)));
        }
    }
    settle(event, stated);
}

/// What the fields of `node` say: of the event itself, or of the thing `item` of its context.
fn read_fields(event: &Event<'_>, node: Node<'_>, item: Option<Node<'_>>) -> Vec<Outcome> {
    let is_login = event.category == Category::Authentication;
    let mut stated_there = Vec::new();
    for (name, value) in node.entries() {
        if !may_state(name) {
            continue;
        }
        let name = name.text().unwrap_or_default();
        let Some(field) = OutcomeField::of(&name, is_login, item.is_some()) else {
            continue;
        };
        let is_status = matches!(field, OutcomeField::LoginStatus | OutcomeField::ThingStatus);
        if !(is_status && item.is_some_and(is_workflow_thing)) {
            stated_there.extend(stated(field, value, &event.action));
        }
    }
    stated_there
}

fn is_workflow_thing(item: Node<'_>) -> bool {
    let kind = item.text_of("type").filter(|kind| kind.len() <= LONGEST);
    let kind = kind.and_then(|kind| taxonomy::snake_case(&part_camel_case(&kind)));
    kind.is_some_and(|kind| {
        kind.contains("work_item") || kind.split('_').any(|word| has_word(WORKFLOW_TYPES, word))
    })
}

/// Weighs a Data Center's extra attributes, by their names or by the ends of the keys of these,
/// which are the same in every language.
pub fn weigh_attributes<'a>(event: &mut Event<'_>, list: Option<Node<'a>>) {
    let is_login = event.category == Category::Authentication;
    let read = |attribute: Node<'a>| {
        let [name, key, value] = attribute.fields(["name", "nameI18nKey", "value"]);
        let mut names = [name, key].into_iter().flatten().filter_map(Node::text);
        let field = names.find_map(|name| OutcomeField::of(&name, is_login, true))?;
        let outcome = stated(field, value?, &event.action)?;
        // A state in another language is no word that is known here.
        let is_foreign = field == OutcomeField::LoginStatus && outcome == Outcome::Unknown;
        (!is_foreign).then_some(outcome)
    };
    let stated = items(list).filter_map(read).collect();
    settle(event, stated);
}

/// An event that failed may say so only at the start of its text.
pub fn weigh_message(event: &mut Event<'_>) {
    let text = event.summary.as_deref().or(event.message.as_deref()).unwrap_or_default();
    if says_failed(text, event.category) && event.action != UNPARSED {
        event.outcome = Outcome::Failure;
    }
}

/// The same by what the source says beside its summary.
pub fn weigh_description(event: &mut Event<'_>, text: Option<&str>) {
    if says_failed(text.unwrap_or_default(), event.category) && event.action != UNPARSED {
        event.outcome = Outcome::Failure;
    }
}

/// Whether `text` begins with a word for a failure or, of a login, ends with one.
fn says_failed(text: &str, category: Category) -> bool {
    if ["failed", "failure", "unsuccessful"].iter().any(|word| begins_with_word(text, word)) {
        return true;
    }
    if category != Category::Authentication {
        return false;
    }
    let mut last = text.rsplit(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    last.next().is_some_and(|word| word.eq_ignore_ascii_case("failed"))
        && !last.next().is_some_and(|word| has_word(NEGATIONS, &word.to_ascii_lowercase()))
}

fn begins_with_word(text: &str, word: &str) -> bool {
    let parts = text.split_at_checked(word.len());
    parts.is_some_and(|(start, rest)| {
        start.eq_ignore_ascii_case(word) && !rest.starts_with(char::is_alphanumeric)
    })
}

/// Changes the outcome to what is `stated`: a failure before anything else, then what is unknown.
/// An action that is called a failure stays one. One that could not be read has no outcome.
fn settle(event: &mut Event<'_>, stated: Vec<Outcome>) {
    let ranked = [Outcome::Failure, Outcome::Unknown, Outcome::Success];
    let strongest = ranked.into_iter().find(|outcome| stated.contains(outcome));
    if event.outcome != Outcome::Failure && event.action != UNPARSED {
        event.outcome = strongest.unwrap_or(event.outcome);
    }
}

/// How an event ended by the value of one field, if it says that at all: a text, number or boolean,
/// alone in a list, or as the value or name of an object.
fn stated(field: OutcomeField, value: Node<'_>, action: &str) -> Option<Outcome> {
    let mut listed = value.items();
    let value = listed.next().filter(|_| listed.next().is_none()).unwrap_or(value);
    let text = value.scalar().or_else(|| first_scalar(value.fields(["value", "name"])))?;
    if text.len().max(action.len()) > LONGEST {
        return None;
    }
    let text = taxonomy::snake_case(&part_camel_case(&text))?;
    // A word of the action's own name says nothing more: `user_blocked` leaves the user blocked.
    let is_own = |word: &&str| action.split('_').any(|own| own == *word);
    let words: Vec<&str> = text.split('_').filter(|word| !is_own(word)).collect();
    match (field, &*words) {
        (_, []) => None,
        (OutcomeField::FailureReason, _) => {
            (!has_word(NO_REASON, &text)).then_some(Outcome::Failure)
        }
        (OutcomeField::ThingStatus, [word]) if has_word(THING_FAILED, word) => {
            Some(Outcome::Failure)
        }
        (OutcomeField::ThingStatus, [word]) if has_word(THING_DONE, word) => Some(Outcome::Success),
        (OutcomeField::ThingStatus, _) => None,
        (OutcomeField::Success, [word]) if word.parse::<u64>().is_ok() => None,
        (OutcomeField::Result | OutcomeField::Success, ["true" | "yes"]) => Some(Outcome::Success),
        (OutcomeField::Result | OutcomeField::Success, ["false" | "no"]) => Some(Outcome::Failure),
        (_, words) => read_words(field, words),
    }
}

/// How an event ended by the words of a result or of its own status. What is denied or mixed is
/// unknown: it must not be taken for its opposite.
fn read_words(field: OutcomeField, words: &[&str]) -> Option<Outcome> {
    let has_one = |list: &str| words.iter().any(|word| has_word(list, word));
    let number = words.first().filter(|_| words.len() == 1).and_then(|word| word.parse().ok());
    let is_refusal = words.windows(2).any(|two| {
        matches!(two, ["not", "allowed" | "permitted" | "authorized" | "authorised" | "accepted"])
    });
    let is_denied = words.len() > 1 && has_one(NEGATIONS);
    Some(match (field, number) {
        // Of HTTP.
        (_, Some(200_u64..=299)) => Outcome::Success,
        (_, Some(400..=599)) => Outcome::Failure,
        _ if is_refusal => Outcome::Failure,
        _ if is_denied || has_one(FAILED) && has_one(DONE) => Outcome::Unknown,
        _ if has_one(FAILED) => Outcome::Failure,
        _ if has_one(IN_DOUBT) => Outcome::Unknown,
        _ if has_one(DONE) => Outcome::Success,
        (OutcomeField::LoginStatus, _) if has_one(UNUSABLE) => Outcome::Failure,
        (OutcomeField::LoginStatus | OutcomeField::EventStatus, _)
            if has_one(UNUSABLE) || has_one(USABLE) =>
        {
            return None;
        }
        _ => Outcome::Unknown,
    })
}

fn has_word(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Document;
    use crate::model::name::SourceKind;
    use crate::normalise::testing::normalised;
    use serde_json::{Value, json};

    #[test]
    fn a_key_with_the_name_of_a_field_is_looked_at() {
        for name in [STATUSES, RESULTS, SUCCESSES, REASONS].iter().flat_map(|list| list.split(' '))
        {
            let object = Document::new(format!("{{\"Login_{name}\":1}}").into());
            assert!(object.root().entries().all(|(key, _)| may_state(key)), "{name}");
        }
    }

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
            "REJECT",
            "deny",
            "LOCKED",
            "fails",
            "unsuccessfully",
            "not_allowed",
            "wrong password",
            "expired",
            "aborted",
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
        for text in ["MFA_REQUIRED", "partially completed", "in progress", "7"] {
            assert_eq!(of_login("status", text), "unknown", "{text}");
        }
        assert_eq!(of_login("result", "active"), "unknown");
        assert_eq!(of_login("status", 302), "unknown");
    }

    #[test]
    fn what_is_denied_or_mixed_is_not_taken_for_its_opposite() {
        for text in [
            "not successful",
            "no success",
            "success=false",
            "ok: false",
            "no error",
            "error: none",
            "0 failed",
            "not failed",
            "not blocked",
            "not active",
            "success: error",
            "successful (2 failed attempts before)",
        ] {
            for field in ["status", "result"] {
                assert_eq!(of_login(field, text), "unknown", "{field} {text}");
            }
        }
    }

    #[test]
    fn a_login_into_what_cannot_be_used_failed() {
        for state in [
            "DISABLED",
            "SUSPENDED",
            "EXPIRED",
            "REVOKED",
            "INACTIVE",
            "UNVERIFIED",
            "PENDING",
            "closed",
            "deleted",
            "false",
        ] {
            assert_eq!(of_login("status", state), "failure", "{state}");
        }
        for state in ["ACTIVE", "enabled", "true", "verified"] {
            assert_eq!(of_login("status", state), "success", "{state}");
        }
    }

    #[test]
    fn a_field_is_known_by_the_last_word_of_its_name() {
        for field in [
            "Status",
            "STATUS",
            "loginStatus",
            "login_result",
            "authStatus",
            "statusCode",
            "isSuccess",
            "successful",
            "failureReason",
            "errorCode",
        ] {
            assert_eq!(of_login(field, "WRONG_PASSWORD"), "failure", "{field}");
        }
        for field in ["statusText", "apparatus", "bestresult", "results", "statusé", ""] {
            assert_eq!(of_login(field, "WRONG_PASSWORD"), "success", "{field}");
        }
        assert_eq!(of_login("isSuccess", false), "failure");
    }

    #[test]
    fn a_reason_that_is_none_is_no_failure() {
        for none in ["none", "NO_ERROR", "n/a", "0"] {
            assert_eq!(of_login("errorCode", none), "success", "{none}");
        }
    }

    #[test]
    fn a_value_may_be_packed() {
        for value in [json!(["failed"]), json!({"name": "failed"}), json!({"value": "failed"})] {
            assert_eq!(of_login("status", value.clone()), "failure", "{value}");
        }
        let context = json!({"context": {"type": "users", "attributes": {"status": "failed"}}});
        assert_eq!(outcome("user_login", context), "failure", "no list");
    }

    #[test]
    fn what_could_not_be_read_has_no_outcome() {
        let context = json!([{"status": "success"}]);
        let attributes = json!({"context": context, "result": "failed"});
        let record = json!({"attributes": attributes, "message": {"content": "Failed to log in"}});
        let event = normalised(SourceKind::OrgEvents, &record.to_string());
        assert_eq!((&event["action"], &event["outcome"]), (&"unparsed".into(), &"unknown".into()));
    }

    #[test]
    fn a_text_without_end_is_not_read() {
        let long = "b_".repeat(100_000);
        assert_eq!(of_login("status", format!("{long}failed")), "success");
        let start = std::time::Instant::now();
        outcome(&"a_".repeat(100_000), json!({"status": long}));
        assert!(start.elapsed() < std::time::Duration::from_secs(5));
    }

    #[test]
    fn a_boolean_is_read_where_it_is_no_state() {
        for field in ["result", "outcome", "success"] {
            assert_eq!(of_login(field, false), "failure", "{field}");
            assert_eq!(of_login(field, true), "success", "{field}");
        }
        assert_eq!(of_login("success", 3), "success", "a count");
    }

    #[test]
    fn the_state_of_a_thing_is_no_outcome() {
        for state in ["active", "DEACTIVATED", "enabled", "archived", "pending", "expired"] {
            let of_thing = json!({"context": [{"type": "users", "attributes": {"status": state}}]});
            assert_eq!(outcome("user_added_to_group", of_thing), "success", "{state}");
        }
        for none in [json!(null), json!(" "), json!({"id": "failed"}), json!(["failed", "ok"])] {
            assert_eq!(of_login("status", none.clone()), "success", "{none}");
        }
    }

    #[test]
    fn the_status_of_a_thing_is_not_that_of_the_event() {
        let of_thing = |action, kind: &str, status: &str| {
            let things = json!([{"type": kind, "attributes": {"status": status}}]);
            outcome(action, json!({"context": things}))
        };
        for (action, kind, status) in [
            ("api_token_revoked", "tokens", "invalid"),
            ("user_deactivated", "users", "blocked"),
            ("domain_removed", "domains", "verification failed"),
            ("jira_workflow_updated", "statuses", "Rejected"),
            ("jira_issue_viewed", "issues", "Failed"),
            ("jira_issue_viewed", "ISSUE", "Failed"),
            ("jira_issue_viewed", "work-items", "Failed"),
            ("jira_issue_viewed", "ticket", "Failed"),
        ] {
            assert_eq!(of_thing(action, kind, status), "success", "{action} {kind} {status}");
        }
        for status in ["failed", "ERROR", "denied"] {
            assert_eq!(of_thing("api_token_revoked", "tokens", status), "failure", "{status}");
        }
        assert_eq!(of_thing("user_deactivated", "tissues", "failed"), "failure");
    }

    #[test]
    fn a_word_of_the_actions_own_name_says_nothing_more() {
        let locked = json!({"status": "locked"});
        assert_eq!(outcome("user_locked", locked.clone()), "success");
        assert_eq!(outcome("user_updated", locked), "failure");
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
        assert_eq!(outcome("Failure to log in"), "failure");
        assert_eq!(outcome("Unsuccessful login"), "failure");
        assert_eq!(outcome("Login failed."), "failure");
        assert_eq!(outcome("Login not failed"), "success");
        assert_eq!(outcome("Failedover"), "success");
        assert_eq!(outcome("Ada logged in after she failed twice"), "success");
        let jira = normalised(SourceKind::JiraAudit, r#"{"summary":"Failed to create user"}"#);
        assert_eq!(jira["outcome"], "failure");
        let described = r#"{"summary":"User login","description":"Failed: password"}"#;
        for kind in [SourceKind::JiraAudit, SourceKind::ConfluenceAudit] {
            assert_eq!(normalised(kind, described)["outcome"], "failure", "{kind:?}");
        }
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
        assert_eq!(outcome(" Result ", "", "Failed"), "failure");
        assert_eq!(outcome("RESULT:", "", "Failed"), "failure");
        assert_eq!(outcome("Login status", "", "Failed"), "failure");
        assert_eq!(outcome("Status", "", "Blocked"), "success");
        assert_eq!(outcome("Results returned", "example.attribute.results", "failed"), "success");
    }
}
