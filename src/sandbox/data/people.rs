//! The company: its people and service accounts, where they sit, and how they appear as actors and
//! locations.

use fastrand::Rng;

use crate::sandbox::{ORG_ID, json_text::JsonObject};

/// A place, as a location spells it.
#[derive(Clone, Copy, Debug)]
pub struct SampleLocation {
    /// `countryName`
    pub country: &'static str,
    /// `regionName`
    pub region: &'static str,
    /// `city`
    pub city: &'static str,
    /// `geo`
    pub geo: &'static str,
}

const fn place(
    country: &'static str,
    region: &'static str,
    city: &'static str,
    geo: &'static str,
) -> SampleLocation {
    SampleLocation { country, region, city, geo }
}

const UTRECHT: SampleLocation = place("Netherlands", "Utrecht", "Utrecht", "52.09,5.12");
const PORTO: SampleLocation = place("Portugal", "Porto", "Porto", "41.15,-8.61");
const LEEDS: SampleLocation = place("United Kingdom", "England", "Leeds", "53.80,-1.55");
const GRAZ: SampleLocation = place("Austria", "Styria", "Graz", "47.07,15.44");

/// Somebody, or something, that acts.
#[derive(Clone, Copy, Debug)]
pub struct SamplePerson {
    /// Display name.
    pub name: &'static str,
    /// Address at the company's made-up domain.
    pub email: &'static str,
    /// Atlassian account id.
    pub account_id: &'static str,
    /// Where requests come from.
    pub ip: &'static str,
    /// Where that is.
    pub place: SampleLocation,
}

const fn person(
    name: &'static str,
    email: &'static str,
    account_id: &'static str,
    ip: &'static str,
    place: SampleLocation,
) -> SamplePerson {
    SamplePerson { name, email, account_id, ip, place }
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
}

/// The people. The first three administer the organization.
#[rustfmt::skip] // a table reads as a table
pub const PEOPLE: [SamplePerson; 12] = [
    person("Marta Oliveira", "marta.oliveira@lindenfell.example", "712020:0f2b6a31-7d4c-4a5e-9b1f-3c8d5e7a9021", "198.51.100.11", PORTO),
    person("Henk Dijkstra", "henk.dijkstra@lindenfell.example", "712020:1c9e4d72-0b3a-4f68-8e27-5a1d6c4b3f90", "203.0.113.21", UTRECHT),
    person("Priya Raman", "priya.raman@lindenfell.example", "712020:2ad75f83-6c1e-49b0-a3d4-7e2f8b9c1045", "198.51.100.42", LEEDS),
    person("Zoë Fjellström", "zoe.fjellstrom@lindenfell.example", "712020:3be860a4-51f2-4c7d-b6e8-902a1c3d5e67", "203.0.113.24", UTRECHT),
    person("Tomasz Wrona", "tomasz.wrona@lindenfell.example", "712020:4cf971b5-2e83-4d0a-87f1-a13b2d4e6f78", "203.0.113.25", UTRECHT),
    person("Aoife Brennan", "aoife.brennan@lindenfell.example", "712020:5d0a82c6-3f94-4e1b-98a2-b24c3e5f7089", "198.51.100.43", LEEDS),
    person("Lukas Steiner", "lukas.steiner@lindenfell.example", "712020:6e1b93d7-40a5-4f2c-a9b3-c35d4f60819a", "192.0.2.31", GRAZ),
    person("Ines Carvalho", "ines.carvalho@lindenfell.example", "712020:7f2ca4e8-51b6-403d-bac4-d46e507192ab", "198.51.100.12", PORTO),
    person("Samuel Okoro", "samuel.okoro@lindenfell.example", "712020:803db5f9-62c7-414e-8bd5-e57f6182a3bc", "198.51.100.44", LEEDS),
    person("Mei-Ling Sato", "meiling.sato@lindenfell.example", "712020:914ec60a-73d8-425f-9ce6-f6807293b4cd", "203.0.113.27", UTRECHT),
    person("Dario Greco", "dario.greco@lindenfell.example", "712020:a25fd71b-84e9-4360-adf7-079183a4c5de", "192.0.2.32", GRAZ),
    person("Nadia Haddad", "nadia.haddad@lindenfell.example", "712020:b360e82c-95fa-4471-be08-18a294b5d6ef", "198.51.100.13", PORTO),
];

/// How many of [`PEOPLE`], from the first, administer the organization.
pub const ADMINS: usize = 3;

/// Accounts of machines; they use API tokens.
#[rustfmt::skip] // a table reads as a table
pub const SERVICE_ACCOUNTS: [SamplePerson; 3] = [
    person("ci-deploy", "ci-deploy@svc.lindenfell.example", "712020:c471f93d-a60b-4582-8f19-29b3a5c6e7f0", "203.0.113.201", UTRECHT),
    person("nightly-backup", "nightly-backup@svc.lindenfell.example", "712020:d5820a4e-b71c-4693-902a-3ac4b6d7f801", "203.0.113.202", UTRECHT),
    person("scim-sync", "scim-sync@svc.lindenfell.example", "712020:e6931b5f-c82d-47a4-a13b-4bd5c7e80912", "203.0.113.203", UTRECHT),
];

/// How somebody proved who they are: `actor.auth`.
#[derive(Clone, Debug)]
pub struct SampleAuth {
    /// `authType`; an open set.
    pub kind: &'static str,
    /// `tokenId`, where a token was used.
    pub token_id: Option<String>,
    /// `tokenLabel`
    pub label: &'static str,
}

impl SampleAuth {
    /// A browser session.
    pub const SESSION: Self = Self { kind: "session", token_id: None, label: "" };

    /// An API token, the same for the same person.
    pub fn token(person: &SamplePerson) -> Self {
        let tail: String = person.account_id.chars().rev().take(6).collect();
        Self { kind: "api-token", token_id: Some(format!("tok-{tail}")), label: "automation" }
    }

    fn json(&self) -> String {
        let mut auth = JsonObject::new().text("authType", self.kind);
        if let Some(id) = &self.token_id {
            auth = auth.text("tokenId", id).text("tokenLabel", self.label);
        }
        auth.finish()
    }
}

/// `actor` of an event.
pub fn actor(person: &SamplePerson, auth: &SampleAuth) -> String {
    JsonObject::new()
        .text("id", person.account_id)
        .text("name", person.name)
        .text("email", person.email)
        .raw("auth", &auth.json())
        .raw("links", &user_links(person.account_id))
        .finish()
}

/// `links` of a user.
fn user_links(account_id: &str) -> String {
    let link = format!("https://api.atlassian.com/admin/v1/orgs/{ORG_ID}/users/{account_id}");
    JsonObject::new().text("self", &link).finish()
}

/// `location` of an event.
pub fn location(ip: &str, place: &SampleLocation) -> String {
    JsonObject::new()
        .text("ip", ip)
        .text("geo", place.geo)
        .text("countryName", place.country)
        .text("regionName", place.region)
        .text("city", place.city)
        .finish()
}

/// One of the people.
pub fn random_person(rng: &mut Rng) -> &'static SamplePerson {
    &PEOPLE[rng.usize(..PEOPLE.len())]
}

/// One of the administrators.
pub fn random_admin(rng: &mut Rng) -> &'static SamplePerson {
    &PEOPLE[rng.usize(..ADMINS)]
}

/// One of the service accounts.
pub fn random_service(rng: &mut Rng) -> &'static SamplePerson {
    &SERVICE_ACCOUNTS[rng.usize(..SERVICE_ACCOUNTS.len())]
}
