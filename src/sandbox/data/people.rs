//! The company's people and service accounts, and how they appear as actors and locations.

use std::sync::LazyLock;

use fastrand::Rng;

use super::record_table::lines;
use crate::sandbox::{
    ORG_ID,
    json_text::{JsonObject, JsonText, object},
};

/// Somebody, or something, that acts.
#[derive(Debug)]
pub struct SamplePerson {
    /// Display name.
    pub name: &'static str,
    /// Address at the company's made-up domain.
    pub email: &'static str,
    /// Atlassian account id.
    pub account_id: &'static str,
    /// Where requests come from.
    pub ip: &'static str,
    /// Country, region, city and coordinates of that.
    pub place: [&'static str; 4],
}

impl SamplePerson {
    /// The name to sign in with at a Data Center product: the address before the `@`.
    pub fn user_name(&self) -> &'static str {
        self.email.split_once('@').map_or(self.email, |(name, _)| name)
    }

    /// Whether others do not get to see the address, by the person's own choice.
    pub fn hides_email(&self) -> bool {
        matches!(self.name, "Aoife Brennan" | "Mei-Ling Sato")
    }

    /// Whether the account is deactivated.
    pub fn is_deactivated(&self) -> bool {
        self.name == "Dario Greco"
    }

    /// Whether it is a service account, which uses API tokens.
    pub fn is_service(&self) -> bool {
        self.email.contains("@svc.")
    }
}

/// The people, and after them the service accounts.
pub static EVERYBODY: LazyLock<Vec<SamplePerson>> = LazyLock::new(|| {
    let person = |[name, email, account_id, ip, place @ ..]: [&'static str; 8]| SamplePerson {
        name,
        email,
        account_id,
        ip,
        place,
    };
    lines(include_str!("people.tsv")).map(person).collect()
});

/// The people. The first three administer the organization.
pub fn people() -> &'static [SamplePerson] {
    &EVERYBODY[..EVERYBODY.len() - SERVICE_ACCOUNTS]
}

const ADMINS: usize = 3;
const SERVICE_ACCOUNTS: usize = 3;

/// The person or service account of this name.
pub fn named(name: &str) -> &'static SamplePerson {
    EVERYBODY.iter().find(|person| person.name == name).unwrap_or(&EVERYBODY[0])
}

/// One of the people.
pub fn random_person(rng: &mut Rng) -> &'static SamplePerson {
    &people()[rng.usize(..people().len())]
}

/// One of the administrators.
pub fn random_admin(rng: &mut Rng) -> &'static SamplePerson {
    &people()[rng.usize(..ADMINS)]
}

/// One of the service accounts.
pub fn random_service(rng: &mut Rng) -> &'static SamplePerson {
    &EVERYBODY[people().len() + rng.usize(..SERVICE_ACCOUNTS)]
}

/// `actor` of an event, who used this `auth`.
pub fn actor(person: &SamplePerson, auth: JsonObject) -> JsonText {
    let id = person.account_id;
    let link = format!("https://api.atlassian.com/admin/v1/orgs/{ORG_ID}/users/{id}");
    object! {
        "id": id, "name": person.name, "email": person.email, "auth": auth,
        "links": object! {"self": link},
    }
    .into()
}

/// `location` of an event.
pub fn location(ip: &str, [country, region, city, geo]: [&str; 4]) -> JsonText {
    object! {
        "ip": ip, "geo": geo, "countryName": country, "regionName": region, "city": city,
    }
    .into()
}
