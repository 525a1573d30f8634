//! Resolves the flags of `respond`.

use std::path::{Path, PathBuf};

use crate::cli::args::RespondArgs;
use crate::cli::load::{CommandContext, usage_error};
use crate::cli::paths::{CommandPaths, PathRole};
use crate::config::respond::{
    ApplyRequest, PlanRequest, RespondRequest, RespondTarget, ResponseAction,
};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceName;
use crate::model::text::quoted_path;
use crate::respond::ResponsePlan;

/// The request of `respond`.
pub fn respond(
    typed: RespondArgs,
    context: &CommandContext<'_>,
) -> Result<RespondRequest, AppError> {
    if let Some(plan) = typed.apply.clone() {
        return apply(typed, plan, context);
    }
    let action = typed.action.ok_or_else(|| {
        usage_error("nothing says what to do", "name an action, a source and an account")
    })?;
    if matches!(action, ResponseAction::SignInAgain | ResponseAction::Notify) {
        return Ok(RespondRequest::Guidance(action));
    }
    let (Some(source), Some(subject)) = (&typed.source, typed.subject) else {
        return Err(usage_error(
            format!("`{action}` needs a source, and whom it is about"),
            "write it like `atlaudit respond suspend acme bo@acme.example`",
        ));
    };
    let takes_policy = matches!(action, ResponseAction::Quarantine | ResponseAction::Release);
    if takes_policy != typed.policy.is_some() {
        return Err(usage_error(
            "`--policy` belongs to `quarantine` and `release`, and they need it",
            "name the id of the authentication policy to move to",
        ));
    }
    if typed.message.is_some() && action != ResponseAction::Disable {
        return Err(usage_error(
            "`--message` belongs to `disable`",
            "only the block of a disabled account takes a text",
        ));
    }
    let takes_directory = matches!(action, ResponseAction::Suspend | ResponseAction::Restore);
    if !typed.directories.is_empty() && !takes_directory {
        return Err(usage_error(
            "`--directory` belongs to `suspend` and `restore`",
            "all other actions are about the whole account",
        ));
    }
    let (target, state_dir) = target(source, context)?;
    Ok(RespondRequest::Plan(Box::new(PlanRequest {
        target,
        action,
        subject,
        policy_id: typed.policy,
        directories: typed.directories,
        message: typed.message,
        allows_admin: typed.admin,
        plan: plan_file(typed.plan.as_deref(), context)?,
        state_dir,
    })))
}

/// Where the plan is written: to no file of the configuration or the state.
fn plan_file(
    typed: Option<&Path>,
    context: &CommandContext<'_>,
) -> Result<Option<PathBuf>, AppError> {
    let Some(typed) = typed else { return Ok(None) };
    if typed == Path::new("-") {
        return Err(usage_error(
            "a plan is written to a file, and `-` is none",
            "name a file; the plan is printed for people anyway",
        ));
    }
    let mut paths = CommandPaths::reserved_if_configured(context);
    paths.add(PathRole::ResponsePlan, typed);
    paths.refuse_clashes()?;
    Ok(Some(context.env.at_cwd(typed)))
}

fn apply(
    typed: RespondArgs,
    plan: PathBuf,
    context: &CommandContext<'_>,
) -> Result<RespondRequest, AppError> {
    let path = context.env.at_cwd(&plan);
    if typed.yes && typed.case.as_ref().is_none_or(|case| case.trim().is_empty()) {
        return Err(usage_error(
            "`--yes` needs a `--case`",
            "name the case that the response belongs to",
        ));
    }
    // Only its source is needed here; everything of it is checked before it is applied.
    let text = (context.host.read_file)(&path).map_err(|error| {
        AppError::new(Exit::Guarded, format!("cannot read the plan `{}`", plan.display()))
            .because(&error)
            .hint("make a plan first")
    })?;
    let source = ResponsePlan::read(&text, context.now).map(|plan| plan.source).map_err(|why| {
        AppError::new(Exit::Guarded, format!("cannot apply the plan `{}`: {why}", plan.display()))
            .hint("make a new plan, and apply that")
    })?;
    let source: SourceName =
        source.parse().map_err(|why: String| usage_error(why, "make a new plan"))?;
    let (target, state_dir) = target(&source, context)?;
    Ok(RespondRequest::Apply(Box::new(ApplyRequest {
        target,
        plan: path,
        case: typed.case,
        reason: typed.reason,
        is_confirmed: typed.yes,
        state_dir,
    })))
}

fn target(
    source: &SourceName,
    context: &CommandContext<'_>,
) -> Result<(RespondTarget, PathBuf), AppError> {
    let file = context.load()?;
    let (settings, mut sources) = context.select(std::slice::from_ref(source))?;
    let respond = file.respond_settings(source)?;
    let (Some(source), Some(respond)) = (sources.pop(), respond) else {
        let what = format!("source `{source}` has no `respond_credential`");
        return Err(AppError::new(Exit::Config, what).hint(
            "set it to where a second key is, which may change accounts and which nothing else \
             reads (docs/respond.md)",
        ));
    };
    let (global, env) = (context.global, context.env);
    let flags = [("--config", &global.config), ("--state-dir", &global.state_dir)];
    let flags = flags.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)));
    let flags = flags.map(|(flag, path)| format!(" {flag} {}", quoted_path(&env.at_cwd(path))));
    let call = format!("atlaudit{}", flags.collect::<String>());
    Ok((RespondTarget { source, settings: respond, call }, settings.state_dir))
}
