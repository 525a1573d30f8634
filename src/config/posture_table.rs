//! Resolves `[posture]`.

use crate::config::error::{ConfigError, HintedError};
use crate::config::file::{ConfigFile, DeclarationTable, ErrorLocation};
use crate::config::posture::{
    PasswordStrength, PolicyDeclaration, PostureCheck, PostureSettings, PostureThresholds,
};
use crate::config::settings::Settings;
use crate::config::validate;
use crate::model::name::SourceName;
use crate::model::source_kind::SourceAddress;

/// A larger number makes no sense, and times must not overflow.
const MAX_THRESHOLD: u32 = 100_000;

impl ConfigFile {
    /// What the posture of the organization of the source `name` is compared with.
    pub fn posture_settings(&self, name: &SourceName) -> Result<PostureSettings, ConfigError> {
        let at = ErrorLocation { file: self, source: None };
        let table = &self.tables.posture;
        let thresholds = at.value("posture.thresholds", &table.thresholds, check_thresholds)?;
        let declared = table.declare.iter().find(|(of, _)| of.get_ref() == name.as_str());
        Ok(PostureSettings {
            thresholds: thresholds.unwrap_or_default(),
            declared: declared.map(|(_, table)| self.declaration(table)).transpose()?,
        })
    }

    /// The checks that `[posture] skip` leaves out.
    pub fn skipped_checks(&self) -> Result<Vec<PostureCheck>, ConfigError> {
        let at = ErrorLocation { file: self, source: None };
        let mut skipped = Vec::new();
        for name in &self.tables.posture.skip {
            let read = |text: &str| validate::word_of_list::<PostureCheck>("check", text);
            skipped.extend(at.text("posture.skip", &Some(name.clone()), read)?);
        }
        Ok(skipped)
    }

    /// Refuses a declaration of what is no organization source: it would silently count for
    /// nothing.
    pub fn check_declarations(&self, settings: &Settings) -> Result<(), ConfigError> {
        for (name, _) in &self.tables.posture.declare {
            let is_known = settings.sources.iter().any(|source| {
                source.name.as_str() == name.get_ref()
                    && source.target.kind().address() == SourceAddress::Organization
            });
            if !is_known {
                let refusal =
                    HintedError::new("`posture.declare` names no source of type `org-events`")
                        .hint("`[posture.declare.acme]` belongs to `[sources.acme]`");
                return Err(self.locate_error(refusal.into(), &name.span()));
            }
        }
        Ok(())
    }

    fn declaration(&self, table: &DeclarationTable) -> Result<PolicyDeclaration, ConfigError> {
        let at = ErrorLocation { file: self, source: None };
        let on = at.text("posture.declare.on", &table.on, validate::date)?;
        let by = at.text("posture.declare.by", &table.by, |text| match text.trim().is_empty() {
            true => Err(HintedError::new("is empty").hint("name the person who looked")),
            false => Ok(text.to_owned()),
        })?;
        let (Some(on), Some(by)) = (on, by) else {
            let key = if table.on.is_none() { "posture.declare.on" } else { "posture.declare.by" };
            let hint = "say on which day who looked: what was declared before a policy was \
                        changed is to be reviewed";
            return Err(at.missing(key, hint));
        };
        Ok(PolicyDeclaration {
            on,
            by,
            enforced_policies: table.enforced_policies.clone(),
            two_step_required: table.two_step_required,
            idle_session: at.text(
                "posture.declare.idle_session",
                &table.idle_session,
                validate::nonzero_duration,
            )?,
            password_strength: at.text(
                "posture.declare.password_strength",
                &table.password_strength,
                |text| validate::word_of_list::<PasswordStrength>("strength", text),
            )?,
            mobile_policy: table.mobile_policy,
            mobile_data_protection: table.mobile_data_protection,
        })
    }
}

fn check_thresholds(numbers: &PostureThresholds) -> Result<PostureThresholds, HintedError> {
    let PostureThresholds {
        max_admins,
        idle_days,
        token_days,
        key_days,
        ends_soon_days,
        idle_session_hours,
        silent_days,
    } = *numbers;
    let all = [
        max_admins,
        idle_days,
        token_days,
        key_days,
        ends_soon_days,
        idle_session_hours,
        silent_days,
    ];
    match all.iter().all(|number| (1..=MAX_THRESHOLD).contains(number)) {
        true => Ok(*numbers),
        false => Err(HintedError::new(format!("a number is not between 1 and {MAX_THRESHOLD}"))),
    }
}
