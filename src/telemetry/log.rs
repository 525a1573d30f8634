//! Owns the way from `tracing` to the console. Only our own events pass: what a library logs about a
//! request may hold anything.

use std::fmt::Debug;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::telemetry::console::{Console, Level, Message};

/// Sends the events of this program to `console` from now on.
pub fn start(console: Arc<Console>) {
    // Fails only where a subscriber is set already, which then serves.
    let _ = tracing_subscriber::registry()
        .with(ToConsole { console })
        .try_init();
}

struct ToConsole {
    console: Arc<Console>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ToConsole {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("atlaudit") && self.console.says(level(metadata))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut facts = MessageVisitor(Message::default());
        attributes.record(&mut facts);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Facts(facts.0.fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut message = MessageVisitor(Message::default());
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(Facts(facts)) = span.extensions().get() {
                message.0.fields.extend(facts.iter().cloned());
            }
        }
        event.record(&mut message);
        self.console.say(level(event.metadata()), &message.0);
    }
}

fn level(metadata: &tracing::Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
    }
}

/// What a span says of everything inside it, such as the source.
struct Facts(Vec<(String, String)>);

struct MessageVisitor(Message);

impl MessageVisitor {
    fn put(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.0.text = value,
            name => self.0.fields.push((name.to_owned(), value)),
        }
    }
}

impl Visit for MessageVisitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }
}
