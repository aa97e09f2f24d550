//! `truthdb-installer`: see the library. Exit status 0 means that the user chose to leave; any
//! other is a fatal error, with one line on standard error.

use std::path::PathBuf;
use std::process::ExitCode;

use truthdb_installer::{app, log::Log, restore};

const USAGE: &str = "usage: truthdb-installer [--version] [--root DIR]\n\
    \n\
    Shows this computer on its monitor and its serial consoles until Q is pressed.\n\
    \n\
    \x20 --root DIR  look for /dev, /etc, /proc, /run and /sys in DIR (for tests)\n\
    \x20 --version   print the version of this program\n";

fn main() -> ExitCode {
    let mut root = PathBuf::from("/");
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.to_str(), arguments.next()) {
            (Some("--root"), Some(folder)) => root = folder.into(),
            (Some("--version"), None) => {
                println!("truthdb-installer {}", env!("CARGO_PKG_VERSION"));
                return ExitCode::SUCCESS;
            }
            (Some("--help"), None) => {
                print!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            _ => {
                eprint!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    restore::on_panic();
    let log = Log::open(&root);
    log.install();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "starting");
    let outcome = app::run(&root, &log);
    restore::undo_all();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("truthdb-installer: {error}");
            ExitCode::FAILURE
        }
    }
}
