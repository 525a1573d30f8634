//! The objects `actor` and `user`: who acts, through which app, and who is acted on.

use crate::model::event::{ActorAuth, ActorKind, Event, EventActor, EventTarget, EventText};
use crate::model::json::write::ObjectWriter;

/// The label that names the app behind an actor.
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
    pub fn write(&self, out: &mut ObjectWriter<'_>) {
        if let Some(user) = &self.user {
            out.object("user", |out| user.write(out));
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
    /// The name that the source shows for them. Where nothing else is known of someone, their address: it is what they
    /// sign in with.
    pub name: Option<&'e str>,
    /// The address, if it is one to OCSF as well.
    pub email: Option<&'e str>,
    kind: Option<ActorKind>,
    token: Option<ProgrammaticCredential<'e>>,
}

/// The credential of a program that someone acted with.
#[derive(Debug, Clone, Copy)]
struct ProgrammaticCredential<'e> {
    uid: &'e str,
    kind: Option<&'e str>,
}

impl<'e> OcsfUser<'e> {
    fn new(
        id: Option<&'e EventText<'_>>,
        name: Option<&'e EventText<'_>>,
        email: Option<&'e EventText<'_>>,
    ) -> Option<OcsfUser<'e>> {
        let (uid, name) = (id.map(|id| &**id), name.map(|name| &**name));
        let email = email.map(|email| &**email);
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
        let principal = OcsfUser::new(id.as_ref(), name.as_ref(), email.as_ref())?;
        Some(OcsfUser { kind: actor.kind, token: token(&actor.auth), ..principal })
    }

    /// A target that is a user, if it can be named.
    pub fn of_target(target: &'e EventTarget<'_>) -> Option<OcsfUser<'e>> {
        OcsfUser::new(target.id.as_ref(), target.name.as_ref(), target.email.as_ref())
    }

    /// The target at `index`, which is a user.
    pub fn at(event: &'e Event<'_>, index: usize) -> Option<OcsfUser<'e>> {
        OcsfUser::of_target(event.targets.get(index)?)
    }

    /// Writes the fields of the object.
    pub fn write(&self, out: &mut ObjectWriter<'_>) {
        out.text_if_some("uid", self.uid);
        out.text_if_some("name", self.name);
        out.text_if_some("email_addr", self.email);
        if let Some(kind) = self.kind {
            out.constant(type_of(kind));
        }
        out.objects("programmatic_credentials", self.token.into_iter(), |out, token| {
            out.text("uid", token.uid);
            out.text_if_some("type", token.kind);
        });
    }
}

/// `type_id` and `type`. An app acts through an account of its own, which is what OCSF calls a service's.
fn type_of(kind: ActorKind) -> &'static str {
    match kind {
        ActorKind::User => r#""type_id":1,"type":"User""#,
        ActorKind::System => r#""type_id":3,"type":"System""#,
        ActorKind::App => r#""type_id":4,"type":"Service""#,
        ActorKind::Anonymous => r#""type_id":99,"type":"Anonymous""#,
    }
}

fn token<'e>(auth: &'e ActorAuth<'_>) -> Option<ProgrammaticCredential<'e>> {
    Some(ProgrammaticCredential { uid: auth.token_id.as_deref()?, kind: auth.kind.as_deref() })
}

/// Whether `text` is of the type `email_t`: some letters, digits and marks, one `@`, and a domain with a dot in it.
pub fn is_email(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(at) = bytes.iter().position(|&byte| byte == b'@') else {
        return false;
    };
    let (name, domain) = bytes.split_at(at);
    let domain = domain.get(1..).unwrap_or_default();
    // What stands before the first dot, and behind it, must not be empty.
    let dot = domain.iter().position(|&byte| byte == b'.');
    let has_ends = dot.is_some_and(|dot| dot > 0 && dot + 1 < domain.len());
    let is_of = |text: &[u8], set: &[bool; 256]| text.iter().all(|&byte| set[usize::from(byte)]);
    has_ends && !name.is_empty() && is_of(name, &NAME) && is_of(domain, &DOMAIN)
}

/// What may stand before the `@`.
static NAME: [bool; 256] = letters_digits_and(b"!#$%&'*+,-./=?^_`{|}~");

/// What may stand behind it.
static DOMAIN: [bool; 256] = letters_digits_and(b"-.");

/// Which bytes are letters or digits of ASCII, or one of `marks`.
const fn letters_digits_and(mut marks: &[u8]) -> [bool; 256] {
    let mut set = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        set[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    while let [mark, rest @ ..] = marks {
        set[*mark as usize] = true;
        marks = rest;
    }
    set
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
