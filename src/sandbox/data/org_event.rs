//! Composes organization events, one after the other, from a seed.

use fastrand::Rng;

use super::{
    actions::{self, ActionKind, ActorRole},
    context,
    event_draft::EventDraft,
    odd_event,
    people::{self, SampleAuth, SamplePerson},
};
use crate::sandbox::{json_text::quoted, org::OrgEvent};

/// One event in so many gets an odd shape.
const ODD_EVERY: usize = 9;
/// The longest that a late event is late: 20 hours.
const LATEST_MS: i64 = 20 * 3_600_000;

/// The composer. The same seed and the same calls give the same events.
#[derive(Debug)]
pub struct OrgComposer {
    rng: Rng,
    clean: bool,
    composed: usize,
    total_weight: u32,
}

impl OrgComposer {
    /// A composer; `clean` leaves out odd shapes and lateness.
    pub fn new(seed: u64, clean: bool) -> Self {
        let rng = Rng::with_seed(seed ^ 0x6f72_672d_6576_7473);
        Self {
            rng,
            clean,
            composed: 0,
            total_weight: actions::total_weight(),
        }
    }

    /// The generator, for what is drawn beside events.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// The next event. A `late` one happened hours before it was processed.
    pub fn compose(&mut self, processed_ms: i64, late: bool) -> OrgEvent {
        let kind = actions::at_weight(self.rng.u32(..self.total_weight));
        let (actor, auth) = self.actor(kind);
        let mut draft = self.draft(kind, actor, &auth, processed_ms);
        if late && !self.clean {
            draft.time_ms = processed_ms - self.rng.i64(LATEST_MS / 5..=LATEST_MS);
        }
        self.composed += 1;
        if !self.clean && self.composed.is_multiple_of(ODD_EVERY) {
            odd_event::distort(&mut draft, self.composed / ODD_EVERY, &mut self.rng);
        }
        draft.finish()
    }

    /// A version 4 UUID.
    pub fn uuid(&mut self) -> String {
        let bits = (self.rng.u128(..) & !(0xF000_u128 << 64 | 0xC000_u128 << 48))
            | 0x4000_u128 << 64
            | 0x8000_u128 << 48;
        let hex = format!("{bits:032x}");
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }

    fn actor(&mut self, kind: &ActionKind) -> (&'static SamplePerson, SampleAuth) {
        let person = match kind.actor_role {
            ActorRole::Anyone => people::random_person(&mut self.rng),
            ActorRole::Admin => people::random_admin(&mut self.rng),
            ActorRole::Service => people::random_service(&mut self.rng),
        };
        let by_token = kind.actor_role == ActorRole::Service || self.rng.u8(..) < 12;
        (
            person,
            if by_token {
                SampleAuth::token(person)
            } else {
                SampleAuth::SESSION
            },
        )
    }

    fn draft(
        &mut self,
        kind: &ActionKind,
        actor: &'static SamplePerson,
        auth: &SampleAuth,
        processed_ms: i64,
    ) -> EventDraft {
        let subject = context::draw_subject(kind.subject, actor, &mut self.rng);
        let message = kind
            .message
            .replace("{a}", actor.name)
            .replace("{1}", subject.words[0])
            .replace("{2}", subject.words[1]);
        EventDraft {
            id: self.uuid(),
            time_ms: self.moment_before(processed_ms),
            processed_ms,
            action: kind.action.to_owned(),
            actor: Some(people::actor(actor, auth)),
            context: Some(subject.items),
            container: Some(context::container(kind.action)),
            location: Some(people::location(actor.ip, &actor.place)),
            message: Some(quoted(&message)),
            more_attributes: Vec::new(),
            more: Vec::new(),
        }
    }

    /// 0.2 to 1.4 s earlier; one in twelve at a full second, where the milliseconds are left out.
    fn moment_before(&mut self, processed_ms: i64) -> i64 {
        let at = processed_ms - self.rng.i64(200..1400);
        if self.rng.u8(..12) == 0 {
            at - at.rem_euclid(1000)
        } else {
            at
        }
    }
}
