//! Owns the way from `tracing` to the console. Only our own events pass: what a library logs about a
//! request may hold anything.

use std::fmt::Debug;
use std::sync::Arc;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::telemetry::console::{StderrConsole, MessageField as Fact, Level, ConsoleMessage};
use crate::telemetry::meter::WAIT_NOTICE;

/// Sends the events of this program to `console` from now on.
pub fn start(console: Arc<StderrConsole>) {
    // Fails only where a subscriber is set already, which then serves.
    let _ = tracing_subscriber::registry()
        .with(ConsoleLayer { console })
        .try_init();
}

struct ConsoleLayer {
    console: Arc<StderrConsole>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ConsoleLayer {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("atlaudit") && self.console.says(self.level(metadata))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut facts = MessageVisitor(ConsoleMessage::default());
        attributes.record(&mut facts);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(facts.0.fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut message = MessageVisitor(ConsoleMessage::default());
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanFields(facts)) = span.extensions().get() {
                message.0.fields.extend(facts.iter().cloned());
            }
        }
        event.record(&mut message);
        let level = self.level(event.metadata());
        if level == Level::Notice {
            // Its text is a whole sentence.
            for field in &mut message.0.fields {
                field.is_stated = field.name != "source";
            }
        }
        self.console.say(level, &message.0);
    }
}

impl ConsoleLayer {
    fn level(&self, metadata: &tracing::Metadata<'_>) -> Level {
        match *metadata.level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warning,
            // Where there is a progress line, it shows the wait.
            _ if metadata.target() == WAIT_NOTICE && self.console.bars().is_none() => Level::Notice,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
        }
    }
}

/// What a span says of everything inside it, such as the source.
struct SpanFields(Vec<Fact>);

struct MessageVisitor(ConsoleMessage);

impl MessageVisitor {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.0.text = text,
            (name, value) => self.0.fields.push(Fact {
                name: name.to_owned(),
                value,
                is_stated: false,
            }),
        }
    }
}

impl Visit for MessageVisitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}").into());
    }
}
