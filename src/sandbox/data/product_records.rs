//! Composes the records of Jira, Confluence and Data Center.

use chrono::{DateTime, SecondsFormat, Utc};
use fastrand::Rng;

use super::{
    people::{self, SamplePerson},
    record_table::{RecordKind, draw_name},
};
use crate::sandbox::json_text::{JsonObject, JsonText, array, object};

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
    let by = match kind.object {
        "Space" | "Page" => people::random_person(rng),
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
    let product = datacenter_product(kind);
    let is_own = matches!(kind.category, "Security" | "Authentication");
    let by = match kind.category {
        "Pages" | "Import/export" | "Repositories" => people::random_person(rng),
        _ if is_own => people::random_person(rng),
        _ => people::random_admin(rng),
    };
    let about = if is_own { by } else { people::random_person(rng) };
    let affected = datacenter_object(product, kind.object, &kind.names, about, rng);
    let associated = match kind.associated {
        "" => None,
        what => {
            let (names, other) = (associated_names(what), people::random_person(rng));
            Some(datacenter_object(product, what, names, other, rng))
        }
    };
    // Where no other key is known, the text is the key, as seen of Confluence.
    let (text, key) = kind.text.split_once('|').unwrap_or((kind.text, kind.text));
    let value = draw_change(kind, rng);
    let (attributes, changes) = match key.contains(".attribute.") {
        true => (value, None),
        false => (None, value),
    };
    let change = changes.map(|(from, to)| {
        // A value that is not there is left out.
        let verb = kind.name.rsplit(' ').next().unwrap_or_default();
        let is_new = matches!(verb, "added" | "created" | "granted");
        let (from, to) = (JsonText::when(!is_new, from), JsonText::when(verb != "revoked", to));
        object! {"key": text, "i18nKey": key, "from": from, "to": to}
    });
    object! {
        "timestamp": timestamp(created_ms),
        "author": datacenter_person(product, by, None),
        "type": datacenter_type([kind.category, kind.name], kind.keys),
        "affectedObjects": array([affected].into_iter().chain(associated)),
        "changedValues": array(change),
        "source": by.ip,
        "system": datacenter_url(product),
        "node": "node-1",
        "method": "Browser",
        "extraAttributes": array(attributes.map(|(_, to)| datacenter_attribute(text, key, to))),
    }
}

/// A search in the log of Data Center, which the log holds as well.
pub fn datacenter_search(created_ms: i64, user: &str, source: &str, found: &str) -> JsonObject {
    let url = datacenter_url("jira");
    let author = object! {
        "name": user, "type": "ApplicationUser", "id": "JIRAUSER10000",
        "uri": format!("{url}/secure/ViewProfile.jspa?name={user}"), "avatarUri": "",
    };
    let attributes = [
        datacenter_attribute("Query", "atlassian.audit.event.attribute.query", ""),
        datacenter_attribute("Results returned", "atlassian.audit.event.attribute.results", found),
    ];
    let keys =
        ["atlassian.audit.event.action.audit.search", "atlassian.audit.event.category.audit"];
    object! {
        "timestamp": timestamp(created_ms),
        "author": author,
        "type": datacenter_type(["Auditing", "Audit Log search performed"], keys),
        "affectedObjects": [(); 0],
        "changedValues": [(); 0],
        "source": source,
        "system": url,
        "node": "node-1",
        "method": "REST",
        "extraAttributes": array(attributes),
    }
}

/// The product whose keys begin as those of `kind`. What products share is Jira's here.
fn datacenter_product(kind: &RecordKind) -> &'static str {
    match kind.keys[0].split('.').next() {
        Some("audit") => "confluence",
        Some("bitbucket") => "bitbucket",
        _ => "jira",
    }
}

/// The address of a product, as its events name it.
fn datacenter_url(product: &str) -> String {
    format!("https://{product}.lindenfell.example")
}

/// A person as each product writes one: as an author, or as an object of type `kind`.
fn datacenter_person(product: &str, person: &SamplePerson, kind: Option<&str>) -> JsonObject {
    let number = people::people().iter().position(|known| known.account_id == person.account_id);
    let (number, login) = (number.unwrap_or_default(), person.user_name());
    let (name, user, id, path) = match product {
        "confluence" => {
            let id = format!("8a8081c28f3e5d10018f3e5e{number:08x}");
            (person.name, "user", id, "admin/users/viewuser.action?username=")
        }
        "bitbucket" => (login, "NORMAL", (number + 2).to_string(), "users/"),
        _ => {
            let id = format!("JIRAUSER{}", 10_100 + number);
            (login, "ApplicationUser", id, "secure/ViewProfile.jspa?name=")
        }
    };
    object! {
        "name": name, "type": kind.unwrap_or(user),
        "uri": format!("{}/{path}{login}", datacenter_url(product)), "id": id,
        "avatarUri": JsonText::when(kind.is_none(), ""),
    }
}

/// `type`; a key that is not known is left out.
fn datacenter_type([category, action]: [&str; 2], [key, category_key]: [&str; 2]) -> JsonObject {
    object! {
        "categoryI18nKey": JsonText::when(!category_key.is_empty(), category_key),
        "category": category, "actionI18nKey": key, "action": action,
    }
}

/// One of `affectedObjects`: one of `names`, or where there is none, `person`.
fn datacenter_object(
    product: &str,
    kind: &str,
    names: &[&str],
    person: &SamplePerson,
    rng: &mut Rng,
) -> JsonObject {
    if names.is_empty() {
        return datacenter_person(product, person, Some(kind));
    }
    let number = rng.usize(..names.len());
    let id = (10_200 + number).to_string();
    let uri = format!("{}/{}/{id}", datacenter_url(product), kind.to_lowercase());
    object! {"name": names[number], "type": kind, "uri": uri, "id": id}
}

/// One of `extraAttributes`.
fn datacenter_attribute(name: &str, key: &str, value: &str) -> JsonObject {
    object! {"name": name, "nameI18nKey": key, "value": value}
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
