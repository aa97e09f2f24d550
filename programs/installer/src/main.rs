//! `installer`: see the library. When the user chose to leave, init ends it together with everything else;
//! an exit status other than 0 is a fatal error, with one line on standard error.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use common::text::program_name;
use installer::{answers, app, headless, log::Log, respawn, restore};

const USAGE: &str = "usage: installer [--version] [--root DIR] [--check-answers FILE | --install FILE]\n\
    \n\
    Installs what /etc/product.toml names, on the monitor and on the serial consoles of this computer.\n\
    \n\
    \x20 --check-answers FILE  say what the answer file FILE will do, or all that is wrong with it\n\
    \x20 --install FILE        do what the answer file FILE says, without screens (for tests)\n\
    \x20 --root DIR            look for /dev, /etc, /proc, /run and /sys in DIR (for tests)\n\
    \x20 --version             print the version of this program\n";

fn main() -> ExitCode {
    let mut root = PathBuf::from("/");
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next();
        if !matches!(argument.to_str(), Some("--root" | "--version" | "--help"))
            && let Err(error) = common::product::load(&root)
        {
            eprintln!("{}: {error}", program_name());
            return ExitCode::FAILURE;
        }
        match (argument.to_str(), value) {
            (Some("--root"), Some(folder)) => root = folder.into(),
            (Some("--check-answers"), Some(file)) if arguments.len() == 0 => {
                let verdict = answers::check(Path::new(&file));
                print!("{}", verdict.text);
                return if verdict.good {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::FAILURE
                };
            }
            (Some("--install"), Some(file)) if arguments.len() == 0 => {
                Log::to_stderr(&root);
                return match headless::run(&root, Path::new(&file)) {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(message) => {
                        eprintln!("{}: {message}", program_name());
                        ExitCode::FAILURE
                    }
                };
            }
            (Some("--version"), None) => {
                println!("installer {}", env!("CARGO_PKG_VERSION"));
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
    respawn::pause(&root);
    if let Err(error) = common::product::load(&root) {
        eprintln!("{}: {error}", program_name());
        return ExitCode::FAILURE;
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
            eprintln!("{}: {error}", program_name());
            ExitCode::FAILURE
        }
    }
}
