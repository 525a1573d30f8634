//! The objects `actor` and `user`: who acts, through which app, and who is acted on.

use crate::model::event::{ActorKind, Event, EventActor, EventTarget, EventText};
use crate::model::json::write::ObjectWriter;
use crate::model::text::split_at_byte;
use crate::render::ocsf::ocsf_version::OcsfVersion;

/// The label that names the app that acted for an actor.
pub const APP_LABEL: &str = "actorApp";

/// Who did it, as far as OCSF can hold it.
#[derive(Debug, Clone, Copy)]
pub struct ActorFields<'e> {
    /// The account that acted.
    pub user: Option<OcsfUser<'e>>,
    app_name: Option<&'e str>,
    app_uid: Option<&'e str>,
}

impl<'e> ActorFields<'e> {
    /// Who did `event`.
    pub fn of(event: &'e Event<'_>) -> ActorFields<'e> {
        let EventActor { kind, id, name, .. } = &event.actor;
        let app = event.label(APP_LABEL);
        let is_app = *kind == Some(ActorKind::App);
        ActorFields {
            user: OcsfUser::of_actor(&event.actor),
            app_name: name.as_deref().filter(|_| is_app),
            app_uid: app.or(id.as_deref().filter(|_| is_app)),
        }
    }

    /// Whether nothing of it can be written.
    pub fn is_empty(&self) -> bool {
        self.user.is_none() && self.app_name.is_none() && self.app_uid.is_none()
    }

    /// Writes the fields of the object.
    pub fn write(&self, version: OcsfVersion, out: &mut ObjectWriter<'_>) {
        if let Some(user) = &self.user {
            out.object("user", |out| user.write(version, out));
        }
        out.text_if_some("app_name", self.app_name);
        out.text_if_some("app_uid", self.app_uid);
    }
}

/// Someone that OCSF can hold as a user: with a name or an id.
#[derive(Debug, Clone, Copy)]
pub struct OcsfUser<'e> {
    /// The id.
    pub uid: Option<&'e str>,
    /// The name that the source shows for them. Where nothing else is known of someone, their
    /// address: it is what they sign in with.
    pub name: Option<&'e str>,
    /// The address, if it is one to OCSF as well.
    pub email: Option<&'e str>,
    kind: Option<ActorKind>,
    /// Id and type of the credential of a program that they acted with.
    token: Option<(&'e str, Option<&'e str>)>,
}

impl<'e> OcsfUser<'e> {
    fn new(
        id: &'e Option<EventText<'_>>,
        name: &'e Option<EventText<'_>>,
        email: &'e Option<EventText<'_>>,
    ) -> Option<OcsfUser<'e>> {
        let (uid, name, email) = (id.as_deref(), name.as_deref(), email.as_deref());
        Some(OcsfUser {
            uid,
            name: match (name, uid) {
                (None, None) => Some(email?),
                (name, _) => name,
            },
            email: email.filter(|email| is_email(email)),
            kind: Some(ActorKind::User),
            token: None,
        })
    }

    /// The actor, if it can be named.
    pub fn of_actor(actor: &'e EventActor<'_>) -> Option<OcsfUser<'e>> {
        let EventActor { id, name, email, .. } = actor;
        let token = actor.auth.token_id.as_deref().map(|id| (id, actor.auth.kind.as_deref()));
        Some(OcsfUser { kind: actor.kind, token, ..OcsfUser::new(id, name, email)? })
    }

    /// A target that is a user, if it can be named.
    pub fn of_target(target: &'e EventTarget<'_>) -> Option<OcsfUser<'e>> {
        OcsfUser::new(&target.id, &target.name, &target.email)
    }

    /// A user of whom only `text` is known: the id of an account, which has a colon or 24 letters
    /// and digits, or else a name.
    pub fn of_text(text: &'e str) -> OcsfUser<'e> {
        let is_hex = || text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_id = text.contains(':') || text.len() == 24 && is_hex();
        OcsfUser {
            uid: Some(text).filter(|_| is_id),
            name: Some(text).filter(|_| !is_id),
            email: None,
            kind: Some(ActorKind::User),
            token: None,
        }
    }

    /// Writes the fields of the object.
    pub fn write(&self, version: OcsfVersion, out: &mut ObjectWriter<'_>) {
        out.text_if_some("uid", self.uid);
        out.text_if_some("name", self.name);
        out.text_if_some("email_addr", self.email);
        if let Some(kind) = self.kind {
            out.constant(type_of(version, kind));
        }
        if !version.has_credential_types() {
            return out.text_if_some("credential_uid", self.token.map(|(uid, _)| uid));
        }
        out.objects("programmatic_credentials", self.token.into_iter(), |out, (uid, kind)| {
            out.text("uid", uid);
            out.text_if_some("type", kind);
        });
    }
}

/// `type_id` and `type`. An app acts through an account of its own, which is what OCSF calls a
/// service's.
fn type_of(version: OcsfVersion, kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::User => r#""type_id":1,"type":"User""#,
        ActorKind::System => r#""type_id":3,"type":"System""#,
        ActorKind::App if !version.has_services() => r#""type_id":99,"type":"Service""#,
        ActorKind::App => r#""type_id":4,"type":"Service""#,
        ActorKind::Anonymous => r#""type_id":99,"type":"Anonymous""#,
    }
}

/// Whether `text` is of the type `email_t`: some letters, digits and marks, one `@`, and a domain
/// with a dot in it.
pub fn is_email(text: &str) -> bool {
    let Some((name, domain)) = split_at_byte(text, b'@') else {
        return false;
    };
    // What stands before the first dot, and after it, must not be empty.
    let has_ends = split_at_byte(domain, b'.').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
    let is_in_domain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_in_name = |byte: u8| is_in_domain(byte) || b"!#$%&'*+,/=?^_`{|}~".contains(&byte);
    has_ends && !name.is_empty() && name.bytes().all(is_in_name) && domain.bytes().all(is_in_domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_people() {
        for good in
            ["a@b.c", "ada.lovelace+x@mail.example.com", "o'hara,x@a-b.example", "{~}@x.-", "a@b.."]
        {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "", "@", "a@b", "a@.b", "a@b.", "@b.c", "a b@c.d", "a@b@c.d", "é@b.c", "a@b.é",
            "a\"@b.c", "a(@b.c", "a<@b.c", "a>@b.c", "a:@b.c", "a;@b.c", "a[@b.c", "a\\@b.c",
            "a]@b.c", "a@b_c.d", "a@b.c\n",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn every_ascii_character_before_the_at() {
        let allowed = "!#$%&'*+,-./=?^_`{|}~";
        for byte in 0..128_u8 {
            let c = char::from(byte);
            let want = c.is_ascii_alphanumeric() || allowed.contains(c);
            assert_eq!(is_email(&format!("a{c}@b.c")), want, "{c:?}");
        }
    }
}
