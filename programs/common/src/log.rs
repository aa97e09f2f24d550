//! Logs: events of `tracing`, each as one line of printable ASCII with its level and the time since boot.
//!
//! How much of it reaches people is the image's choice: the kernel parameter `ID.log=LEVEL`.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::cmdline::parameter;
use crate::text::clean;

/// What is shown where the command line says nothing of it.
const USUAL: LevelFilter = LevelFilter::WARN;

/// What the command line below `root` wants to be shown: `error`, `warn`, `info`, `debug`, `trace` or `off`.
pub fn wanted(root: &Path) -> LevelFilter {
    let level = parameter(root, "log").and_then(|it| it.parse().ok());
    level.unwrap_or(USUAL)
}

/// Has `tracing` hand each event that is `most` or more important to `sink`, as a line. Without effect after
/// the first call.
pub fn install(most: LevelFilter, sink: impl Fn(Level, &str) + Send + Sync + 'static) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(most)
        .with_writer(Lines(Arc::new(sink)))
        .with_timer(SinceBoot)
        .with_ansi(false)
        .finish();
    // An error means that a subscriber is installed already, which then stays.
    drop(tracing::subscriber::set_global_default(subscriber));
}

/// The time since boot, as in the kernel's own lines.
struct SinceBoot;

impl FormatTime for SinceBoot {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        let now = clock_gettime(ClockId::Boottime);
        write!(writer, "[{}.{:03}]", now.tv_sec, now.tv_nsec / 1_000_000)
    }
}

type Sink = Arc<dyn Fn(Level, &str) + Send + Sync>;

struct Lines(Sink);

/// Takes one event, which `tracing_subscriber` hands over in one piece.
struct Event(Level, Sink);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Event;

    fn make_writer(&'a self) -> Event {
        Event(Level::INFO, Arc::clone(&self.0))
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Event {
        Event(*event.level(), Arc::clone(&self.0))
    }
}

impl Write for Event {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.1)(self.0, &clean(&String::from_utf8_lossy(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn the_command_line_says_how_much_is_shown() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(wanted(root.path()), LevelFilter::WARN);
        std::fs::create_dir(root.path().join("proc")).unwrap();
        for (said, expected) in [
            ("example.log=info", LevelFilter::INFO),
            ("example.log=off", LevelFilter::OFF),
            ("example.log=trace", LevelFilter::TRACE),
            ("example.log=much", LevelFilter::WARN),
            ("log=info", LevelFilter::WARN),
        ] {
            std::fs::write(root.path().join("proc/cmdline"), said).unwrap();
            assert_eq!(wanted(root.path()), expected, "{said}");
        }
    }

    #[test]
    fn an_event_is_one_clean_line_with_level_and_time() {
        let lines: Arc<Mutex<Vec<(Level, String)>>> = Arc::default();
        let kept = Arc::clone(&lines);
        install(LevelFilter::INFO, move |level, line| {
            kept.lock().unwrap().push((level, line.to_owned()));
        });
        tracing::warn!(disk = "bad\x1b[2J\nname", "cannot\nlook");
        tracing::debug!("not wanted");
        let lines = lines.lock().unwrap();
        let [(Level::WARN, line)] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        let (time, rest) = line.split_once("] ").unwrap();
        assert!(time[1..].parse::<f64>().unwrap() > 0.0, "{line}");
        assert!(
            rest.starts_with("WARN common::log::tests: cannot look disk="),
            "{line}"
        );
        assert!(line.bytes().all(|it| (b' '..=b'~').contains(&it)), "{line}");
    }
}
