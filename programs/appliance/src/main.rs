//! `appliance`: see the library. It exits with 0 when it did what it was told, or was asked
//! to stop; else with 1 and one line on standard error; with 126, as env(1) does, where it cannot become a program:
//! 1 is what that program might say.
//!
//! It is also the only program that the kernel may start (`CONFIG_STATIC_USERMODEHELPER_PATH`), which
//! calls it by the name of the one that it wants.

use std::path::PathBuf;
use std::process::ExitCode;

use appliance::{
    attest, check, clock, confine, events, first, helper, panics, stop, supervisor, unlock,
};
use common::text::program_name;

/// The exit status of what cannot become another program: e2fsck(8), for one, exits with 1 after repairs.
const CANNOT_START: u8 = 126;

const USAGE: &str = "usage: appliance [--root DIR] unlock | check | recheck | first | panics | run | stop | lock |\n\
    \x20                                attest | time SERVER | confine PROFILE [--write PATH]... PROGRAM...\n\
    \n\
    \x20 unlock       open the data partitions that are encrypted\n\
    \x20 check        find and check the data partitions, before they are mounted\n\
    \x20 recheck      look closer at those that were not mounted after that\n\
    \x20 first        make a machine of an image that starts for the first time\n\
    \x20 panics       keep what the kernel left in the firmware's store when it stopped\n\
    \x20 run          keep network and service running, and show how they are\n\
    \x20 stop         end what `run` runs, and wait for it\n\
    \x20 lock         close what `unlock` opened, after it was unmounted\n\
    \x20 attest       answer what runs here, with what the TPM signs\n\
    \x20 time SERVER  keep the clock right, by SNTP\n\
    \x20 confine      become PROGRAM, with the rights of PROFILE and no others\n\
    \x20 --root DIR   look for everything in DIR (for tests)\n\
    \x20 --version    print the version of this program\n";

fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    if let Some(error) = helper::run(&called) {
        eprintln!("{}: {}: {error}", program_name(), called.display());
        return ExitCode::FAILURE;
    }
    let mut arguments: Vec<_> = std::env::args().skip(1).collect();
    let mut root = PathBuf::from("/");
    if arguments.len() > 2 && arguments[0] == "--root" {
        root = arguments.remove(1).into();
        arguments.remove(0);
    }
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    if let Err(error) = common::product::load(&root) {
        eprintln!("{}: {error}", program_name());
        return ExitCode::FAILURE;
    }
    let has_page = matches!(
        words.as_slice(),
        ["unlock" | "check" | "recheck" | "first" | "run"]
    );
    if has_page || matches!(words.as_slice(), ["panics" | "stop" | "lock"] | ["time", _]) {
        events::start(&root, has_page);
    }
    let outcome = match words.as_slice() {
        ["unlock"] => unlock::run(&root),
        ["check"] => check::run(&root),
        ["recheck"] => check::again(&root),
        ["first"] => first::run(&root),
        ["panics"] => panics::run(&root),
        ["run"] => supervisor::run(&root),
        ["stop"] => stop::run(&root),
        ["lock"] => unlock::lock(&root),
        ["attest"] => attest::run(&root),
        ["time", server] => clock::run(&root, server),
        ["confine", ..] => confine::run(&root, &arguments[1..]),
        ["--version"] => {
            println!("appliance {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        ["--help"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {}: {error}", program_name(), words.join(" "));
            match words.as_slice() {
                ["confine", ..] => ExitCode::from(CANNOT_START),
                _ => ExitCode::FAILURE,
            }
        }
    }
}
