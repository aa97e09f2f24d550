//! The event loop: waits for keys, devices and time, feeds the state machine, carries out its
//! effects, and draws what changed. One thread; the only others look at disks.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::fatal::Fatal;
use crate::hardware::Hardware;
use crate::keyboard::Keyboards;
use crate::log::Log;
use crate::prober::Prober;
use crate::screen::Screen;
use crate::serial::Consoles;
use crate::state::{self, Effect, Event, State};

/// How long the splash is shown, if no key is pressed.
const SPLASH: Duration = Duration::from_millis(800);
/// How often devices are looked for while the machine is still starting.
const EARLY_TICK: Duration = Duration::from_millis(250);
/// How often devices are looked for later.
const TICK: Duration = Duration::from_secs(2);
/// How long the machine is taken to be starting, and how long to wait for something to draw on.
const STARTING: Duration = Duration::from_secs(10);
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
        consoles: Consoles::new(root),
        keyboards: Keyboards::new(root),
        prober: Prober::new(root, waker),
        wake: File::from(wake),
        stopped,
        started,
        next_tick: started,
        splash: Some(started + SPLASH),
    };
    app.tick();
    app.draw();
    app.carry_out(effect);
    app.run()
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
    wake: File,
    stopped: Arc<AtomicBool>,
    started: Instant,
    next_tick: Instant,
    /// When the splash is over, while it is shown.
    splash: Option<Instant>,
}

/// Something that is waited for.
#[derive(Clone, Copy)]
enum Source {
    Wake,
    KeyboardWatch,
    Keyboard(usize),
    Line(usize),
}

impl App {
    fn run(&mut self) -> Result<(), Fatal> {
        while self.state != State::Exit {
            let ready = self.wait()?;
            if self.stopped.load(Ordering::Relaxed) {
                return Err(Fatal::Stopped);
            }
            // From the last to the first, so that dropping one leaves the other indices valid.
            for (source, events) in ready.into_iter().rev() {
                self.handle(source, events);
            }
            self.handle_time()?;
        }
        self.say_goodbye();
        Ok(())
    }

    /// Waits until something is ready or the next point in time is reached.
    fn wait(&self) -> Result<Vec<(Source, PollFlags)>, Fatal> {
        let mut sources = vec![Source::Wake];
        let mut fds = vec![PollFd::new(&self.wake, PollFlags::IN)];
        if let Some(watch) = self.keyboards.watch() {
            sources.push(Source::KeyboardWatch);
            fds.push(PollFd::new(watch, PollFlags::IN));
        }
        for (index, keyboard) in self.keyboards.keyboards().iter().enumerate() {
            sources.push(Source::Keyboard(index));
            fds.push(PollFd::new(keyboard, PollFlags::IN));
        }
        for (index, line) in self.consoles.lines().iter().enumerate() {
            sources.push(Source::Line(index));
            fds.push(PollFd::new(line, line.interest()));
        }
        let until = self
            .splash
            .map_or(self.next_tick, |it| it.min(self.next_tick));
        let timeout = timespec(until.saturating_duration_since(Instant::now()));
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Fatal::System("cannot wait for events", error.into())),
        }
        let events = fds.iter().map(PollFd::revents);
        let ready = sources.into_iter().zip(events);
        Ok(ready.filter(|(_, events)| !events.is_empty()).collect())
    }

    fn handle(&mut self, source: Source, events: PollFlags) {
        match source {
            Source::Wake => {
                let mut buffer = [0; 64];
                // What was written does not matter, only that something was.
                while matches!((&self.wake).read(&mut buffer), Ok(count) if count > 0) {}
                if self.state.wants_rescans() {
                    self.carry_out(Some(Effect::Scan));
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
        if self.splash.is_some_and(|end| end <= now) {
            self.splash = None;
            self.feed(Event::SplashOver);
        }
        if self.next_tick <= now {
            self.tick();
            if self.state.wants_rescans() {
                self.carry_out(Some(Effect::Scan));
            }
            let nothing = !self.screen.is_open() && self.consoles.is_empty();
            if nothing && now - self.started > STARTING {
                return Err(Fatal::NothingToDrawOn);
            }
        }
        Ok(())
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

    /// Lets an event happen, and everything that follows from it. Returns whether it meant
    /// anything.
    fn feed(&mut self, event: Event) -> bool {
        let before = self.state.clone();
        let (state, effect) = state::next(before.clone(), event);
        let meant_something = state != before || effect.is_some();
        if state != before {
            if std::mem::discriminant(&state) != std::mem::discriminant(&before) {
                tracing::info!(state = name(&state), "changed state");
                if let State::Error(failure) = &state {
                    tracing::error!(problem = %failure.problem, "showing a problem");
                }
            }
            self.state = state;
            self.draw();
        }
        self.carry_out(effect);
        meant_something
    }

    fn draw(&mut self) {
        self.screen.draw(&self.state);
        self.consoles.draw(&self.state);
    }

    fn carry_out(&mut self, effect: Option<Effect>) {
        match effect {
            None => {}
            Some(Effect::ScanAfresh) => {
                self.prober.forget();
                self.carry_out(Some(Effect::Scan));
            }
            Some(Effect::Scan) => {
                let mut result = Hardware::scan(&self.root);
                if let Ok(hardware) = &mut result {
                    self.prober.fill(&mut hardware.disks);
                }
                self.feed(Event::Scanned(result));
            }
            Some(Effect::ExportLog) => {
                let event = self.export_log();
                self.feed(event);
            }
        }
    }

    /// Shows the log on every serial console. There is no disk to write it to in this version.
    fn export_log(&mut self) -> Event {
        let log = self.log.lines();
        let mut text = vec!["----- begin of the log of truthdb-installer -----"];
        text.extend(log.iter().map(String::as_str));
        text.push("----- end of the log of truthdb-installer -----");
        text.push("Press any key to go back.");
        let lines = self.consoles.hold(&text);
        let notice = match (lines.as_slice(), self.log.path()) {
            ([], Some(path)) => format!("The log is in {}. No serial console.", path.display()),
            ([], None) => "There is no serial console to export the log to.".to_owned(),
            (lines, _) => format!("The log was written to {}.", lines.join(" and ")),
        };
        Event::LogExported { notice, log }
    }

    /// Gives slow lines some time to show the last screen.
    fn say_goodbye(&mut self) {
        self.consoles.release();
        let end = Instant::now() + LAST_SCREEN;
        while !self.consoles.flush() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn name(state: &State) -> &'static str {
    match state {
        State::BootSplash(_) => "BootSplash",
        State::Welcome(_) => "Welcome",
        State::Error(_) => "Error",
        State::Exit => "Exit",
    }
}

/// A duration as the kernel takes it, rounded up, so that waiting does not end early.
fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
