//! What happens by itself, and when.

use crate::answers::Ending;
use common::product::product;

/// What happens in `left` seconds if no key is pressed.
pub(super) fn sentence(ending: Ending, left: u8) -> String {
    let seconds = seconds(left);
    match ending {
        Ending::Reboot => format!("The computer restarts in {seconds}. Any key stops that."),
        Ending::PowerOff => format!("The computer switches off in {seconds}. Any key stops that."),
        Ending::StartInstalled => {
            let name = &product().name;
            format!("{name} is started from the disk in {seconds}. Any key stops that.")
        }
        Ending::Wait => "This stays until a key is pressed.".to_owned(),
    }
}

/// A number of seconds.
pub(super) fn seconds(count: u8) -> String {
    match count {
        1 => "1 second".to_owned(),
        count => format!("{count} seconds"),
    }
}
