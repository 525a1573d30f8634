//! An organization event in parts, so that an odd shape can replace or remove any of them.

use chrono::{DateTime, SecondsFormat, Timelike};

use crate::sandbox::{
    ORG_ID,
    json_text::{JsonObject, array},
    org::OrgEvent,
};

/// The parts. Those that are JSON text are written as they are; None leaves the key out.
#[derive(Clone, Debug)]
pub struct EventDraft {
    /// `id`
    pub id: String,
    /// `attributes.time`, epoch milliseconds.
    pub time_ms: i64,
    /// `attributes.processedAt`, epoch milliseconds.
    pub processed_ms: i64,
    /// `attributes.action`
    pub action: String,
    /// `attributes.actor`, JSON.
    pub actor: Option<String>,
    /// `attributes.context`, JSON items.
    pub context: Option<Vec<String>>,
    /// `attributes.container`, JSON items.
    pub container: Option<Vec<String>>,
    /// `attributes.location`, JSON.
    pub location: Option<String>,
    /// `message.content`, a JSON string.
    pub message: Option<String>,
    /// Further members of `attributes`, JSON.
    pub more_attributes: Vec<(&'static str, String)>,
    /// Further members of the event, JSON.
    pub more: Vec<(&'static str, String)>,
}

impl EventDraft {
    /// The finished event.
    pub fn finish(self) -> OrgEvent {
        let list = |items: &Option<Vec<String>>| items.as_ref().map(array);
        let mut attributes = JsonObject::new()
            .text("time", &format_timestamp(self.time_ms))
            .text("processedAt", &format_timestamp(self.processed_ms))
            .text("action", &self.action)
            .raw_if_some("actor", self.actor.as_deref())
            .raw_if_some("context", list(&self.context).as_deref())
            .raw_if_some("container", list(&self.container).as_deref())
            .raw_if_some("location", self.location.as_deref());
        for (key, json) in &self.more_attributes {
            attributes = attributes.raw(key, json);
        }
        let link = format!(
            "https://api.atlassian.com/admin/v1/orgs/{ORG_ID}/events/{}",
            self.id
        );
        let message = self.message.map(|content| {
            JsonObject::new()
                .raw("content", &content)
                .text("format", "simple")
                .finish()
        });
        let mut event = JsonObject::new()
            .text("type", "events")
            .text("id", &self.id)
            .raw("attributes", &attributes.finish())
            .raw("links", &JsonObject::new().text("self", &link).finish())
            .raw_if_some("message", message.as_deref());
        for (key, json) in &self.more {
            event = event.raw(key, json);
        }
        OrgEvent {
            id: self.id,
            time_ms: self.time_ms,
            processed_ms: self.processed_ms,
            text: event.finish(),
        }
    }
}

/// RFC 3339 as the API writes it: milliseconds are left out when they are zero (grove's fixture has both in one page).
fn format_timestamp(millis: i64) -> String {
    let at = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    let format = if at.nanosecond() == 0 {
        SecondsFormat::Secs
    } else {
        SecondsFormat::Millis
    };
    at.to_rfc3339_opts(format, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_milliseconds_are_left_out() {
        assert_eq!(format_timestamp(1_795_167_000_000), "2026-11-20T09:30:00Z");
        assert_eq!(format_timestamp(1_795_167_000_040), "2026-11-20T09:30:00.040Z");
    }
}
