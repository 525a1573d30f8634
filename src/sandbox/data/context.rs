//! What an event is about: the items of `context` and `container`, and the words for the message.

use fastrand::Rng;

use super::{
    actions::About,
    people::{self, Person},
};
use crate::sandbox::{CLOUD_ID, JIRA_SITE, ORG_ID, ORG_NAME, json_text::Object};

const GROUPS: [&str; 5] = [
    "jira-admins",
    "confluence-users",
    "optics-team",
    "finance",
    "contractors",
];
const PRODUCTS: [&str; 3] = ["Jira", "Confluence", "Jira Service Management"];

/// What an event is about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The items of `context`, JSON.
    pub items: Vec<String>,
    /// What `{1}` and `{2}` of the message stand for.
    pub words: [&'static str; 2],
}

/// Draws what an event of this kind is about.
pub fn draw_subject(about: About, actor: &'static Person, rng: &mut Rng) -> Subject {
    match about {
        About::ActorOnly => Subject {
            items: vec![user(actor)],
            words: [actor.name, ""],
        },
        About::Org => Subject {
            items: vec![org()],
            words: [ORG_NAME, ""],
        },
        About::User => {
            let other = other_person(actor, rng);
            Subject {
                items: vec![user(other)],
                words: [other.name, ""],
            }
        }
        About::Membership => {
            let (other, name) = (other_person(actor, rng), GROUPS[rng.usize(..GROUPS.len())]);
            Subject {
                items: vec![user(other), thing("groups", name)],
                words: [other.name, name],
            }
        }
        About::Access => {
            let (other, name) = (other_person(actor, rng), PRODUCTS[rng.usize(..PRODUCTS.len())]);
            Subject {
                items: vec![user(other), thing("products", name)],
                words: [other.name, name],
            }
        }
        About::Thing(kind, names) => {
            let name = names[rng.usize(..names.len())];
            Subject {
                items: vec![thing(kind, name)],
                words: [name, ""],
            }
        }
    }
}

/// A `users` item.
pub fn user(person: &Person) -> String {
    let attributes = Object::new()
        .text("name", person.name)
        .text("email", person.email)
        .text("accountType", "atlassian")
        .finish();
    item(person.account_id, "users", &attributes, "{}")
}

/// An item of another type. The same name has the same id.
pub fn thing(kind: &str, name: &str) -> String {
    let attributes = Object::new().text("name", name);
    let attributes = match kind {
        "groups" => attributes.text("groupName", name),
        "products" => attributes.text("siteHostName", JIRA_SITE),
        _ => attributes,
    };
    item(&id_of(kind, name), kind, &attributes.finish(), "{}")
}

/// The `orgs` item.
pub fn org() -> String {
    let attributes = Object::new()
        .text("name", ORG_NAME)
        .text("domain", "lindenfell.example")
        .finish();
    item(ORG_ID, "orgs", &attributes, "{}")
}

/// `container` of an event: the site for what happens in a product, the organization otherwise.
pub fn container(action: &str) -> Vec<String> {
    let in_product = ["jira_", "confluence_"]
        .iter()
        .any(|prefix| action.starts_with(prefix));
    if !in_product {
        let attributes = Object::new().text("name", ORG_NAME).finish();
        return vec![item(ORG_ID, "orgs", &attributes, "{}")];
    }
    let attributes = Object::new()
        .text("siteName", "lindenfell-example")
        .text("siteHostName", JIRA_SITE)
        .finish();
    let link = Object::new()
        .text("alt", &format!("https://{JIRA_SITE}"))
        .finish();
    vec![item(CLOUD_ID, "sites", &attributes, &link)]
}

fn item(id: &str, kind: &str, attributes: &str, links: &str) -> String {
    Object::new()
        .text("id", id)
        .text("type", kind)
        .raw("attributes", attributes)
        .raw("links", links)
        .finish()
}

fn other_person(actor: &Person, rng: &mut Rng) -> &'static Person {
    loop {
        let other = people::random_person(rng);
        if other.account_id != actor.account_id {
            return other;
        }
    }
}

/// A stable id: FNV-1a of type and name.
fn id_of(kind: &str, name: &str) -> String {
    let hash = kind
        .bytes()
        .chain(name.bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{hash:016x}")
}
