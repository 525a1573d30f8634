//! Runs `follow`: pulls, waits and pulls again, until it is stopped.

mod pull_series;
mod reload;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep_until};

use crate::collect::metrics::MetricsFile;
use crate::collect::run_registry::{PullActivity, RunRegistry};
use crate::collect::signals;
use crate::commands::follow::pull_series::{FinishedPull, PullSeries};
use crate::config::env::ProcessEnv;
use crate::config::request::FollowRequest;
use crate::config::settings::SourceSettings;
use crate::crash;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceName;
use crate::model::number::counted;
use crate::pipeline::stop::{StopRequest, wait_for_stop};
use crate::telemetry::console::{ConsoleMessage, Level, StderrConsole};
use crate::telemetry::notify::ServiceManager;

/// The random part of the wait: processes that were started together do not stay together.
const JITTER: f64 = 0.1;

/// Reads the command line and the configuration again.
pub type ConfigReloader<'a> = &'a dyn Fn() -> Result<FollowRequest, AppError>;

/// Pulls continuously. To be stopped by a signal is a success, whatever the pulls brought.
///
/// # Errors
/// The metrics file cannot be written. The errors of a pull are reported, and it is tried again.
pub async fn run(
    request: FollowRequest,
    reread: ConfigReloader<'_>,
    env: &ProcessEnv,
    console: &Arc<StderrConsole>,
) -> Result<Exit, AppError> {
    let (stop, hangups) = signals::watch_signals_and_reload(env.stdin_is_terminal);
    let accounts = Arc::new(RunRegistry::default());
    accounts.set_sources(&request.pull.sources, &request.pull.state_dir);
    let metrics = request.pull.metrics_file.as_deref();
    let metrics =
        metrics.map(|path| MetricsFile::open(path, request.pull.file_mode, accounts.clone()));
    let (count, every) = (request.pull.sources.len(), request.every);
    let mut follower = FollowLoop {
        housekeeping: FollowHousekeeping {
            stop,
            hangups,
            reload_config: reread,
            console: console.clone(),
            service: ServiceManager::of(env),
            heartbeat: PullHeartbeat::new(),
            next_metrics: Instant::now() + MetricsFile::interval(),
            next_ping: Instant::now(),
            is_stopping: false,
            has_reloaded: false,
            metrics: metrics.transpose()?,
            registry: accounts.clone(),
            request,
        },
        series: PullSeries::new(env, console, accounts),
    };
    console.say(Level::Notice, &ConsoleMessage::new(start_message(count, every)));
    let exit = follower.run_until_stopped().await;
    if let Some(metrics) = &follower.housekeeping.metrics {
        metrics.close()?;
    }
    if exit == Exit::Done {
        let text = "stopped; the next run goes on from here";
        console.say(Level::Notice, &ConsoleMessage::new(text));
    }
    Ok(exit)
}

fn start_message(count: usize, every: Duration) -> String {
    let sources = counted(count as u64, "source");
    let every = humantime::format_duration(every);
    format!("follows {sources}, every {every}, until SIGINT (Ctrl-C) or SIGTERM")
}

/// The pulls, and what is done meanwhile.
struct FollowLoop<'a> {
    series: PullSeries<'a>,
    housekeeping: FollowHousekeeping<'a>,
}

/// What is done while pulling and waiting: signals, metrics, the service manager.
struct FollowHousekeeping<'a> {
    request: FollowRequest,
    reload_config: ConfigReloader<'a>,
    registry: Arc<RunRegistry>,
    metrics: Option<MetricsFile>,
    service: ServiceManager,
    console: Arc<StderrConsole>,
    stop: watch::Receiver<StopRequest>,
    hangups: watch::Receiver<u64>,
    heartbeat: PullHeartbeat,
    next_metrics: Instant,
    next_ping: Instant,
    is_stopping: bool,
    /// Whether the configuration was read again since the last pull began.
    has_reloaded: bool,
}

impl FollowLoop<'_> {
    /// Pulls until it is stopped, or until no further pull could bring anything.
    async fn run_until_stopped(&mut self) -> Exit {
        let mut is_first = true;
        loop {
            let Some(ended) = self.pull(is_first).await else {
                return Exit::Done;
            };
            if let Some(exit) = ended.fatal_exit(is_first) {
                return exit;
            }
            is_first = false;
            let every = self.housekeeping.request.every;
            self.housekeeping.service.status(&ended.status(every));
            if self.housekeeping.wait(every.mul_f64(1.0 + JITTER * fastrand::f64())).await {
                return Exit::Done;
            }
        }
    }

    /// Pulls all sources once; `None` if a signal ended it.
    async fn pull(&mut self, is_first: bool) -> Option<FinishedPull> {
        let (rounds, beside) = (&mut self.series, &mut self.housekeeping);
        beside.has_reloaded = false;
        let mut pull = beside.request.pull.clone();
        pull.now = chrono::Utc::now();
        beside.registry.set_sources(&pull.sources, &pull.state_dir);
        let count = pull.sources.len();
        let stop = beside.stop.clone();
        let round = beside.run_alongside(rounds.start(pull, stop)).await;
        // By now the credentials were loaded and the settings checked.
        if !is_first {
            beside.service.status(&format!("pulls {count} sources"));
        } else if !round.is_misconfigured() {
            beside.service.ready(&format!("pulls {count} sources"));
        }
        let ended = beside.run_alongside(round.finish()).await;
        if let Some(metrics) = &beside.metrics {
            metrics.refresh();
        }
        // A pull that a signal ended is not reported: the next one resumes it.
        let is_asked = *beside.stop.borrow() > StopRequest::NotRequested;
        (!is_asked).then(|| {
            rounds.report(&ended);
            ended
        })
    }
}

impl FollowHousekeeping<'_> {
    /// Does what is due until `work` is done.
    async fn run_alongside<R>(&mut self, work: impl Future<Output = R>) -> R {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.wait_until_due() => {}
            }
            self.heartbeat.observe(self.registry.activity(chrono::Utc::now()));
            self.perform_due_tasks();
        }
    }

    /// Waits for the next pull; returns whether a signal came instead. After a reload the next pull
    /// starts at once.
    async fn wait(&mut self, span: Duration) -> bool {
        let until = Instant::now() + span;
        loop {
            tokio::select! {
                biased;
                () = self.wait_until_due() => {}
                () = sleep_until(until) => return false,
            }
            self.heartbeat.idle();
            self.perform_due_tasks();
            if self.is_stopping {
                return true;
            }
            if self.has_reloaded {
                return false;
            }
        }
    }

    /// Waits until something is due.
    async fn wait_until_due(&mut self) {
        let (stop, is_stopping) = (&mut self.stop, self.is_stopping);
        let stopped = async {
            match is_stopping {
                true => std::future::pending().await,
                false => wait_for_stop(stop, StopRequest::AfterCommit).await,
            }
        };
        let hung_up = async {
            if self.hangups.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let metrics = self.metrics.as_ref().map(|_| self.next_metrics);
        let ping = self.service.watchdog().map(|_| self.next_ping);
        let timer = async {
            match metrics.into_iter().chain(ping).min() {
                Some(time) => sleep_until(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stopped => {
                self.is_stopping = true;
                self.service.stopping();
            }
            () = hung_up => self.reload(),
            () = timer => {}
        }
    }

    /// Writes the metrics and pings the watchdog when they are due.
    fn perform_due_tasks(&mut self) {
        let now = Instant::now();
        if let Some(metrics) = &self.metrics
            && now >= self.next_metrics
        {
            metrics.refresh();
            self.next_metrics = now + MetricsFile::interval();
        }
        if let Some(limit) = self.service.watchdog()
            && now >= self.next_ping
        {
            if self.heartbeat.is_alive(stall_timeout(&self.request.pull.sources)) {
                self.service.ping_watchdog();
            }
            self.next_ping = now + limit / 2;
        }
    }

    /// Reloads the configuration. If it has an error, that is reported, and the previous one stays.
    fn reload(&mut self) {
        self.service.reloading();
        match block_in_place(self.reload_config) {
            Ok(new) => {
                let facts = self.registry.snapshots();
                // Until the first event, each pull obeys `initial_lookback`.
                let has_history = |name: &SourceName| {
                    let known = facts.iter().find(|known| known.name == name.as_str());
                    let position = known.and_then(|known| known.position.as_ref());
                    position.is_some_and(|position| position.newest.is_some())
                };
                let changes = reload::changes(&self.request, &new, &has_history);
                let changes = changes.unwrap_or_else(|| "nothing has changed".to_owned());
                let text = format!("the configuration was read again: {changes}");
                self.console.say(Level::Notice, &ConsoleMessage::new(text));
                self.request = new;
                self.has_reloaded = true;
            }
            Err(error) => {
                error.report_to(&self.console);
                let text = "keeping the previous configuration";
                self.console.say(Level::Warning, &ConsoleMessage::new(text));
            }
        }
        self.service.ready("the configuration was read again");
    }
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

    /// Observes the activity of the sources. Waiting until a known time, as a server demands, is
    /// progress.
    fn observe(&mut self, activity: PullActivity) {
        if activity.progress_mark != self.mark || activity.is_waiting {
            self.mark = activity.progress_mark;
            self.last_progress = Instant::now();
        }
    }

    /// Notes that no pull is running.
    fn idle(&mut self) {
        self.last_progress = Instant::now();
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

    const PATIENCE: Duration = Duration::from_secs(60);

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    fn still(mark: u64) -> PullActivity {
        PullActivity { progress_mark: mark, is_waiting: false }
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
            heartbeat.observe(PullActivity { progress_mark: 0, is_waiting: true });
            assert!(heartbeat.is_alive(PATIENCE));
        }
        pass(60).await;
        heartbeat.observe(still(0));
        assert!(!heartbeat.is_alive(PATIENCE));
        heartbeat.idle();
        assert!(heartbeat.is_alive(PATIENCE));
    }
}
