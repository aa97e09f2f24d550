//! The states in which data are about to be encrypted, or were.

use common::recovery_key::RecoveryKey;
use installer::hardware::{Hardware, Sealing};
use installer::install::{Shown, Task};
use installer::state::{Event, Key, Purpose, State};

use super::{after, begun, disk, hardware, press, report, typing};

/// The words of BIP 39's test vectors.
pub const WORDS: &str =
    "letter advice cage absurd amount doctor acoustic avoid letter advice cage above";
/// A passphrase.
pub const PASSPHRASE: &str = "correct horse battery";

/// The machine, with a TPM that can keep a key.
pub fn sealing() -> Hardware {
    Hardware {
        sealing: Sealing::Ready,
        ..hardware()
    }
}

/// The settings with the pointer at the encryption, and `presses` choices on from none.
pub fn chosen(hardware: Hardware, presses: usize) -> State {
    let settings = press(disk(hardware, Purpose::Install, 0), [Key::Enter]);
    let settings = press(settings, vec![Key::Down; 3]);
    press(settings, vec![Key::Right; presses])
}

/// A TPM chosen on a machine that has none.
pub fn choice() -> State {
    press(chosen(hardware(), 1), [Key::Enter])
}

/// A passphrase, and then another one.
pub fn mistyped() -> State {
    let state = press(chosen(sealing(), 2), [Key::Down]);
    let state = press(state, typing(PASSPHRASE));
    let state = press(state, [Key::Down]);
    press(press(state, typing("correct")), [Key::Enter])
}

/// The question whether all that shall be made.
pub fn confirm() -> State {
    let state = press(chosen(sealing(), 3), [Key::Down]);
    let state = press(state, typing(PASSPHRASE));
    let state = press(state, [Key::Down]);
    press(press(state, typing(PASSPHRASE)), [Key::Enter])
}

/// The question whether an installation shall stay whose data are encrypted.
pub fn kept() -> State {
    let mut hardware = hardware();
    for disk in &mut hardware.disks {
        if let Some(earlier) = disk.contents.as_mut().and_then(|it| it.earlier.as_mut()) {
            earlier.encrypted = true;
        }
    }
    press(disk(hardware, Purpose::KeepData, 0), [Key::Enter])
}

/// The recovery key that was just made.
pub fn recovery() -> State {
    let mut report = report(Task::Install);
    report.recovery = Some(Shown {
        key: RecoveryKey::parse(WORDS).unwrap(),
        asked: [1, 6, 9],
    });
    after(begun(), [Event::Finished(Ok(report))])
}

/// What was asked of it, answered in part.
pub fn question() -> State {
    let state = press(press(recovery(), [Key::Enter]), typing("advi"));
    let state = press(press(state, [Key::Enter]), typing("zoo"));
    press(state, [Key::Enter, Key::Enter])
}
