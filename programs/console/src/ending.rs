//! What follows when the program has ended.

use std::process::ExitStatus;
use std::thread::sleep;
use std::time::Duration;

use common::problem::Problem;
use common::terminal::Terminal;
use rustix::process::{Pid, Signal, kill_process};

/// Before init starts the program again: so that somebody can read why.
const PAUSE: Duration = Duration::from_secs(2);
/// How long init may take to end everything.
const PATIENCE: Duration = Duration::from_secs(30);

/// How init ends the machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// It starts anew.
    Reboot,
    /// It is switched off.
    PowerOff,
    /// It stands still.
    Halt,
}

impl Ending {
    /// The ending that people call so.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "reboot" => Some(Self::Reboot),
            "poweroff" => Some(Self::PowerOff),
            "halt" => Some(Self::Halt),
            _ => None,
        }
    }

    /// What tells it to `BusyBox` init: `init/init.c`, `halt_reboot_pwoff`.
    pub fn signal(self) -> Signal {
        match self {
            Self::Reboot => Signal::TERM,
            Self::PowerOff => Signal::USR2,
            Self::Halt => Signal::USR1,
        }
    }
}

/// Asks `init` for the ending, where the program succeeded and there is one, and waits to be killed, since
/// init would start the program again. Else says on `terminals` how it ended, and waits so that they can be
/// read. Fails where init does not do it.
pub fn follow(
    status: ExitStatus,
    ending: Option<Ending>,
    init: Pid,
    terminals: &mut [Terminal],
) -> Result<(), Problem> {
    match ending {
        Some(ending) if status.success() => {
            let hint = "Restart the computer by its button.";
            kill_process(init, ending.signal()).map_err(|error| {
                Problem::new(
                    format!("init cannot be asked to end the machine: {error}"),
                    hint,
                )
            })?;
            sleep(PATIENCE);
            Err(Problem::new("init did not end the machine", hint))
        }
        _ => {
            let text = format!("\r\nThe program has ended ({status}). It is started again.\r\n");
            pause(&text, terminals);
            Ok(())
        }
    }
}

/// Says `text` on all terminals, and waits so that it can be read.
pub fn pause(text: &str, terminals: &mut [Terminal]) {
    for terminal in &mut *terminals {
        terminal.say(text.as_bytes());
    }
    sleep(PAUSE);
}
