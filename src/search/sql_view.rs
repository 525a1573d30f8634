//! Writes the view with which an SQL engine reads files of normalized events.

/// The columns of the view: each name, and where its value stands in an event.
const COLUMNS: [(&str, &str); 24] = [
    ("id", "$.id"),
    ("time", "$.time"),
    ("processed_time", "$.processed_time"),
    ("observed_time", "$.observed_time"),
    ("source", "$.source.name"),
    ("source_type", "$.source.type"),
    ("product", "$.product"),
    ("action", "$.action"),
    ("category", "$.category"),
    ("outcome", "$.outcome"),
    ("message", "$.message"),
    ("actor_type", "$.actor.type"),
    ("actor_id", "$.actor.id"),
    ("actor_name", "$.actor.name"),
    ("actor_email", "$.actor.email"),
    ("auth_type", "$.actor.auth.type"),
    ("target_type", "$.targets[0].type"),
    ("target_id", "$.targets[0].id"),
    ("target_name", "$.targets[0].name"),
    ("ip", "$.client.ip"),
    ("country", "$.client.country"),
    ("country_code", "$.client.country_code"),
    ("city", "$.client.city"),
    ("token_id", "$.actor.auth.token_id"),
];

/// A view `events` for DuckDB over `files`: plain, gzip or zstd.
///
/// Every line is read as one value, and keys are taken out by name: columns that DuckDB guesses
/// from the first lines fail on a record whose shape changes.
pub fn duckdb_view(files: &[String]) -> String {
    let mut sql = String::from("CREATE OR REPLACE VIEW events AS\nSELECT\n");
    for (name, path) in COLUMNS {
        let value = format!("json ->> '{path}'");
        let value = match name.ends_with("time") {
            true => format!("try_cast({value} AS TIMESTAMPTZ)"),
            false => value,
        };
        sql.push_str(&format!("  {value} AS {name},\n"));
    }
    for list in ["targets", "changes", "labels", "raw"] {
        sql.push_str(&format!("  json -> '$.{list}' AS {list},\n"));
    }
    let files: Vec<String> = files.iter().map(|file| quoted(file)).collect();
    sql.push_str(&format!(
        "  json\nFROM read_json_objects(\n  [{}],\n  format = 'newline_delimited',\n  \
         maximum_object_size = 67108864\n);\n",
        files.join(",\n   ")
    ));
    sql
}

/// A text of SQL. DuckDB takes the name of a file for a pattern, unless its signs are in brackets.
fn quoted(file: &str) -> String {
    let mut name = String::new();
    for c in file.chars() {
        match c {
            '*' | '?' | '[' => name.extend(['[', c, ']']),
            '\'' => name.push_str("''"),
            c => name.push(c),
        }
    }
    format!("'{name}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_neither_patterns_nor_sql() {
        let sql = duckdb_view(&["it's.jsonl".to_owned(), "a*.jsonl.zst".to_owned()]);
        assert!(sql.contains("  ['it''s.jsonl',\n   'a[*].jsonl.zst'],"), "{sql}");
        assert!(sql.contains("try_cast(json ->> '$.time' AS TIMESTAMPTZ) AS time,"), "{sql}");
    }
}
