//! Asks on all consoles at once: whoever answers first is heard. The machine can still be ended meanwhile.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::cmdline::has_serial;
use common::consoles::Consoles;
use common::product::product;
use common::secret::Secret;
use common::terminal::Terminal;
use common::terminals::is_virtual;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::line::{Line, Typed};
use crate::child::Supervised;
use crate::page::Page;

/// How often it is looked whether the machine is to end.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 200_000_000,
};
/// What is written to a slow console last may take so long.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// The row with what came of the last try; on a line it was said.
pub(super) const LAST_TRY: &str = "Last try";
/// The bits of SIGINT (Ctrl-Alt-Del), SIGUSR1, SIGUSR2 and SIGTERM, by which `BusyBox` init is told to end the machine;
/// until its first lines are done they are pending: `init/init.c`, signal(7).
const ENDINGS: u64 = 1 << 1 | 1 << 9 | 1 << 11 | 1 << 14;

/// What came of a question.
#[derive(Debug)]
pub(super) enum Answer {
    /// Somebody at the console of this device typed a line.
    Line(PathBuf, Secret),
    /// Nobody did in time.
    None,
    /// The machine is to end.
    Ending,
}

/// A question.
pub(super) struct Question<'a> {
    pub(super) page: Page,
    pub(super) prompt: &'a str,
    /// Whether the answer is shown as stars.
    pub(super) is_hidden: bool,
    /// The only console that may answer; `None` for all.
    pub(super) only: Option<&'a Path>,
}

/// The consoles, and who types at them.
pub(super) struct Ask {
    root: PathBuf,
    consoles: Consoles,
    people: Vec<Person>,
    shown: Page,
    /// Waits for the power button, which no program does yet.
    power: Supervised,
}

/// Whoever is at a console.
struct Person {
    path: PathBuf,
    line: Line,
    /// What was typed, and not looked at yet.
    typed: VecDeque<u8>,
    /// The end of a line may be two characters.
    has_returned: bool,
}

impl Ask {
    /// Opens the consoles of the machine below `root`.
    pub(super) fn open(root: &Path) -> Self {
        // As in /etc/inittab.
        let mut power = Command::new(root.join("sbin/acpid"));
        power.arg("-f").arg("-l").arg(root.join("run/acpid.log"));
        power.arg("-p").arg(root.join("run/acpid.pid"));
        Self {
            root: root.to_owned(),
            consoles: Consoles::open(root, has_serial(root)),
            people: Vec::new(),
            shown: Page::default(),
            power: Supervised::new(power, Instant::now()),
        }
    }

    /// Shows a question, and waits for the answer until then, if to any time.
    pub(super) fn ask(&mut self, question: &Question<'_>, until: Option<Instant>) -> Answer {
        self.people.clear();
        for terminal in &mut self.consoles.terminals {
            // What was typed before is no answer.
            terminal.typed();
        }
        let before = std::mem::replace(&mut self.shown, question.page.clone());
        loop {
            self.welcome(question, &before);
            if let Some((path, line)) = self.listen(question) {
                return Answer::Line(path, line);
            }
            if self.is_ending() {
                return Answer::Ending;
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return Answer::None;
            }
            self.wait();
            self.consoles.refresh();
        }
    }

    /// Waits for so long, whatever is typed, unless the machine is to end.
    pub(super) fn pause(&mut self, pause: Duration) {
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.is_ending() {
            self.wait();
            for terminal in &mut self.consoles.terminals {
                terminal.typed();
            }
        }
    }

    /// Says a sentence to everybody.
    pub(super) fn say(&mut self, text: &str) {
        for terminal in &mut self.consoles.terminals {
            terminal.say(format!("\r\n{}\r\n", sentence(terminal, text)).as_bytes());
        }
        let deadline = Instant::now() + LAST_WORDS;
        while self.consoles.terminals.iter().any(Terminal::is_behind) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
            for terminal in &mut self.consoles.terminals {
                terminal.flush();
            }
        }
    }

    /// Shows the question on consoles that have not seen it.
    fn welcome(&mut self, question: &Question<'_>, before: &Page) {
        let terminals = &mut self.consoles.terminals;
        let is_open = |it: &Person| terminals.iter().any(|terminal| terminal.path() == it.path);
        self.people.retain(is_open);
        for terminal in terminals {
            if self.people.iter().any(|it| it.path == terminal.path()) {
                continue;
            }
            let person = Person {
                path: terminal.path().to_owned(),
                line: Line::new(question.is_hidden),
                typed: VecDeque::new(),
                has_returned: true,
            };
            let prompt = match question.only {
                Some(other) if other != person.path => {
                    let name = other.file_name().unwrap_or_default().to_string_lossy();
                    format!("(This is answered at {name}.) ")
                }
                _ => format!("{} ", question.prompt),
            };
            terminal.say(draw(terminal, &question.page, before, &prompt).as_bytes());
            self.people.push(person);
        }
    }

    /// Takes what was typed; returns the first line that is complete.
    fn listen(&mut self, question: &Question<'_>) -> Option<(PathBuf, Secret)> {
        for terminal in &mut self.consoles.terminals {
            let typed = terminal.typed();
            let mut people = self.people.iter_mut();
            let Some(person) = people.find(|it| it.path == terminal.path()) else {
                continue;
            };
            if question.only.is_some_and(|only| only != person.path) {
                continue;
            }
            person.typed.extend(typed);
            while let Some(byte) = person.typed.pop_front() {
                let is_second = person.has_returned && byte == b'\n';
                person.has_returned = byte == b'\r';
                if is_second {
                    continue;
                }
                match person.line.take(byte) {
                    Some(Typed::Echo(text)) => terminal.say(text.as_bytes()),
                    // Nothing is no key.
                    Some(Typed::Line(line)) if question.is_hidden && line.reveal().is_empty() => {
                        let prompt = sentence(terminal, question.prompt);
                        terminal.say(format!("\r\n{prompt} ").as_bytes());
                    }
                    Some(Typed::Line(line)) => {
                        terminal.say(b"\r\n");
                        return Some((person.path.clone(), line));
                    }
                    None => {}
                }
            }
        }
        None
    }

    /// Whether the machine is to end; looks after what waits for the button.
    fn is_ending(&mut self) -> bool {
        // How that fares is no news: it is started again.
        let _ = self.power.look(Instant::now(), &mut Vec::new());
        is_ending(&self.root)
    }

    /// Waits a moment for somebody to type, and for consoles that are slow.
    fn wait(&mut self) {
        let mut all: Vec<_> = self
            .consoles
            .terminals
            .iter()
            .map(|terminal| {
                let mut events = PollFlags::IN;
                events.set(PollFlags::OUT, terminal.is_behind());
                PollFd::new(terminal, events)
            })
            .collect();
        // Where it fails, as by a signal, nothing is ready.
        let _ = poll(&mut all, Some(&TICK));
        for terminal in &mut self.consoles.terminals {
            terminal.flush();
        }
    }
}

/// What a console is sent to show the question: a screen all of it, a line what it has not had.
fn draw(terminal: &Terminal, page: &Page, before: &Page, prompt: &str) -> String {
    if is_screen(terminal) {
        let lines = page.lines().join("\x1b[K\r\n");
        return format!("\x1b[H\x1b[?25h{lines}\x1b[K\r\n\x1b[J\r\n  {prompt}");
    }
    let mut page = page.clone();
    page.rows.retain(|(label, _)| *label != LAST_TRY);
    let news = page.news(before).into_iter();
    let lines: Vec<_> = news
        .map(|it| format!("{}\r\n", sentence(terminal, &it)))
        .collect();
    format!("{}{}", lines.concat(), sentence(terminal, prompt))
}

fn sentence(terminal: &Terminal, text: &str) -> String {
    if is_screen(terminal) {
        format!("  {text}")
    } else {
        format!("{}: {text}", product().id)
    }
}

fn is_screen(terminal: &Terminal) -> bool {
    let name = terminal.path().file_name().unwrap_or_default();
    name.to_str().is_some_and(is_virtual)
}

/// Whether the init of the machine below `root` was told to end it.
fn is_ending(root: &Path) -> bool {
    let status = std::fs::read_to_string(root.join("proc/1/status")).unwrap_or_default();
    let pending = |line: &str| {
        let mask = line
            .strip_prefix("ShdPnd:")
            .or_else(|| line.strip_prefix("SigPnd:"))?;
        u64::from_str_radix(mask.trim(), 16).ok()
    };
    let mut pending = status.lines().filter_map(pending);
    pending.any(|mask| mask & ENDINGS != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_ends_by_what_init_was_sent_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        assert!(!is_ending(root.path()));
        std::fs::create_dir_all(root.path().join("proc/1")).unwrap();
        for (line, expected) in [
            ("ShdPnd:\t0000000000000000", false),
            ("ShdPnd:\t0000000000000002", true),
            ("ShdPnd:\t0000000000000800", true),
            ("SigPnd:\t0000000000004000", true),
            // A child has ended.
            ("ShdPnd:\t0000000000010000", false),
            ("SigBlk:\t0000000000000002", false),
        ] {
            let text = format!("Name:\tinit\n{line}\nThreads:\t1\n");
            std::fs::write(root.path().join("proc/1/status"), text).unwrap();
            assert_eq!(is_ending(root.path()), expected, "{line}");
        }
    }
}
