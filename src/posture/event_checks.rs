//! The checks of what no API shows: they compare what a person declared with what events tell. And
//! the check of the audit log itself.

use chrono::TimeDelta;

use super::finding::{CheckResult, FindingBasis, PostureVerdict};
use super::org_inventory::UnreadList;
use super::policy_history::PolicyChange;
use super::subject::PostureSubject;
use crate::config::posture::{PasswordStrength, PolicyDeclaration, PostureCheck};
use crate::model::text::plural;
use crate::model::time::in_words;

/// Whether policies require two-step verification.
pub fn mfa_rule(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    declared(subject, PostureCheck::MfaRule, |declared, _| {
        let is_required = declared.two_step_required?;
        let word = if is_required { "required" } else { "not required" };
        Some((is_required, format!("two-step verification is {word}")))
    })
}

/// Whether idle sessions end soon enough.
pub fn session_rule(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    declared(subject, PostureCheck::SessionRule, |declared, subject| {
        let span = declared.idle_session?;
        let most = subject.settings.thresholds.idle_session_hours;
        let is_short = span.as_secs() <= u64::from(most) * 3600;
        let limit = if is_short { "at most" } else { "more than" };
        let text = format!("idle sessions end after {}, {limit} {most} hours", in_words(span));
        Some((is_short, text))
    })
}

/// Whether passwords must be strong.
pub fn password_rule(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    declared(subject, PostureCheck::PasswordRule, |declared, _| {
        let strength = declared.password_strength?;
        let text = format!("passwords must be {}", strength.as_str().replace('-', " "));
        Some((strength >= PasswordStrength::Strong, text))
    })
}

/// Whether a mobile policy is enforced, by what is declared.
pub fn mobile_policy(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    declared(subject, PostureCheck::MobilePolicy, |declared, _| {
        let is_enforced = declared.mobile_policy?;
        let word = if is_enforced { "a" } else { "no" };
        Some((is_enforced, format!("{word} mobile app policy is enforced")))
    })
}

/// Whether it protects data.
pub fn mobile_data(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    declared(subject, PostureCheck::MobileData, |declared, _| {
        let is_protected = declared.mobile_data_protection?;
        let word = if is_protected { "protects" } else { "does not protect" };
        Some((is_protected, format!("the mobile app policy {word} data")))
    })
}

/// Judges a declaration: it counts as long as events show that nothing changed since.
fn declared(
    subject: &PostureSubject<'_>,
    check: PostureCheck,
    read: impl Fn(&PolicyDeclaration, &PostureSubject<'_>) -> Option<(bool, String)>,
) -> Result<CheckResult, UnreadList> {
    let change = subject.history.and_then(|history| history.last_change(check));
    let declaration = subject.settings.declared.as_ref();
    let Some((declaration, (is_sound, what))) =
        declaration.and_then(|it| Some((it, read(it, subject)?)))
    else {
        let last = change.map(|change| format!("; last changed: {}", describe(change)));
        let summary = format!("no API shows it{}", last.unwrap_or_default());
        return Ok(CheckResult::new(PostureVerdict::NotReadable, FindingBasis::Nothing, summary));
    };
    let by = format!("{what}, declared on {} by {}", declaration.on, declaration.by);
    let result = |verdict, summary| CheckResult::new(verdict, FindingBasis::Declared, summary);
    if !is_sound {
        return Ok(result(PostureVerdict::Fail, by)
            .with_advice("change the policies, and then the declaration with its day"));
    }
    Ok(match declaration_doubt(subject, declaration, check) {
        Some(doubt) => CheckResult {
            basis: doubt.basis,
            ..result(PostureVerdict::Review, format!("{by}; {}", doubt.why))
        }
        .with_advice(doubt.advice),
        None => result(PostureVerdict::Pass, format!("{by}; no event since then changed it")),
    })
}

/// Why a declaration proves nothing any more.
pub struct DeclarationDoubt {
    /// What says so.
    pub basis: FindingBasis,
    /// Why, as a part of a sentence.
    pub why: String,
    /// What to do.
    pub advice: &'static str,
}

/// Why a declaration may no longer be true of what `check` is about; nothing where events show that
/// it is.
pub fn declaration_doubt(
    subject: &PostureSubject<'_>,
    declaration: &PolicyDeclaration,
    check: PostureCheck,
) -> Option<DeclarationDoubt> {
    let doubt = |basis, why, advice| Some(DeclarationDoubt { basis, why, advice });
    let since = declaration.on.and_time(chrono::NaiveTime::MIN).and_utc();
    if since > subject.now {
        let why = "that day has not come yet".to_owned();
        return doubt(FindingBasis::Declared, why, "declare the day on which somebody looked");
    }
    let Some(history) = subject.history else {
        let why = "no events were read that could show a change since".to_owned();
        let advice = "name saved events (`--events`), or read them (`--since`)";
        return doubt(FindingBasis::Declared, why, advice);
    };
    if let Some(change) = history.last_change(check).filter(|change| change.time >= since) {
        let why = format!("it may have changed since: {}", describe(change));
        let advice = "look again, and declare what you see with its day";
        return doubt(FindingBasis::Events, why, advice);
    }
    let gap = history.gap_since(since, subject.now, silent(subject))?;
    let advice = "read events from that day until now, or look again and declare what you see";
    doubt(FindingBasis::Declared, gap, advice)
}

/// Whether events come, and nothing of the log was switched off.
pub fn audit_log(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let check = PostureCheck::AuditLog;
    let Some(history) = subject.history else {
        return Err(UnreadList {
            cause: "no events were read".to_owned(),
            advice: "name saved events (`--events DIR`), or read them (`--since 30d`)".to_owned(),
        });
    };
    let (Some(newest), Some(oldest)) = (history.newest(), history.oldest()) else {
        return Err(UnreadList {
            cause: "no event of this organization was read: nothing shows that its log is written"
                .to_owned(),
            advice: "the log needs Atlassian Guard; check the time range, or the files".to_owned(),
        });
    };
    let events =
        |verdict, summary: String| CheckResult::new(verdict, FindingBasis::Events, summary);
    let last = |action| history.last_action(check, action);
    let off = last("user_created_activity_disabled")
        .filter(|off| last("user_created_activity_enabled").is_none_or(|on| on.time <= off.time));
    let webhook = last("audit_log_webhook_deleted");
    let is_replaced = |gone: &&PolicyChange| {
        last("audit_log_webhook_created").is_some_and(|new| new.time > gone.time)
    };
    let lost = webhook.filter(|gone| !is_replaced(gone));
    let gone: Vec<String> = [off, lost].into_iter().flatten().map(describe).collect();
    if !gone.is_empty() {
        return Ok(events(PostureVerdict::Fail, gone.join("; ")));
    }
    if let Some(replaced) = webhook {
        let what = format!("{}; a webhook was created later", describe(replaced));
        return Ok(events(PostureVerdict::Review, what)
            .with_advice("look whether the new webhook takes the place of the one that is gone"));
    }
    if history.has_gaps() {
        return Err(UnreadList {
            cause: "not all events could be read, so that something may have been switched off"
                .to_owned(),
            advice: "see the messages, and run it again".to_owned(),
        });
    }
    let quiet = in_words((subject.now - newest).to_std().unwrap_or_default());
    if subject.now - newest > silent(subject) {
        let what = format!("no event for {quiet}: the log is silent, or was not read since");
        return Ok(events(PostureVerdict::Review, what)
            .with_advice("pull newer events; if none come, look at the log in the console"));
    }
    let count = plural(history.events(), "event", "events");
    let range = format!("{count} since {}, the newest {quiet} ago", oldest.date_naive());
    Ok(events(PostureVerdict::Pass, format!("{range}; nothing was switched off in that time")))
}

/// The time without events after which the log is silent.
fn silent(subject: &PostureSubject<'_>) -> TimeDelta {
    TimeDelta::days(i64::from(subject.settings.thresholds.silent_days))
}

/// `set_session_policy by Ada at 2026-11-03 10:00 UTC (Default)`.
fn describe(change: &PolicyChange) -> String {
    let target = change.target.as_ref().map(|target| format!(" ({target})")).unwrap_or_default();
    let time = change.time.format("%Y-%m-%d %H:%M UTC");
    format!("{} by {} at {time}{target}", change.action, change.actor)
}
