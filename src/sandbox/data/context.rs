//! What an event is about: the items of `context` and `container`, and the words for the message.

use fastrand::Rng;

use super::{
    actions::SubjectKind,
    people::{self, SamplePerson},
};
use crate::sandbox::{CLOUD_ID, JIRA_SITE, ORG_ID, ORG_NAME, json_text::JsonObject};

const GROUPS: [&str; 5] =
    ["jira-admins", "confluence-users", "optics-team", "finance", "contractors"];
const PRODUCTS: [&str; 3] = ["Jira", "Confluence", "Jira Service Management"];

/// What an event is about.
#[derive(Clone, Debug)]
pub struct EventSubject {
    /// The items of `context`, JSON.
    pub items: Vec<String>,
    /// What `{1}` and `{2}` of the message stand for.
    pub words: [&'static str; 2],
}

/// Draws what an event of this kind is about.
pub fn subject(about: SubjectKind, actor: &'static SamplePerson, rng: &mut Rng) -> EventSubject {
    match about {
        SubjectKind::Self_ => EventSubject { items: vec![user(actor)], words: [actor.name, ""] },
        SubjectKind::Org => EventSubject { items: vec![org()], words: [ORG_NAME, ""] },
        SubjectKind::User => {
            let other = another(actor, rng);
            EventSubject { items: vec![user(other)], words: [other.name, ""] }
        }
        SubjectKind::Membership => {
            let (other, name) = (another(actor, rng), GROUPS[rng.usize(..GROUPS.len())]);
            EventSubject {
                items: vec![user(other), thing("groups", name)],
                words: [other.name, name],
            }
        }
        SubjectKind::Access => {
            let (other, name) = (another(actor, rng), PRODUCTS[rng.usize(..PRODUCTS.len())]);
            EventSubject {
                items: vec![user(other), thing("products", name)],
                words: [other.name, name],
            }
        }
        SubjectKind::Thing(kind, names) => {
            let name = names[rng.usize(..names.len())];
            EventSubject { items: vec![thing(kind, name)], words: [name, ""] }
        }
    }
}

/// A `users` item.
pub fn user(person: &SamplePerson) -> String {
    let attributes = JsonObject::new()
        .text("name", person.name)
        .text("email", person.email)
        .text("accountType", "atlassian")
        .finish();
    item(person.account_id, "users", &attributes, "{}")
}

/// An item of another type. The same name has the same id.
pub fn thing(kind: &str, name: &str) -> String {
    let attributes = JsonObject::new().text("name", name);
    let attributes = match kind {
        "groups" => attributes.text("groupName", name),
        "products" => attributes.text("siteHostName", JIRA_SITE),
        _ => attributes,
    };
    item(&id_of(kind, name), kind, &attributes.finish(), "{}")
}

/// The `orgs` item.
pub fn org() -> String {
    let attributes =
        JsonObject::new().text("name", ORG_NAME).text("domain", "lindenfell.example").finish();
    item(ORG_ID, "orgs", &attributes, "{}")
}

/// `container` of an event: the site for what happens in a product, the organization otherwise.
pub fn container(action: &str) -> Vec<String> {
    let in_product = ["jira_", "confluence_"].iter().any(|prefix| action.starts_with(prefix));
    if !in_product {
        let attributes = JsonObject::new().text("name", ORG_NAME).finish();
        return vec![item(ORG_ID, "orgs", &attributes, "{}")];
    }
    let attributes = JsonObject::new()
        .text("siteName", "lindenfell-example")
        .text("siteHostName", JIRA_SITE)
        .finish();
    let link = JsonObject::new().text("alt", &format!("https://{JIRA_SITE}")).finish();
    vec![item(CLOUD_ID, "sites", &attributes, &link)]
}

fn item(id: &str, kind: &str, attributes: &str, links: &str) -> String {
    JsonObject::new()
        .text("id", id)
        .text("type", kind)
        .raw("attributes", attributes)
        .raw("links", links)
        .finish()
}

fn another(actor: &SamplePerson, rng: &mut Rng) -> &'static SamplePerson {
    loop {
        let other = people::random_person(rng);
        if other.account_id != actor.account_id {
            return other;
        }
    }
}

/// A stable id: FNV-1a of type and name.
fn id_of(kind: &str, name: &str) -> String {
    let hash = kind.bytes().chain(name.bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
