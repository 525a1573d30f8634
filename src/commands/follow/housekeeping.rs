//! What `follow` does while it pulls and waits: signals, a changed configuration, the metrics and
//! the service manager with its watchdog.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use crate::collect::metrics::MetricsFile;
use crate::collect::run_registry::{PullActivity, RunRegistry};
use crate::collect::signals;
use crate::config::env::ProcessEnv;
use crate::config::request::FollowRequest;
use crate::config::settings::SourceSettings;
use crate::crash;
use crate::error::AppError;
use crate::model::name::SourceName;
use crate::pipeline::stop::{StopRequest, wait_for_stop};
use crate::telemetry::console::StderrConsole;
use crate::telemetry::notify::ServiceManager;

/// Reads the command line and the configuration again.
pub type ConfigReloader<'a> = &'a dyn Fn() -> Result<FollowRequest, AppError>;

/// What is done while pulling and waiting.
pub struct FollowHousekeeping<'a> {
    /// What is pulled, by the configuration that was read last.
    pub request: FollowRequest,
    /// What is known of the sources.
    pub registry: Arc<RunRegistry>,
    /// `--metrics-file`
    pub metrics: Option<MetricsFile>,
    /// Receives what the program does.
    pub service: ServiceManager,
    /// What signals have requested.
    pub stop: watch::Receiver<StopRequest>,
    /// Whether the configuration was read again since the last pull began.
    pub has_reloaded: bool,
    reload_config: ConfigReloader<'a>,
    console: Arc<StderrConsole>,
    hangups: watch::Receiver<u64>,
    heartbeat: PullHeartbeat,
    metrics_timer: Interval,
    ping_timer: Interval,
    is_stopping: bool,
}

impl<'a> FollowHousekeeping<'a> {
    /// Begins to listen for signals.
    ///
    /// # Errors
    /// The metrics file cannot be written.
    pub fn new(
        request: FollowRequest,
        reload_config: ConfigReloader<'a>,
        env: &ProcessEnv,
        console: &Arc<StderrConsole>,
    ) -> Result<FollowHousekeeping<'a>, AppError> {
        let (stop, hangups) = signals::watch_signals_and_reload(env.stdin_is_terminal);
        let registry = Arc::new(RunRegistry::default());
        registry.set_sources(&request.pull.sources, &request.pull.state_dir);
        let (path, mode) = (request.pull.metrics_file.as_deref(), request.pull.file_mode);
        let metrics = path.map(|path| MetricsFile::open(path, mode, registry.clone()));
        let service = ServiceManager::of(env);
        let now = Instant::now();
        Ok(FollowHousekeeping {
            metrics_timer: timer(now + MetricsFile::interval(), MetricsFile::interval()),
            // Without a watchdog, the timer is not used.
            ping_timer: timer(now, service.watchdog.unwrap_or(Duration::from_secs(60)) / 2),
            request,
            registry,
            metrics: metrics.transpose()?,
            service,
            stop,
            has_reloaded: false,
            reload_config,
            console: console.clone(),
            hangups,
            heartbeat: PullHeartbeat::new(),
            is_stopping: false,
        })
    }

    /// Does what is due until `work` is done.
    pub async fn run_alongside<R>(&mut self, work: impl Future<Output = R>) -> R {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.do_next(true) => {}
            }
        }
    }

    /// Waits for the next pull; returns whether a signal came instead. After a reload the next pull
    /// starts at once.
    pub async fn wait(&mut self, span: Duration) -> bool {
        let until = Instant::now() + span;
        loop {
            tokio::select! {
                biased;
                () = self.do_next(false) => {}
                () = sleep_until(until) => return false,
            }
            if self.is_stopping {
                return true;
            }
            if self.has_reloaded {
                return false;
            }
        }
    }

    /// Waits until something is due, and does it.
    async fn do_next(&mut self, is_pulling: bool) {
        tokio::select! {
            () = wait_for_stop(&mut self.stop, StopRequest::AfterCommit), if !self.is_stopping => {
                self.is_stopping = true;
                self.service.stopping();
            }
            Ok(()) = self.hangups.changed() => self.reload(),
            _ = self.metrics_timer.tick(), if self.metrics.is_some() => {
                self.metrics.iter().for_each(MetricsFile::refresh);
            }
            _ = self.ping_timer.tick(), if self.service.watchdog.is_some() => {
                let activity = is_pulling.then(|| self.registry.activity(chrono::Utc::now()));
                self.heartbeat.observe(activity);
                if self.heartbeat.is_alive(stall_timeout(&self.request.pull.sources)) {
                    self.service.ping_watchdog();
                }
            }
            else => std::future::pending().await,
        }
    }

    /// Reloads the configuration. If it has an error, that is reported, and the previous one stays.
    fn reload(&mut self) {
        self.service.reloading();
        match block_in_place(self.reload_config) {
            Ok(new) => {
                let known = self.registry.snapshots();
                // Until the first event, each pull obeys `initial_lookback`.
                let has_history = |name: &SourceName| {
                    let source = known.iter().find(|source| source.name == name.as_str());
                    let position = source.and_then(|source| source.history.position.as_ref());
                    position.is_some_and(|position| position.newest.is_some())
                };
                let changes = changes(&self.request, &new, &has_history);
                let changes = changes.unwrap_or_else(|| "nothing has changed".to_owned());
                self.console.notice(format!("the configuration was read again: {changes}"));
                self.request = new;
                self.has_reloaded = true;
            }
            Err(error) => {
                error.report_to(&self.console);
                self.console.warn("keeping the previous configuration");
            }
        }
        self.service.ready("the configuration was read again");
    }
}

fn timer(start: Instant, period: Duration) -> Interval {
    let mut timer = interval_at(start, period);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer
}

const INITIAL_LOOKBACK: &str = "initial_lookback";

/// The same key if only a first pull would obey it.
const WITHOUT_EFFECT: &str = "initial_lookback, which has no effect after the first pull";

/// The changes from `old` to `new`: `added `x`; removed `y`; changed `z` (output)`, or `None`.
/// `has_history` returns whether a source has brought events, from which it is read on.
fn changes(
    old: &FollowRequest,
    new: &FollowRequest,
    has_history: &dyn Fn(&SourceName) -> bool,
) -> Option<String> {
    let find = |among: &FollowRequest, source: &SourceSettings| {
        let mut sources = among.pull.sources.iter();
        sources.find(|other| other.name == source.name).cloned()
    };
    let (mut added, mut changed) = (Vec::new(), Vec::new());
    for source in &new.pull.sources {
        match find(old, source) {
            None => added.push(format!("`{}`", source.name)),
            Some(before) if before != *source => {
                let mut parts = changed_keys(&before, source);
                if has_history(&source.name) {
                    let idle = parts.iter_mut().filter(|part| **part == INITIAL_LOOKBACK);
                    idle.for_each(|part| *part = WITHOUT_EFFECT);
                }
                let parts = parts.join(", ");
                changed.push(format!("`{}` ({parts})", source.name));
            }
            Some(_) => {}
        }
    }
    let gone = |source: &&SourceSettings| find(new, source).is_none();
    let removed = old.pull.sources.iter().filter(gone);
    let removed: Vec<_> = removed.map(|source| format!("`{}`", source.name)).collect();
    let said = [("added", added), ("removed", removed), ("changed", changed)];
    let said = said.into_iter().filter(|(_, names)| !names.is_empty());
    let said: Vec<_> = said.map(|(what, names)| format!("{what} {}", names.join(", "))).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// The parts in which two settings of one source differ, as the configuration calls them.
fn changed_keys(old: &SourceSettings, new: &SourceSettings) -> Vec<&'static str> {
    let parts = [
        ("address", old.target != new.target),
        ("credential", old.credential != new.credential),
        (INITIAL_LOOKBACK, old.initial_lookback != new.initial_lookback),
        ("initial_from", old.initial_from != new.initial_from),
        ("backfill", old.backfill != new.backfill),
        ("overlap", old.overlap != new.overlap),
        ("late_margin", old.late_margin != new.late_margin),
        ("expires_on", old.expires_on != new.expires_on),
        ("page_size", old.page_size != new.page_size),
        ("concurrency", old.concurrency != new.concurrency),
        ("connection", old.connection != new.connection),
        ("output", old.output != new.output),
        ("detect", old.alerts != new.alerts),
        ("taxonomy", old.extra_actions != new.extra_actions),
    ];
    let differ = parts.into_iter().filter(|(_, differs)| *differs);
    differ.map(|(name, _)| name).collect()
}

/// How long there may be no progress in addition to the server's timeout, in milliseconds: for a
/// keyring that prompts a person, or a commit to a slow disk.
const STALL_TIMEOUT_MS: usize = 60_000;

/// When there was progress last. The watchdog is pinged only while there is some.
#[derive(Debug)]
struct PullHeartbeat {
    mark: u64,
    last_progress: Instant,
}

impl PullHeartbeat {
    /// A heartbeat with progress now.
    fn new() -> PullHeartbeat {
        PullHeartbeat { mark: 0, last_progress: Instant::now() }
    }

    /// Observes the activity of the sources, if they are being pulled. Waiting until a known time,
    /// as a server demands, is progress.
    fn observe(&mut self, activity: Option<PullActivity>) {
        let mark = activity.filter(|activity| !activity.is_waiting).map(|a| a.progress_mark);
        if mark != Some(self.mark) {
            self.mark = activity.map_or(self.mark, |activity| activity.progress_mark);
            self.last_progress = Instant::now();
        }
    }

    /// Whether there was progress within `patience`.
    fn is_alive(&self, patience: Duration) -> bool {
        self.last_progress.elapsed() < patience
    }
}

/// How long there may be no progress while `sources` are pulled: a silent server is given up after
/// `timeout`, once to connect and once to respond.
fn stall_timeout(sources: &[SourceSettings]) -> Duration {
    let timeouts = sources.iter().map(|source| source.connection.timeout);
    let ms = crash::limit("PATIENCE_MS", STALL_TIMEOUT_MS);
    let own = Duration::from_millis(ms.try_into().unwrap_or(u64::MAX));
    (timeouts.max().unwrap_or_default() * 2).saturating_add(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check;
    use crate::config::file::ConfigFile;
    use crate::config::request::{IfRunning, PullRequest};
    use std::path::Path;

    fn request(config: &str) -> FollowRequest {
        let loaded = ConfigFile::parse(Path::new("/c"), config.to_owned()).ok().unwrap();
        let settings = check::settings(&loaded, &ProcessEnv::default(), "/s".into()).unwrap();
        FollowRequest {
            pull: PullRequest {
                sources: settings.sources,
                state_dir: "/s".into(),
                remote_state: None,
                now: chrono::Utc::now(),
                one_off: None,
                backfill: None,
                max_events: None,
                if_running: IfRunning::Fail,
                repeats_errors: false,
                dry_run: false,
                is_view: false,
                prints_on_terminal: false,
                report: None,
                metrics_file: None,
                file_mode: None,
                detect: None,
            },
            every: Duration::from_secs(1),
        }
    }

    #[test]
    fn what_is_new_is_named() {
        let source = |name: &str, more: &str| {
            format!("[sources.{name}]\ntype = 'org-events'\norg_id = 'o1'\n{more}\n")
        };
        let old = request(&[source("a", ""), source("b", ""), source("c", "")].concat());
        let never = |_: &SourceName| false;
        assert_eq!(changes(&old, &old, &never), None);
        let more = "credential = 'env:K'\npage_size = 7\nretry_for = '1s'";
        let new = request(&[source("a", more), source("c", ""), source("d", "")].concat());
        assert_eq!(
            changes(&old, &new, &never).unwrap(),
            "added `d`; removed `b`; changed `a` (credential, page_size, connection)"
        );
    }

    #[test]
    fn a_lookback_without_effect_is_reported() {
        let source = |name: &str, lookback: &str| {
            format!(
                "[sources.{name}]\ntype = 'org-events'\norg_id = 'o1'\n\
                 initial_lookback = '{lookback}'\n"
            )
        };
        let old = request(&[source("a", "7d"), source("b", "7d")].concat());
        let new = request(&[source("a", "9d"), source("b", "9d")].concat());
        let is_a = |name: &SourceName| name.as_str() == "a";
        assert_eq!(
            changes(&old, &new, &is_a).unwrap(),
            "changed `a` (initial_lookback, which has no effect after the first pull), \
             `b` (initial_lookback)"
        );
    }

    const PATIENCE: Duration = Duration::from_secs(60);

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    fn still(mark: u64) -> Option<PullActivity> {
        Some(PullActivity { progress_mark: mark, is_waiting: false })
    }

    #[tokio::test(start_paused = true)]
    async fn the_heartbeat_stops_without_progress_and_resumes_with_it() {
        let mut heartbeat = PullHeartbeat::new();
        heartbeat.observe(still(7));
        pass(59).await;
        heartbeat.observe(still(7));
        assert!(heartbeat.is_alive(PATIENCE));
        pass(1).await;
        heartbeat.observe(still(7));
        assert!(!heartbeat.is_alive(PATIENCE));
        heartbeat.observe(still(8));
        assert!(heartbeat.is_alive(PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn an_announced_wait_counts_as_progress() {
        let mut heartbeat = PullHeartbeat::new();
        for _ in 0..60 {
            pass(30).await;
            heartbeat.observe(Some(PullActivity { progress_mark: 0, is_waiting: true }));
            assert!(heartbeat.is_alive(PATIENCE));
        }
        pass(60).await;
        heartbeat.observe(still(0));
        assert!(!heartbeat.is_alive(PATIENCE));
        heartbeat.observe(None);
        assert!(heartbeat.is_alive(PATIENCE));
    }
}
