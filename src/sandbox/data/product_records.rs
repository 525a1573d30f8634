//! Composes the records of Jira, Confluence and Data Center.

use chrono::{DateTime, SecondsFormat, Utc};
use fastrand::Rng;

use super::{
    people::{self, SamplePerson},
    record_table::{RecordKind, draw_name},
};
use crate::sandbox::json_text::{JsonObject, JsonText, array, object};

/// The address of the Data Center product, as its events name it.
const DATACENTER_URL: &str = "https://jira.lindenfell.example";

/// A record of Jira. What is not changed, and what nothing is associated with, is left out.
pub fn jira(kind: &RecordKind, rng: &mut Rng, id: usize, created_ms: i64) -> JsonObject {
    let author = people::random_admin(rng);
    let key: String = author.account_id.chars().rev().take(8).collect();
    object! {
        "id": id,
        "summary": kind.name,
        "remoteAddress": author.ip,
        "authorKey": format!("ug:{key}"),
        "authorAccountId": author.account_id,
        "created": time(created_ms).format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string(),
        "category": kind.category,
        "eventSource": "",
        "description": JsonText::default(),
        "objectItem": jira_object(kind.object, &kind.names, rng),
        "changedValues": jira_change(kind, rng),
        "associatedItems": match kind.associated {
            "" => JsonText::default(),
            what => array([jira_object(what, associated_names(what), rng)]),
        },
    }
}

/// `objectItem` or an associated item; groups and users have the directory as parent.
fn jira_object(kind: &str, names: &[&str], rng: &mut Rng) -> JsonObject {
    let (id, name) = match names {
        [] => {
            let person = people::random_person(rng);
            (person.account_id.to_owned(), person.name)
        }
        names => {
            let number = rng.usize(..names.len());
            let id = match kind {
                "GROUP" => names[number].to_owned(),
                "CUSTOM_FIELD" => format!("customfield_{}", 10_080 + number),
                _ => (10_200 + number).to_string(),
            };
            (id, names[number])
        }
    };
    let mut item = object! {"id": id, "name": name, "typeName": kind};
    if matches!(kind, "USER" | "GROUP") {
        item.set("parentId", "1".into());
        item.set("parentName", "Directory".into());
    }
    item
}

/// `changedValues`; a value that is empty is left out, as Jira does.
fn jira_change(kind: &RecordKind, rng: &mut Rng) -> JsonText {
    let Some((from, to)) = draw_change(kind, rng) else {
        return JsonText::default();
    };
    let from = JsonText::when(from != to && !from.is_empty(), from);
    array([object! {"fieldName": kind.text, "changedFrom": from, "changedTo": to}])
}

/// A record of Confluence.
pub fn confluence(kind: &RecordKind, rng: &mut Rng, created_ms: i64) -> JsonObject {
    // What happens to spaces and pages is anybody's doing, the rest an administrator's.
    let by = match kind.category {
        "Spaces" | "Pages" | "Import/export" => people::random_person(rng),
        _ => people::random_admin(rng),
    };
    let mut object = |what: &str, names: &[&str]| {
        let name = match names {
            [] => people::random_person(rng).name,
            names => draw_name(rng, names),
        };
        object! {"name": name, "objectType": what}
    };
    let affected = object(kind.object, &kind.names);
    let associated = match kind.associated {
        "" => None,
        what => Some(object(what, associated_names(what))),
    };
    let author = object! {
        "type": "user", "displayName": by.name, "operations": (), "accountId": by.account_id,
        "accountType": "atlassian", "publicName": by.name, "isExternalCollaborator": false,
        "externalCollaborator": false, "isGuest": false,
    };
    // What was granted was not there before, what was taken away is not there now.
    let change = draw_change(kind, rng).map(|(from, to)| {
        let (old, new) = match kind.name.rsplit(' ').next() {
            Some("added" | "created" | "installed" | "exported") => ("", to),
            Some("removed") => (from, ""),
            _ => (from, to),
        };
        object! {
            "name": kind.text, "oldValue": old, "newValue": new, "hiddenOldValue": "",
            "hiddenNewValue": "",
        }
    });
    object! {
        "author": author, "remoteAddress": by.ip, "creationDate": created_ms,
        "summary": kind.name, "description": "", "category": kind.category, "sysAdmin": false,
        "superAdmin": false, "affectedObject": affected, "changedValues": array(change),
        "associatedObjects": array(associated),
    }
}

/// An event of Data Center.
pub fn datacenter(kind: &RecordKind, rng: &mut Rng, created_ms: i64) -> JsonObject {
    let by = match kind.category {
        "End user activity" => people::random_person(rng),
        _ => people::random_admin(rng),
    };
    let affected = datacenter_object(kind.object, &kind.names, rng);
    let associated = match kind.associated {
        "" => None,
        what => Some(datacenter_object(what, associated_names(what), rng)),
    };
    let token = (kind.object == "TOKEN").then(|| datacenter_attribute("Token expiry", "365 days"));
    // A value that is not there is left out.
    let change = draw_change(kind, rng).map(|(from, to)| {
        let verb = kind.name.rsplit(' ').next().unwrap_or_default();
        let is_new = matches!(verb, "added" | "created" | "granted" | "installed");
        let is_gone = matches!(verb, "deleted" | "revoked");
        let (from, to) = (JsonText::when(!is_new, from), JsonText::when(!is_gone, to));
        object! {"key": kind.text, "i18nKey": key("change", kind.text), "from": from, "to": to}
    });
    object! {
        "timestamp": timestamp(created_ms),
        "author": datacenter_author(by.user_name(), &user_id(by)),
        "type": datacenter_type(kind.category, kind.name),
        "affectedObjects": array([affected].into_iter().chain(associated)),
        "changedValues": array(change),
        "source": by.ip,
        "system": DATACENTER_URL,
        "node": "node-1",
        "method": "Browser",
        "extraAttributes": array(token),
    }
}

/// A search in the log of Data Center, which the log holds as well.
pub fn datacenter_search(created_ms: i64, user: &str, source: &str, found: &str) -> JsonObject {
    let attributes =
        [datacenter_attribute("Query", ""), datacenter_attribute("Results returned", found)];
    object! {
        "timestamp": timestamp(created_ms),
        "author": datacenter_author(user, "JIRAUSER10000"),
        "type": datacenter_type("Auditing", "Audit Log search performed"),
        "affectedObjects": [(); 0],
        "changedValues": [(); 0],
        "source": source,
        "system": DATACENTER_URL,
        "node": "node-1",
        "method": "REST",
        "extraAttributes": array(attributes),
    }
}

fn datacenter_author(name: &str, id: &str) -> JsonObject {
    object! {
        "name": name, "type": "ApplicationUser", "id": id, "uri": profile(name), "avatarUri": "",
    }
}

fn datacenter_type(category: &str, action: &str) -> JsonObject {
    object! {
        "categoryI18nKey": key("category", category), "category": category,
        "actionI18nKey": key("action", action), "action": action,
    }
}

/// One of `affectedObjects`.
fn datacenter_object(kind: &str, names: &[&str], rng: &mut Rng) -> JsonObject {
    let (name, uri, id) = match names {
        [] => {
            let person = people::random_person(rng);
            (person.user_name(), profile(person.user_name()), user_id(person))
        }
        names => {
            let number = rng.usize(..names.len());
            let id = (10_200 + number).to_string();
            (names[number], format!("{DATACENTER_URL}/{}/{id}", kind.to_lowercase()), id)
        }
    };
    object! {"name": name, "type": kind, "uri": uri, "id": id}
}

/// One of `extraAttributes`.
fn datacenter_attribute(name: &str, value: &str) -> JsonObject {
    object! {"name": name, "nameI18nKey": key("attribute", name), "value": value}
}

fn user_id(person: &SamplePerson) -> String {
    let number = people::people().iter().position(|known| known.account_id == person.account_id);
    format!("JIRAUSER{}", 10_100 + number.unwrap_or_default())
}

fn profile(name: &str) -> String {
    format!("{DATACENTER_URL}/secure/ViewProfile.jspa?name={name}")
}

/// The translation key of a word.
fn key(what: &str, word: &str) -> String {
    format!("lindenfell.audit.{what}.{}", word.to_lowercase().replace(' ', "."))
}

fn timestamp(created_ms: i64) -> String {
    time(created_ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn time(created_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(created_ms).unwrap_or_default()
}

/// What the changed value was before and after; nothing where none is changed.
fn draw_change(kind: &RecordKind, rng: &mut Rng) -> Option<(&'static str, &'static str)> {
    let has_value = !kind.values.is_empty();
    has_value.then(|| (draw_name(rng, &kind.values), draw_name(rng, &kind.values)))
}

/// The names of what a record is also about; none for people.
fn associated_names(kind: &str) -> &'static [&'static str] {
    match kind {
        "USER" | "User" => &[],
        "GROUP" | "Group" => &["optics-team", "finance"],
        "Space" => &["Engineering", "Optics Lab", "Finance"],
        _ => &["Lens production", "Operations"],
    }
}
