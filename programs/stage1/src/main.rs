//! `/init` of an initramfs: see the library. `rdinit=/init` is what Linux starts by itself.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use common::problem::Problem;
use stage1::cmdline::{self, failing};
use stage1::disks::Disks;
use stage1::handover::{NEW, become_init, init_in, mount_kernels, mount_root};
use stage1::loading::{LOADER, Modules, asked_for};
use stage1::messages::{fail, note};
use stage1::search::wait_for;
use stage1::state::mount_state;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(module) = asked_for(&arguments) {
        Modules::open(&cmdline_text()).load(module);
        return ExitCode::SUCCESS;
    }
    if std::process::id() != 1 {
        eprintln!("stage1: this is the init of an initramfs: Linux starts it, by rdinit=.");
        return ExitCode::from(2);
    }
    let Err(problem) = start(&arguments);
    fail(&problem, failing(&cmdline_text()))
}

/// Does all that is to be done; returns only if that fails.
fn start(arguments: &[OsString]) -> Result<Infallible, Problem> {
    mount_kernels()?;
    let cmdline = cmdline_text();
    let wanted = cmdline::read(&cmdline)?;
    let mut modules = Modules::open(&cmdline);
    let usual = arguments.first().and_then(be_loader);
    if matches!(wanted.root, cmdline::Root::Hash(_)) {
        modules.load("dm-mod"); // without it there is no /dev/mapper/control to ask for it
    }
    let mut disks = Disks::below(Path::new("/"));
    let mut look_for = |said: &str, root| {
        let place = wait_for(said, root, wanted.patience, &mut disks, || {
            modules.load_for_devices()
        })?;
        note(&format!("{said} is {}", place.data));
        Ok(place)
    };
    let place = look_for(&wanted.root.to_string(), &wanted.root)?;
    mount_root(&wanted, &place)?;
    let init = init_in(Path::new(NEW), wanted.init.as_deref())?;
    if let Some(state) = &wanted.state {
        mount_state(&look_for(&state.said, &state.place)?.data)?;
    }
    if let Some(usual) = usual {
        tell_loader(&usual);
    }
    Err(become_init(&init, arguments.get(1..).unwrap_or_default()))
}

/// Has the kernel ask this program for modules; returns which one it would have asked.
fn be_loader(own: &OsString) -> Option<String> {
    let usual = fs::read_to_string(LOADER).ok()?;
    tell_loader(own.to_str()?);
    Some(usual)
}

fn tell_loader(path: &str) {
    if let Err(error) = fs::write(LOADER, path) {
        note(&format!("{LOADER}: {error}"));
    }
}

fn cmdline_text() -> String {
    fs::read_to_string("/proc/cmdline").unwrap_or_default()
}
