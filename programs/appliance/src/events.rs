//! What this program logs: in `appliance.log` of the folder in `/run`, and as much of it as the image wants on the
//! serial consoles and on standard error. A terminal that a page is drawn on gets none of it.

use std::io::{IsTerminal, Write, stderr};
use std::path::Path;
use std::sync::Mutex;

use common::log::{install, wanted};
use common::product::product;
use common::{cmdline, terminals};
use tracing::level_filters::LevelFilter;

use crate::console::serial;
use crate::log::Log;

/// Logs what is done below `root`. `has_page` says that this command draws one: then standard error may be the
/// terminal with the page, and serial consoles are written to by their own names.
pub fn start(root: &Path, has_page: bool) {
    let shown = wanted(root);
    let to_stderr = if has_page {
        !stderr().is_terminal()
    } else {
        cmdline::has_serial(root) || !terminals::stderr_is_serial(root)
    };
    let consoles = if has_page { serial(root) } else { Vec::new() };
    // Where that fails, the command itself says so; there is no file then.
    let _ = std::fs::create_dir_all(root.join(product().run("")));
    let log = Mutex::new(Log::open(root, "appliance"));
    install(shown.max(LevelFilter::INFO), move |level, line| {
        if let Ok(mut log) = log.lock() {
            log.write(line);
        }
        if level > shown {
            return;
        }
        // Nobody misses what cannot be written, and nobody waits for a line that is stuck.
        if to_stderr {
            let _ = writeln!(stderr(), "{line}");
        }
        for mut console in &consoles {
            let _ = console.write(format!("{line}\r\n").as_bytes());
        }
    });
}
