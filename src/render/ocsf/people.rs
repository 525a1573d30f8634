//! Owns the object `user`: whoever acts or is acted on.

use crate::model::event::{EventActor, ActorKind, ActorAuth, Event, EventTarget, EventText};
use crate::model::json::write::ObjectWriter;
use crate::render::ocsf::check::is_email;

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
        let EventActor {
            id, name, email, ..
        } = actor;
        let principal = OcsfUser::new(id.as_ref(), name.as_ref(), email.as_ref())?;
        Some(OcsfUser {
            kind: actor.kind,
            token: token(&actor.auth),
            ..principal
        })
    }

    /// A target that is a user, if it can be named.
    pub fn of_target(target: &'e EventTarget<'_>) -> Option<OcsfUser<'e>> {
        OcsfUser::new(
            target.id.as_ref(),
            target.name.as_ref(),
            target.email.as_ref(),
        )
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
        out.objects(
            "programmatic_credentials",
            self.token.into_iter(),
            |out, token| {
                out.text("uid", token.uid);
                out.text_if_some("type", token.kind);
            },
        );
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
    Some(ProgrammaticCredential {
        uid: auth.token_id.as_deref()?,
        kind: auth.kind.as_deref(),
    })
}
