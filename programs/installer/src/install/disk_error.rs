//! What can go wrong with a disk, in words for whoever stands before the machine.

use std::io::{Error, ErrorKind};

use common::problem::Problem;
use rustix::io::Errno;

/// What is usually the matter with a disk that does not keep what it is given.
const FAILING: &str = "The disk may be failing: check its cables, or choose another one.";

/// What the kernel said while somebody was `doing` something to a disk ("writing to", "reading
/// from").
pub(super) fn of_disk(doing: &str, disk: &str, error: Error) -> Problem {
    let message = format!("{doing} {disk} failed: {}.", words(&error));
    let hint = match Errno::from_io_error(&error) {
        Some(Errno::NXIO | Errno::NODEV | Errno::NOENT | Errno::NOMEDIUM) => {
            "The disk is gone: plug it in again, then retry."
        }
        Some(Errno::BUSY) => "Something else uses the disk: leave, start again and retry.",
        Some(Errno::ROFS | Errno::ACCESS | Errno::PERM) => {
            "The disk is write-protected: remove the protection, or choose another one."
        }
        Some(Errno::NOSPC) => "What lies behind the disk is full: make room there, then retry.",
        _ => FAILING,
    };
    Problem::new(message, hint).because(error)
}

/// A disk that is not there any more, whatever it seemed to be: reads of it end too soon, and
/// writes find no room.
pub(super) fn gone(disk: &str) -> Problem {
    Problem::new(
        format!("{disk} is gone: it was taken out, or does not answer any more."),
        "Plug it in again, then retry.",
    )
}

/// What mke2fs said last when it could not make the file system called `name`; its sentence may
/// go on in another line.
pub(super) fn of_mke2fs(disk: &str, name: &str, said: &str) -> Problem {
    let lines: Vec<&str> = said.lines().filter(|it| !it.trim().is_empty()).collect();
    let last = lines.len().saturating_sub(1);
    let first = lines.iter().rposition(|it| it.contains(": "));
    let words: Vec<&str> = lines[first.unwrap_or(last)..]
        .iter()
        .flat_map(|line| line.split_whitespace())
        .collect();
    let text = if words.is_empty() {
        "it said nothing".to_owned()
    } else {
        words.join(" ")
    };
    Problem::new(
        format!("Making the file system {name} on {disk} failed: {text}."),
        "The disk may be failing, or be gone: check its cables, or choose another one.",
    )
}

/// A disk that has something else than what it was given.
pub(super) fn unlike(disk: &str, what: &str, offset: u64) -> Problem {
    Problem::new(
        format!("{disk} does not have what was written to it: {what} differs at byte {offset}."),
        FAILING,
    )
}

/// What the kernel says, without the error's number.
fn words(error: &Error) -> String {
    if error.kind() == ErrorKind::UnexpectedEof {
        return "it ended too soon".to_owned();
    }
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_says_what_to_do() {
        let rows = [
            (Errno::IO, "Input/output error", "may be failing"),
            (Errno::NODEV, "No such device", "gone"),
            (Errno::ROFS, "Read-only file system", "write-protected"),
            (Errno::NOSPC, "No space left on device", "full"),
            (
                Errno::BUSY,
                "Device or resource busy",
                "Something else uses",
            ),
        ];
        for (errno, said, hint) in rows {
            let trouble = of_disk("Writing to", "sda", errno.into());
            assert_eq!(trouble.message, format!("Writing to sda failed: {said}."));
            assert!(trouble.hint.contains(hint), "{}", trouble.hint);
        }
        let short = of_disk("Reading from", "sda", ErrorKind::UnexpectedEof.into());
        assert_eq!(short.message, "Reading from sda failed: it ended too soon.");
    }

    #[test]
    fn what_mke2fs_says_is_told_in_one_sentence() {
        let rows = [
            ("", "it said nothing"),
            ("\n", "it said nothing"),
            ("mke2fs: Input/output error\n", "mke2fs: Input/output error"),
            ("a warning\nKilled\n", "Killed"),
            (
                "Warning: one\n\nmke2fs: No such device \n\twhile trying to create journal\n",
                "mke2fs: No such device while trying to create journal",
            ),
        ];
        for (said, expected) in rows {
            assert_eq!(
                of_mke2fs("sda", "X", said).message,
                format!("Making the file system X on sda failed: {expected}.")
            );
        }
    }
}
