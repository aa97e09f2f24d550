//! `appliance run`: the loop that keeps network and service running and shows how they are.
//! One thread.

mod facts;

use common::product::product;
use std::io::{self, PipeReader, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};

use crate::child::Supervised;
use crate::config::{self, Address, Config};
use crate::console::Console;
use crate::data::DataState;
use crate::first::Outcome;
use crate::log::Log;
use crate::network::{Network, addresses};
use crate::page::Page;
use crate::service::Service;
use crate::{confine, os_release, panics, settings, stop};
use common::problem::Problem;
use facts::{Data, page};

/// How often to look at links, addresses and mounts while the machine is starting …
const EARLY_TICK: Duration = Duration::from_millis(250);
/// … which is so long …
const STARTING: Duration = Duration::from_secs(30);
/// … and later.
const TICK: Duration = Duration::from_secs(1);
/// How long the programs that keep the clock and prove what runs may take to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs the machine below `root` until a signal asks it to stop. Fails if another supervisor runs,
/// or if the system refuses what no loop can do without.
pub fn run(root: &Path) -> io::Result<()> {
    std::fs::create_dir_all(root.join(product().run("")))?;
    let _lock = stop::hold(root)?;
    if confine::is_real(root) {
        confine::supervisor()?;
    }
    let (mut wake, stopped) = watch_signals()?;
    let mut machine = Machine::start(root);
    let mut next_tick = Instant::now();
    while !stopped.load(Ordering::Relaxed) {
        let now = Instant::now();
        machine.look_after(now);
        if next_tick <= now {
            next_tick = now + machine.tick(now);
        }
        machine.wait(&wake, next_tick.saturating_duration_since(Instant::now()))?;
        // What was written does not matter, only that something was.
        let mut buffer = [0; 64];
        while matches!(wake.read(&mut buffer), Ok(1..)) {}
    }
    machine.stop();
    Ok(())
}

/// Makes signals wake the loop: those that ask for the end, and a program that ended.
fn watch_signals() -> io::Result<(PipeReader, Arc<AtomicBool>)> {
    let (wake, waker) = io::pipe()?;
    ioctl_fionbio(&wake, true)?;
    ioctl_fionbio(&waker, true)?;
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stopped))?;
    }
    for signal in [SIGTERM, SIGINT, SIGCHLD] {
        signal_hook::low_level::pipe::register(signal, waker.try_clone()?)?;
    }
    Ok((wake, stopped))
}

struct Machine {
    root: PathBuf,
    console: Console,
    title: String,
    config: Result<Config, String>,
    /// What came of the first start of an image, if this is it.
    first: Option<Outcome>,
    /// Why new settings were not taken.
    settings_problem: Option<Problem>,
    data: DataState,
    panic: Option<String>,
    network: Network,
    service: Result<Service, Problem>,
    clock: Option<Supervised>,
    attest: Option<Supervised>,
    /// What the programs of the network say; too much for a console.
    log: Log,
    started: Instant,
}

impl Machine {
    /// Reads what the machine is told about itself, and starts its parts.
    fn start(root: &Path) -> Self {
        let started = Instant::now();
        let mut console = Console::open(root);
        let data = DataState::read(root);
        let taken = settings::take(root, &data);
        if let Ok(Some(said)) = &taken {
            console.say(said);
        }
        if let Err(problem) = &taken {
            tracing::warn!(%problem, "new settings are not taken");
        }
        let config = config::read(root);
        let (host_name, address, labels, time_server) = match &config {
            Ok(it) => (
                it.host_name.as_str(),
                it.address.clone(),
                it.labels.as_slice(),
                it.time_server.as_deref(),
            ),
            Err(_) => (
                product().settings.host_name.as_str(),
                Address::Dhcp,
                [].as_slice(),
                None,
            ),
        };
        if let Err(problem) = &config {
            tracing::error!(problem, "cannot read the configuration");
        }
        tracing::info!(host_name, ?address, ?labels, ?time_server, "starting");
        // proc(5): the same as sethostname(2). Without it the kernel says "(none)".
        let _ = std::fs::write(root.join("proc/sys/kernel/hostname"), host_name);
        let clock = time_server
            .map(|server| Supervised::new(own(root, "clock", &["time", server]), started));
        let proves = product().service.attestation_port != 0;
        let attest = proves.then(|| Supervised::new(own(root, "attest", &["attest"]), started));
        Self {
            root: root.to_owned(),
            console,
            title: os_release::name(root),
            network: Network::new(root, host_name, address, started),
            service: start_service(root, &data, labels, started),
            config,
            first: Outcome::read(root),
            settings_problem: taken.err(),
            data,
            panic: panics::last(root),
            clock,
            attest,
            log: Log::open(root, "network"),
            started,
        }
    }

    /// Looks after the programs, and passes on what they say.
    fn look_after(&mut self, now: Instant) {
        let mut lines = Vec::new();
        if let Ok(service) = &mut self.service {
            service.look(now, &mut lines);
        }
        for line in lines.drain(..) {
            self.console.say(&format!("service: {line}"));
        }
        if let Some(clock) = &mut self.clock {
            // It says itself how it fares, and is started again.
            let _ = clock.look(now, &mut lines);
        }
        for line in lines.drain(..) {
            tracing::debug!(line, "time");
            self.log.write(&format!("time: {line}"));
        }
        if let Some(attest) = &mut self.attest {
            let _ = attest.look(now, &mut lines);
        }
        for line in lines {
            tracing::debug!(line, "attest");
            self.log.write(&format!("attest: {line}"));
        }
    }

    /// Looks at links, addresses and mounts, and shows the page. Returns when to do so again.
    fn tick(&mut self, now: Instant) -> Duration {
        let mut lines = Vec::new();
        self.network.look(now, &mut lines);
        for line in lines {
            tracing::debug!(line, "network");
            self.log.write(&line);
        }
        let page = self.page();
        self.console.show(&page);
        if now - self.started < STARTING {
            EARLY_TICK
        } else {
            TICK
        }
    }

    fn page(&self) -> Page {
        let addresses = self.network.own(addresses());
        let data = Data::look(&self.root, &self.data);
        page(&facts::Facts {
            title: &self.title,
            config: self.config.as_ref().map_err(String::as_str),
            first: self.first.as_ref(),
            settings_problem: self.settings_problem.as_ref(),
            links: self.network.rows(&addresses),
            network_problem: self.network.problem(),
            addresses: &addresses,
            data: &data,
            data_warning: self.data.warning.as_ref(),
            panic: self.panic.as_deref(),
            service: self.service.as_ref().map(Service::state),
        })
    }

    /// Waits for a signal, for words of the service, or for `timeout`.
    fn wait(&self, wake: &PipeReader, timeout: Duration) -> io::Result<()> {
        let mut fds = vec![PollFd::new(wake, PollFlags::IN)];
        let output = self.service.as_ref().ok().and_then(Service::output);
        if let Some(output) = output {
            fds.push(PollFd::new(output, PollFlags::IN));
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends all programs, the service first.
    fn stop(mut self) {
        self.console.say("stopping");
        tracing::info!("stopping the service, then the rest");
        let mut lines = Vec::new();
        if let Ok(service) = self.service {
            service.stop(&mut lines);
        }
        for line in lines {
            self.console.say(&format!("service: {line}"));
        }
        for program in [self.clock, self.attest].into_iter().flatten() {
            program.stop(PATIENCE, &mut Vec::new());
        }
        self.network.stop();
        self.console.say("stopped");
    }
}

/// This program again, whatever the image calls it.
fn own(root: &Path, profile: &str, words: &[&str]) -> Command {
    let this = std::env::current_exe().unwrap_or_default();
    let name = this.file_name().unwrap_or_default();
    let program = root.join("bin").join(name);
    let mut command = confine::command(root, profile, &[], &program);
    command.args(words);
    command
}

/// Starts the service, unless its data is not as it should be.
fn start_service(
    root: &Path,
    state: &DataState,
    labels: &[String],
    now: Instant,
) -> Result<Service, Problem> {
    let data = Data::look(root, state);
    let problem = state.problem(labels).or_else(|| data.mount_problem(root));
    if let Some(problem) = problem {
        tracing::error!(%problem, "the service is not started");
        return Err(problem);
    }
    Service::start(root, &data.further(), now).map_err(|error| {
        Problem::new(
            format!("The service cannot be started: {error}."),
            "Start the machine again. If that does not help, install again and keep the data.",
        )
    })
}
