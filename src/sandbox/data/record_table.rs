//! The tables of the kinds of records and of their irregular shapes.

use fastrand::Rng;

use crate::sandbox::{
    Api,
    json_text::{JsonObject, JsonText},
};

/// A kind of record. The heads of the tables say what the columns mean for each API.
#[derive(Debug, Default)]
pub struct RecordKind {
    /// How often it happens, relative to the others.
    pub weight: u32,
    /// The action, or the summary.
    pub name: &'static str,
    /// Its category, or who does it.
    pub category: &'static str,
    /// Type of what it is about.
    pub object: &'static str,
    /// Names that this may have; empty: one of the people.
    pub names: Vec<&'static str>,
    /// Name of the changed value, or the message.
    pub text: &'static str,
    /// What the value may have been before and after.
    pub values: Vec<&'static str>,
    /// Type of what else it is about; empty: nothing.
    pub associated: &'static str,
    /// Keys of the translations of name and category.
    pub keys: [&'static str; 2],
}

/// Members of a record, and the JSON texts that make it irregular.
pub type OddShape = [(&'static str, JsonText)];

/// The kinds and the irregular shapes of one API.
#[derive(Debug)]
pub struct RecordTable {
    kinds: Vec<RecordKind>,
    odd_shapes: Vec<Vec<(&'static str, JsonText)>>,
}

impl RecordTable {
    /// The table of `api`.
    pub fn of(api: Api) -> Self {
        let text = match api {
            Api::OrgEvents => include_str!("org_events.tsv"),
            Api::JiraAudit => include_str!("jira_audit.tsv"),
            Api::ConfluenceAudit => include_str!("confluence_audit.tsv"),
            Api::DatacenterAudit => include_str!("datacenter_audit.tsv"),
            Api::JiraWorkspace => include_str!("jira_workspace.tsv"),
            Api::ConfluenceWorkspace => include_str!("confluence_workspace.tsv"),
        };
        let odd = text.lines().filter_map(|line| line.strip_prefix("odd\t"));
        Self {
            kinds: lines(text).filter(|columns| columns[0] != "odd").map(kind).collect(),
            odd_shapes: odd.map(odd_shape).collect(),
        }
    }

    /// All kinds, in the order of the table.
    pub fn kinds(&self) -> &[RecordKind] {
        &self.kinds
    }

    /// One of the kinds, each as often as its weight says.
    pub fn draw(&self, rng: &mut Rng) -> &RecordKind {
        let total: u32 = self.kinds.iter().map(|kind| kind.weight).sum();
        let mut draw = rng.u32(..total);
        let drawn = self.kinds.iter().find(|kind| {
            let is_hit = draw < kind.weight;
            draw = draw.saturating_sub(kind.weight);
            is_hit
        });
        drawn.unwrap_or(&self.kinds[0])
    }

    /// The irregular shape of this number; they are taken in turn.
    pub fn odd_shape(&self, number: usize) -> &OddShape {
        &self.odd_shapes[number % self.odd_shapes.len()]
    }
}

/// `record` in an irregular shape.
pub fn distort(mut record: JsonObject, shape: &OddShape) -> JsonText {
    for (member, json) in shape {
        record.set(member, json.clone());
    }
    record.into()
}

/// One of `names`.
pub fn draw_name<'a>(rng: &mut Rng, names: &[&'a str]) -> &'a str {
    names[rng.usize(..names.len())]
}

/// The rows of a table, without its head. What a row lacks is empty.
pub fn lines<const N: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut columns = line.split('\t');
        std::array::from_fn(|_| columns.next().unwrap_or_default())
    })
}

fn kind(
    [weight, name, category, object, names, text, values, associated, keys @ ..]: [&'static str;
        10],
) -> RecordKind {
    let list = |words: &'static str| match words {
        "" => Vec::new(),
        words => words.split('|').collect(),
    };
    RecordKind {
        weight: weight.parse().unwrap_or_default(),
        name,
        category,
        object,
        names: list(names),
        text,
        values: list(values),
        associated,
        keys,
    }
}

fn odd_shape(line: &'static str) -> Vec<(&'static str, JsonText)> {
    let columns: Vec<&str> = line.split('\t').collect();
    let member = |pair: &[&'static str]| {
        let json = pair.get(1).unwrap_or(&"");
        (pair[0], JsonText(json.replace("RTL", "\u{202e}")))
    };
    columns.chunks(2).map(member).collect()
}
