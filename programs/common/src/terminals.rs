//! The terminals that the kernel calls its consoles.

use std::fs::File;
use std::io::{IsTerminal, stderr};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Where the kernel lists its consoles, below the root; the last one is `/dev/console`.
pub const ACTIVE: &str = "sys/class/tty/console/active";
/// Device number of `/dev/console`: major 5, minor 1.
const CONSOLE: u64 = 0x501;

/// The names of the kernel's consoles, without those that only take its log.
pub fn consoles(root: &Path) -> Vec<String> {
    let active = std::fs::read_to_string(root.join(ACTIVE)).unwrap_or_default();
    let names = active.split_whitespace().filter(|name| !is_log(name));
    names.map(str::to_owned).collect()
}

/// The names of those that have a line behind them, and are no virtual terminals.
pub fn serial_consoles(root: &Path) -> Vec<String> {
    let mut names = consoles(root);
    names.retain(|name| !is_virtual(name));
    names
}

/// Whether this is `tty` and a number: a screen.
pub fn is_virtual(name: &str) -> bool {
    name.strip_prefix("tty")
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_log(name: &str) -> bool {
    ["netcon", "pstore", "ttynull"]
        .iter()
        .any(|log| name.starts_with(log))
}

/// Whether `/dev/console` is a serial console.
pub fn console_is_serial(root: &Path) -> bool {
    consoles(root).last().is_some_and(|name| !is_virtual(name))
}

/// Whether standard error is a serial console, or `/dev/console` where that is one.
pub fn stderr_is_serial(root: &Path) -> bool {
    let Some(number) = stderr_number() else {
        return false;
    };
    let is_it = |name: &String| {
        let found = std::fs::metadata(root.join("dev").join(name));
        found.is_ok_and(|it| it.rdev() == number)
    };
    if number == CONSOLE {
        console_is_serial(root)
    } else {
        serial_consoles(root).iter().any(is_it)
    }
}

/// The number of the terminal that standard error is, if it is one.
fn stderr_number() -> Option<u64> {
    let error = stderr();
    if !error.is_terminal() {
        return None;
    }
    let device = File::from(error.as_fd().try_clone_to_owned().ok()?);
    Some(device.metadata().ok()?.rdev())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_serial_consoles_count() {
        let root = tempfile::tempdir().unwrap();
        assert!(serial_consoles(root.path()).is_empty());
        assert!(!console_is_serial(root.path()));
        std::fs::create_dir_all(root.path().join("sys/class/tty/console")).unwrap();
        let names = "tty0 tty1 ttyS0 hvc0 ttyAMA1 ttynull\n";
        std::fs::write(root.path().join(ACTIVE), names).unwrap();
        assert_eq!(serial_consoles(root.path()), ["ttyS0", "hvc0", "ttyAMA1"]);
        for (names, expected) in [("tty0 ttyS0\n", true), ("ttyS0 tty0\n", false)] {
            std::fs::write(root.path().join(ACTIVE), names).unwrap();
            assert_eq!(console_is_serial(root.path()), expected, "{names}");
        }
    }
}
