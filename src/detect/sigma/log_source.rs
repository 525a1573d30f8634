//! Which events a rule is for, and which fields these have.

use rsigma_parser::{Detection, DetectionItem, FieldSpec, Modifier, SigmaString, SigmaValue};
use yaml_serde::{Mapping, Value};

use crate::filter::FieldPath;
use crate::model::source_kind::SourceKind;
use crate::normalise::taxonomy::snake_case;

/// What `logsource` of a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSourceKind {
    /// `product: atlassian`: all events.
    Atlassian,
    /// With a `service`: the events of one kind of source.
    Source(SourceKind),
    /// `service: bitbucket`: those of Bitbucket, Cloud or Data Center.
    Bitbucket,
    /// SigmaHQ's `product: bitbucket`, `service: audit`: the records of a Data Center, with the
    /// fields of its log file.
    DatacenterRecord,
}

/// What `service` may be.
const SERVICES: [(&str, LogSourceKind); 6] = [
    ("organization", LogSourceKind::Source(SourceKind::OrgEvents)),
    ("jira", LogSourceKind::Source(SourceKind::JiraAudit)),
    ("confluence", LogSourceKind::Source(SourceKind::ConfluenceAudit)),
    ("workspace", LogSourceKind::Source(SourceKind::WorkspaceEvents)),
    ("datacenter", LogSourceKind::Source(SourceKind::DatacenterAudit)),
    ("bitbucket", LogSourceKind::Bitbucket),
];

/// Where the type of a Data Center's record is: as the API has it, and as its log file has it.
const TYPE_KEYS: [&str; 2] = ["raw.type", "raw.auditType"];

impl LogSourceKind {
    /// Reads `logsource`.
    ///
    /// # Errors
    /// No event here is of it: the key that says so, and why.
    pub fn read(log_source: &Mapping) -> Result<LogSourceKind, (&'static str, String)> {
        let text = |key: &str| log_source.get(key).and_then(Value::as_str);
        if let Some(category) = text("category") {
            let what = format!("no events here have the logsource category `{category}`");
            return Err(("category", what));
        }
        match (text("product"), text("service")) {
            (Some("atlassian"), None) => Ok(LogSourceKind::Atlassian),
            (Some("atlassian"), Some(service)) => {
                let found = SERVICES.iter().find(|(word, _)| *word == service);
                found.map(|(_, kind)| *kind).ok_or_else(|| {
                    let words: Vec<_> = SERVICES.iter().map(|(word, _)| *word).collect();
                    let what = format!("`{service}` is no service; it is {}", words.join(", "));
                    ("service", what)
                })
            }
            (Some("bitbucket"), Some("audit") | None) => Ok(LogSourceKind::DatacenterRecord),
            (product, _) => {
                let product = product.unwrap_or_default();
                let what = format!("`{product}` is no product here; it is atlassian, or bitbucket");
                Err(("product", what))
            }
        }
    }

    /// Whether events of this kind of source are of it.
    pub fn includes(self, kind: SourceKind) -> bool {
        match self {
            LogSourceKind::Atlassian => true,
            LogSourceKind::Source(own) => own == kind,
            LogSourceKind::Bitbucket => {
                matches!(kind, SourceKind::OrgEvents | SourceKind::DatacenterAudit)
            }
            LogSourceKind::DatacenterRecord => kind == SourceKind::DatacenterAudit,
        }
    }

    /// The `product` that its events have, where that is not any.
    pub fn product(self) -> Option<&'static str> {
        match self {
            LogSourceKind::Bitbucket | LogSourceKind::DatacenterRecord => Some("bitbucket"),
            LogSourceKind::Atlassian | LogSourceKind::Source(_) => None,
        }
    }

    /// Whether the events may have a field of this name.
    ///
    /// # Errors
    /// They have not; with the name that is most like it.
    pub fn check_field(self, field: &str) -> Result<(), String> {
        if self == LogSourceKind::DatacenterRecord && !is_normalized(field) {
            return Ok(());
        }
        let path = FieldPath::parse(field)?.to_string();
        match path == field {
            true => Ok(()),
            false => Err(format!("`{field}` is no field; write `{path}`")),
        }
    }

    /// The field of our events that `field` of a rule is, where it is one field.
    pub fn mapped_field(self, field: &str) -> String {
        match self {
            LogSourceKind::DatacenterRecord if !is_normalized(field) => {
                format!("raw.{}", field.replacen("auditType", "type", 1))
            }
            _ => field.to_owned(),
        }
    }

    /// The selection with the fields that our events have.
    pub fn map_fields(self, detection: Detection) -> Detection {
        if self != LogSourceKind::DatacenterRecord {
            return detection;
        }
        match detection {
            Detection::AllOf(items) => {
                Detection::And(items.into_iter().map(|item| self.map_item(item)).collect())
            }
            Detection::AnyOf(parts) => {
                Detection::AnyOf(parts.into_iter().map(|part| self.map_fields(part)).collect())
            }
            Detection::And(parts) => {
                Detection::And(parts.into_iter().map(|part| self.map_fields(part)).collect())
            }
            other => other,
        }
    }

    /// The item for each of the fields that may have what it names.
    fn map_item(self, item: DetectionItem) -> Detection {
        let name = item.field.name.clone();
        let Some(field) = name else {
            return Detection::AllOf(vec![item]);
        };
        let with_field = |field: String| {
            let field = FieldSpec::new(Some(field), item.field.modifiers.clone());
            Detection::AllOf(vec![DetectionItem { field, values: item.values.clone() }])
        };
        let has_one_field =
            [Modifier::Neq, Modifier::Exists].iter().any(|m| item.field.has_modifier(*m));
        match field.strip_prefix("auditType.") {
            Some(key) if !has_one_field => {
                let fields = TYPE_KEYS.iter().map(|place| with_field(format!("{place}.{key}")));
                let mut parts: Vec<_> = fields.collect();
                if item.field.modifiers.is_empty() {
                    parts.extend(TYPE_KEYS.iter().filter_map(|place| by_key(place, key, &item)));
                    parts.extend((key == "action").then(|| by_action(&item)).flatten());
                }
                Detection::AnyOf(parts)
            }
            _ => with_field(self.mapped_field(&field)),
        }
    }
}

/// Whether a name is of our events alone; `author`, `type` and the like are of the record.
fn is_normalized(field: &str) -> bool {
    const OURS: [&str; 8] =
        ["raw", "actor", "targets", "changes", "client", "labels", "outcome", "message"];
    OURS.contains(&field.split('.').next().unwrap_or_default())
}

/// The item by the keys of the texts, which are the same in every language: `Global administration`
/// is known by a key that ends with `.globaladministration`.
fn by_key(place: &str, key: &str, item: &DetectionItem) -> Option<Detection> {
    let words = item.values.iter().filter_map(plain_text).map(|text| {
        let joined: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
        SigmaValue::String(SigmaString::new(&format!(".{joined}")))
    });
    let name = Some(format!("{place}.{key}I18nKey"));
    let field = FieldSpec::new(name, vec![Modifier::EndsWith]);
    all_of(field, words.collect())
}

/// The item by the name of the action, which is made of the key too where there is one.
fn by_action(item: &DetectionItem) -> Option<Detection> {
    let names = item.values.iter().filter_map(plain_text).filter_map(|text| snake_case(&text));
    let values = names.map(|name| SigmaValue::String(SigmaString::new(&name)));
    all_of(FieldSpec::new(Some("action".to_owned()), Vec::new()), values.collect())
}

fn all_of(field: FieldSpec, values: Vec<SigmaValue>) -> Option<Detection> {
    (!values.is_empty()).then(|| Detection::AllOf(vec![DetectionItem { field, values }]))
}

fn plain_text(value: &SigmaValue) -> Option<String> {
    match value {
        SigmaValue::String(text) => text.as_plain().filter(|text| !text.is_empty()),
        _ => None,
    }
}
