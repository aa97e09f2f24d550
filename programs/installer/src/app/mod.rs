//! The event loop: waits for keys, devices and time, feeds the state machine, carries out its
//! effects, and draws what changed. One thread; whatever takes time is in others.

mod effects;
mod power;
mod search;
mod wait;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::fatal::Fatal;
use crate::install::Account;
use crate::keyboard::Keyboards;
use crate::log::Log;
use crate::prober::Prober;
use crate::screen::Screen;
use crate::serial::Consoles;
use crate::state::{self, Cause, Event, State};
use crate::worker::Worker;

use self::search::Search;
use self::wait::Source;

/// How long nothing is called lacking because no disk was found yet.
const SETTLING: Duration = Duration::from_millis(800);
/// How often devices are looked for while the machine is still starting.
const EARLY_TICK: Duration = Duration::from_millis(250);
/// How often devices are looked for later.
const TICK: Duration = Duration::from_secs(2);
/// How long the machine is taken to be starting, and how long to wait for something to draw on.
const STARTING: Duration = Duration::from_secs(10);
/// How long a stick gets to take the logs that are being written to it.
const LAST_EXPORT: Duration = Duration::from_secs(20);
/// How long slow lines get to show the last screen.
const LAST_SCREEN: Duration = Duration::from_millis(800);

/// Runs the program on the machine below `root`, until the user leaves.
pub fn run(root: &Path, log: &Log) -> Result<(), Fatal> {
    let (wake, waker) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
        .map_err(|error| Fatal::System("cannot make a pipe", error.into()))?;
    let stopped =
        watch_signals(&waker).map_err(|error| Fatal::System("cannot handle signals", error))?;
    let (state, effect) = State::start();
    let started = Instant::now();
    let mut app = App {
        root: root.to_owned(),
        log: log.clone(),
        state,
        screen: Screen::new(root),
        consoles: Consoles::new(root, log),
        keyboards: Keyboards::new(root),
        worker: Worker::new(root, wake_of(&waker)?),
        prober: Prober::new(root, waker),
        search: Search::new(started),
        accounts: Vec::new(),
        wake: File::from(wake),
        stopped,
        started,
        next_tick: started,
        settling: Some(started + SETTLING),
        second: None,
    };
    app.carry_out(effect);
    app.tick(); // opens what is drawn on: until then the UKI's splash is shown
    app.draw();
    app.run().inspect_err(|error| {
        if matches!(error, Fatal::Stopped) {
            tracing::info!("{error}");
        } else {
            tracing::error!(%error, "cannot go on");
        }
    })
}

/// Makes signals that end a program wake the loop instead.
fn watch_signals(waker: &OwnedFd) -> io::Result<Arc<AtomicBool>> {
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stopped))?;
        signal_hook::low_level::pipe::register(signal, waker.try_clone()?)?;
    }
    // A serial console that hangs up is opened again; it must not end the program.
    signal_hook::flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))?;
    Ok(stopped)
}

struct App {
    root: PathBuf,
    log: Log,
    state: State,
    screen: Screen,
    consoles: Consoles,
    keyboards: Keyboards,
    prober: Prober,
    worker: Worker,
    search: Search,
    /// The accounts of all installations so far, oldest first.
    accounts: Vec<Account>,
    wake: File,
    stopped: Arc<AtomicBool>,
    started: Instant,
    next_tick: Instant,
    /// Until when Linux gets the time to find disks.
    settling: Option<Instant>,
    /// When the next second is over, while seconds are counted.
    second: Option<Instant>,
}

impl App {
    fn run(&mut self) -> Result<(), Fatal> {
        let power_off = loop {
            if let State::Exit(exit) = &self.state {
                break exit.power_off;
            }
            let ready = self.wait()?;
            if self.stopped.load(Ordering::Relaxed) {
                return Err(Fatal::Stopped);
            }
            // From the last to the first, so that dropping one leaves the other indices valid.
            for (source, events) in ready.into_iter().rev() {
                self.handle(source, events);
            }
            self.handle_time()?;
        };
        self.say_goodbye();
        power::end(&self.root, power_off)
    }

    fn handle(&mut self, source: Source, events: PollFlags) {
        match source {
            Source::Wake => {
                let mut buffer = [0; 64];
                // What was written does not matter, only that something was.
                while matches!((&self.wake).read(&mut buffer), Ok(count) if count > 0) {}
                self.collect();
                if self.state.wants_rescans() {
                    self.scan();
                }
            }
            Source::KeyboardWatch => self.keyboards.refresh(),
            Source::Keyboard(index) => {
                for key in self.keyboards.keys(index) {
                    self.feed(Event::Key(key));
                }
            }
            Source::Line(index) => {
                for key in self.consoles.ready(index, events) {
                    // A key that means nothing asks for the screen: somebody may just have come.
                    if !self.feed(Event::Key(key)) {
                        self.consoles.redraw(index);
                    }
                }
            }
        }
    }

    fn handle_time(&mut self) -> Result<(), Fatal> {
        let now = Instant::now();
        if self.settling.is_some_and(|end| end <= now) {
            self.settling = None;
            self.feed(Event::Settled);
        }
        if self.second.is_some_and(|end| end <= now) {
            self.second = Some(now + Duration::from_secs(1));
            self.count_second();
        }
        for key in self.consoles.expire(now) {
            self.feed(Event::Key(key));
        }
        if self.next_tick <= now {
            self.tick();
            self.collect();
            if self.state.wants_rescans() {
                self.scan();
            }
            let nothing =
                !self.screen.is_open() && self.consoles.is_empty() && !self.consoles.are_left();
            if nothing && now - self.started > STARTING {
                return Err(Fatal::NothingToDrawOn);
            }
        }
        self.search.advance(&self.state, &self.worker);
        Ok(())
    }

    /// Lets a second pass. Before an answer file is followed, the machine is looked at once more; and no
    /// time passes there while another file is being looked for.
    fn count_second(&mut self) {
        if matches!(self.state, State::Unattended(_)) {
            self.scan();
            self.search.advance(&self.state, &self.worker);
            if self.search.is_running() {
                return;
            }
            self.collect();
        }
        self.feed(Event::Second);
    }

    /// Looks for devices that came or went.
    fn tick(&mut self) {
        let now = Instant::now();
        let starting = now - self.started < STARTING;
        self.next_tick = now + if starting { EARLY_TICK } else { TICK };
        if self.screen.refresh() {
            self.screen.draw(&self.state);
        }
        self.consoles.refresh(!self.screen.is_open());
        self.keyboards.refresh();
    }

    /// Lets everything happen that other threads reported.
    fn collect(&mut self) {
        for event in self.worker.events() {
            match &event {
                Event::Finished(Ok(report)) if report.receipt.is_empty() => {}
                Event::Finished(Ok(report)) => self.accounts.push(Account {
                    receipt: report.receipt.clone(),
                    log: report.log.clone(),
                }),
                Event::Finished(Err(failure)) => {
                    let receipt = failure.receipt.clone().unwrap_or_default();
                    let log = failure.log.clone().into();
                    let account = Account { receipt, log };
                    if account != Account::default() {
                        self.accounts.push(account);
                    }
                }
                _ => {}
            }
            self.feed(event);
        }
    }

    /// Lets an event happen, and everything that follows from it. Returns whether anybody could
    /// notice that on a serial console.
    fn feed(&mut self, event: Event) -> bool {
        let before = self.state.clone();
        let (state, effect) = state::next(before.clone(), event);
        let mut noticed = effect.is_some();
        if state != before {
            note(&before, &state);
            self.state = state;
            noticed |= self.draw();
        }
        self.count_seconds();
        self.carry_out(effect);
        noticed
    }

    /// Starts or stops the clock, as the state wants it.
    fn count_seconds(&mut self) {
        let wanted = self.state.counts_seconds();
        if wanted != self.second.is_some() {
            self.second = wanted.then(|| Instant::now() + Duration::from_secs(1));
        }
    }

    /// Returns whether serial consoles show something else now.
    fn draw(&mut self) -> bool {
        self.screen.draw(&self.state);
        self.consoles.draw(&self.state)
    }

    /// Gives slow lines some time to show the last screen, and a stick to take the logs. Then gives the lines
    /// back, since init kills this program; a monitor keeps its last screen.
    fn say_goodbye(&mut self) {
        self.consoles.release();
        let start = Instant::now();
        let is_busy = |app: &mut Self| {
            drop(app.worker.events());
            let is_drawing = !app.consoles.flush() && start.elapsed() < LAST_SCREEN;
            is_drawing || (app.worker.is_exporting() && start.elapsed() < LAST_EXPORT)
        };
        while is_busy(self) {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.consoles.close();
    }
}

/// A second handle on the pipe that wakes the loop.
fn wake_of(waker: &OwnedFd) -> Result<OwnedFd, Fatal> {
    waker
        .try_clone()
        .map_err(|error| Fatal::System("cannot share a pipe", error))
}

/// Writes to the log what changed.
fn note(before: &State, after: &State) {
    if before.name() == after.name() {
        return;
    }
    tracing::info!(state = after.name().to_lowercase(), "changed state");
    if let State::Error(failure) = after {
        match &failure.cause {
            Cause::Scan { problem, .. } => tracing::error!(%problem, "cannot look at the machine"),
            Cause::Install { failure, .. } => tracing::error!(%failure, "installing failed"),
            Cause::Answers { refused, .. } => {
                for problem in &refused.problems {
                    tracing::error!(source = refused.source, %problem, "answer file refused");
                }
            }
        }
    }
}
