//! Owns the object `actor`: who did it, and through which app.

use crate::model::event::{EventActor, ActorKind, Event};
use crate::model::json::write::ObjectWriter;
use crate::render::ocsf::people::OcsfUser;

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
