//! Edits the text of a configuration file and leaves the user's comments and order in place.

use std::path::Path;

use toml_edit::{Datetime, DocumentMut, InlineTable, Item, Table, TableLike};

use crate::config::error::HintedError;
use crate::config::file::ConfigFile;
use crate::config::settings::{CredentialSpec, SourceSettings};
use crate::model::name::SourceName;
use crate::model::source_kind::{GatewayUse, SourceAddress};

/// What a key is set to.
pub use toml_edit::Value as ConfigValue;

/// The keys of a new source's table, in their order.
pub fn source_keys(source: &SourceSettings) -> Vec<(&'static str, ConfigValue)> {
    let mut keys = vec![("type", source.target.kind().as_str().into())];
    keys.extend(source.target.org_id.as_ref().map(|id| ("org_id", id.into())));
    if let (Some(site), SourceAddress::Site) = (&source.target.site, source.target.kind.address()) {
        keys.push(("site", site.into()));
    }
    keys.extend(source.target.product.map(|product| ("product", product.as_str().into())));
    let account_key = source.target.kind().descriptor().account_key;
    if let (Some(key), Some(account)) = (account_key, &source.target.account) {
        keys.push((key, account.into()));
    }
    if source.credential != CredentialSpec::Keyring {
        keys.push(("credential", source.credential.to_string().into()));
    }
    if !source.target.has_default_base_url() {
        keys.push(("base_url", source.target.base_url().as_str().into()));
    }
    let gateway = source.target.kind().descriptor().gateway;
    if source.target.gateway.is_some() && gateway != GatewayUse::Workspace {
        keys.push(("gateway", true.into()));
    }
    keys
}

/// `text` with a table for `source` at its end.
///
/// # Errors
/// `text` is no configuration, or has such a source.
pub fn with_source(text: &str, source: &SourceSettings) -> Result<String, HintedError> {
    let mut document = parse_document(text)?;
    let name = source.name.as_str();
    let sources = document.entry("sources").or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    if let Some(inline) = sources.as_inline_table_mut() {
        let table: InlineTable = source_keys(source).into_iter().collect();
        inline.insert(name, table.into());
        return check_text(document.to_string());
    }
    if sources.get(name).is_some() {
        return Err(HintedError::new(format!("there is a source `{name}` already")));
    }
    // Behind all that is there, whichever tables follow those of the sources.
    let mut lines = text.to_owned();
    if !lines.is_empty() && !lines.ends_with('\n') {
        lines.push('\n');
    }
    let gap = if lines.is_empty() { "" } else { "\n" };
    let table: Table = source_keys(source).into_iter().collect();
    check_text(format!("{lines}{gap}{}\n{table}", source_title(name, "")))
}

/// The line that begins the table of the source `name`, or one in it.
pub fn source_title(name: &str, inner: &str) -> String {
    // A dot in a bare key would nest tables.
    match name.contains('.') {
        true => format!("[sources.\"{name}\"{inner}]"),
        false => format!("[sources.{name}{inner}]"),
    }
}

/// `text` with `output.path` set.
///
/// # Errors
/// `text` is no configuration.
pub fn with_output_path(text: &str, path: &str) -> Result<String, HintedError> {
    let mut document = parse_document(text)?;
    let new = || {
        let mut table = Table::new();
        table.decor_mut().set_prefix("\n");
        Item::Table(table)
    };
    let table = document.entry("output").or_insert_with(new).as_table_like_mut();
    let table = table.ok_or_else(|| HintedError::new("`output` is not a table"))?;
    set(table, "path", &path.into());
    check_text(document.to_string())
}

/// `text` with `state_dir` set, unless it is.
///
/// # Errors
/// `text` is no configuration.
pub fn with_state_dir(text: &str, path: &str) -> Result<String, HintedError> {
    let mut document = parse_document(text)?;
    if document.get("state_dir").is_none() {
        set(document.as_table_mut(), "state_dir", &path.into());
    }
    check_text(document.to_string())
}

/// `text` with these keys of the source `name` set.
///
/// # Errors
/// `text` is no configuration, or has no such source.
pub fn with_keys(
    text: &str,
    name: &SourceName,
    changes: &[(&'static str, ConfigValue)],
) -> Result<String, HintedError> {
    let mut document = parse_document(text)?;
    let table = document
        .get_mut("sources")
        .and_then(|sources| sources.get_mut(name.as_str()))
        .and_then(Item::as_table_like_mut)
        .ok_or_else(|| HintedError::new(format!("there is no source `{name}`")))?;
    for (key, setting) in changes {
        set(table, key, setting);
    }
    check_text(document.to_string())
}

/// Sets a key. Comments around its value stay, and a date of TOML's.
fn set(table: &mut dyn TableLike, key: &str, setting: &ConfigValue) {
    let mut new = setting.clone();
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let date = new.as_str().and_then(|text| text.parse::<Datetime>().ok());
            if let Some(date) = date.filter(|_| old.is_datetime()) {
                new = date.into();
            }
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => {
            table.insert(key, Item::Value(new));
        }
    }
}

fn parse_document(text: &str) -> Result<DocumentMut, HintedError> {
    // Its own words would quote the line, which may hold a secret.
    text.parse().map_err(|_| {
        HintedError::new("it is not valid TOML, or has a layout that cannot be edited")
    })
}

/// Nothing is written that we could not read again.
fn check_text(text: String) -> Result<String, HintedError> {
    match ConfigFile::parse(Path::new(""), text.clone()) {
        Ok(_) => Ok(text),
        Err(_) => Err(HintedError::new("it would not be a configuration any more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check::{self, LoginFlags};
    use crate::model::name::SourceKind;

    fn source(name: &str) -> SourceSettings {
        let flags = LoginFlags {
            kind: Some(SourceKind::JiraAudit),
            site: Some("a.example".to_owned()),
            email: Some("ada@a.example".to_owned()),
            gateway: true,
            ..LoginFlags::default()
        };
        check::login_source(&ConfigFile::absent(), &name.parse().unwrap(), &flags).unwrap()
    }

    const FILE: &str = "\
# Ours.
[sources.acme] # the organization
type = 'org-events'
email_note = 1
";

    #[test]
    fn a_source_is_added_after_all_that_is_there() {
        let text = "# Ours.\n\n[output]\npath = '-' # for jq\n[sources.x]\ntype = 'org-events'";
        let added = with_source(text, &source("a.b")).unwrap();
        assert_eq!(
            added,
            format!(
                "{text}\n\n[sources.\"a.b\"]\ntype = \"jira-audit\"\nsite = \"a.example\"\nemail = \"ada@a.example\"\ngateway = true\n"
            )
        );
        let file = ConfigFile::parse(Path::new("/c"), added).unwrap();
        assert_eq!(file.tables.sources.len(), 2);
        assert!(with_source("", &source("j")).unwrap().starts_with("[sources.j]\n"));
    }

    #[test]
    fn sources_in_one_line_stay_so() {
        let text = "sources = { acme = { type = 'org-events' } } # short\n";
        let added = with_source(text, &source("j")).unwrap();
        assert!(
            added.ends_with("} # short\n") && added.contains("site = \"a.example\""),
            "{added}"
        );
        let file = ConfigFile::parse(Path::new("/c"), added).unwrap();
        assert_eq!(file.tables.sources.len(), 2);
        // Dotted keys are a table, too.
        let text = "sources.acme.type = 'org-events'\n";
        let added = with_source(text, &source("j"));
        assert!(added.is_err() || added.is_ok_and(|text| text.contains("[sources.j]")));
    }

    #[test]
    fn a_key_is_changed_and_all_around_it_stays() {
        let text = "\
# Ours.
[sources.j] # Jira
site = 'a.example'   # the site
email = 'old@a.example'   # of the token
expires_on = 2027-06-30 # a year

[sources.other]
email = 'old@a.example'
";
        let changes: [(&str, ConfigValue); 3] = [
            ("email", "new@a.example".into()),
            ("expires_on", "2028-06-30".into()),
            ("gateway", true.into()),
        ];
        let changed = with_keys(text, &"j".parse().unwrap(), &changes).unwrap();
        assert_eq!(
            changed,
            "\
# Ours.
[sources.j] # Jira
site = 'a.example'   # the site
email = \"new@a.example\"   # of the token
expires_on = 2028-06-30 # a year
gateway = true

[sources.other]
email = 'old@a.example'
"
        );
        let text = "sources.j = { expires_on = '2027-06-30' }\n";
        let changed = with_keys(text, &"j".parse().unwrap(), &changes[1..2]).unwrap();
        assert_eq!(changed, "sources.j = { expires_on = \"2028-06-30\" }\n");
    }

    #[test]
    fn an_output_and_a_state_folder_are_set_where_they_belong() {
        let added = with_output_path(FILE_OF_ONE, "{source}.jsonl").unwrap();
        assert!(added.ends_with("\n\n[output]\npath = \"{source}.jsonl\"\n"), "{added}");
        let text = format!("# Ours.\n[output]\npath = '-' # for jq\n{FILE_OF_ONE}");
        let changed = with_output_path(&text, "x").unwrap();
        assert!(changed.contains("[output]\npath = \"x\" # for jq\n"), "{changed}");
        let changed = with_state_dir(&changed, "/var/lib/atlaudit").unwrap();
        let file = ConfigFile::parse(Path::new("/c"), changed.clone()).unwrap();
        assert!(file.tables.state_dir.is_some(), "{changed}");
        assert_eq!(with_state_dir(&changed, "/other").unwrap(), changed);
    }

    const FILE_OF_ONE: &str = "[sources.acme]\ntype = 'org-events'\n";

    #[test]
    fn what_is_no_configuration_is_not_changed() {
        let name: SourceName = "acme".parse().unwrap();
        let yes: [(&str, ConfigValue); 1] = [("gateway", true.into())];
        assert!(with_keys(FILE, &name, &yes).is_err());
        assert!(with_keys("", &name, &yes).is_err());
        assert!(with_source(FILE, &source("acme")).is_err());
        let secret = "[sources.acme\napi_key = 'SECRET'";
        for refusal in [
            with_keys(secret, &name, &yes).unwrap_err(),
            with_source(secret, &source("j")).unwrap_err(),
        ] {
            assert!(!refusal.to_string().contains("SECRET"), "{refusal}");
        }
    }
}
