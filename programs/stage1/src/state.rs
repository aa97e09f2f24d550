//! What a machine keeps though nobody writes to its root: /var, and what was changed in /etc, which lies in /var and
//! is shown over the root's own by an overlay.
//!
//! It is there before the init starts, as that reads its units, the users and the machine's ID at once.
//!
//! Specifications: Linux, Documentation/filesystems/overlayfs.rst; `e2fsck(8)`, section "EXIT CODE"; `mke2fs(8)`.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Output};

use common::problem::Problem;
use common::text::clean;
use rustix::mount::{MountFlags, mount};

use crate::disks::Device;
use crate::handover::NEW;
use crate::messages::note;

const KIND: &str = "ext4";
const MAKER: &str = "/usr/sbin/mke2fs";
const CHECKER: &str = "/usr/sbin/e2fsck";
/// Below /var: what was changed in /etc, and what the overlay needs for its work.
const CHANGES: [&str; 2] = ["lib/etc/changes", "lib/etc/work"];
/// What e2fsck says as long as all is well: nothing wrong, or wrong and corrected.
const SOUND: [i32; 2] = [0, 1];
/// How much of a partition is zero where a file system was wiped off, in bytes: less would be a few bytes that went
/// wrong, with all that the machine keeps behind them.
const WIPED: u64 = 64 << 10;
/// How many bytes a label of ext4 has.
const LABEL: usize = 16;
/// The root below changes with each update, which is allowed as long as no file's name or place is remembered.
const OPTIONS: &str = "index=off,metacopy=off,redirect_dir=off,xino=off";

/// Mounts the file system on `device` on /var of the new root, after a check, and an overlay of it on /etc. Makes it
/// anew where the partition is empty. Fails where it is another one, or damaged.
pub fn mount_state(device: &Device) -> Result<(), Problem> {
    match device.file_system.as_ref().map(|it| it.kind) {
        Some(KIND) => check(device)?,
        Some(kind) => {
            return Err(lost(
                &format!("{} is {kind}, not {KIND}", device.path.display()),
                "Name the partition for /var on the kernel command line.",
            ));
        }
        None => make(device)?,
    }
    let (var, etc) = (format!("{NEW}/var"), format!("{NEW}/etc"));
    mount(&device.path, &var, KIND, MountFlags::empty(), None)
        .map_err(|error| unmountable(device.path.display(), "/var", error.into()))?;
    let made = CHANGES.map(|it| format!("{var}/{it}"));
    let options = made
        .iter()
        .try_for_each(fs::create_dir_all)
        .and_then(|()| Ok(CString::new(overlay(&etc, &made))?));
    options
        .and_then(|it| Ok(mount("etc", &etc, "overlay", MountFlags::empty(), &*it)?))
        .map_err(|error| unmountable("an overlay", "/etc", error))
}

/// Options of an overlay that shows `changes` over what is in a folder.
fn overlay(folder: &str, [changes, work]: &[String; 2]) -> String {
    format!("lowerdir={folder},upperdir={changes},workdir={work},{OPTIONS}")
}

fn check(device: &Device) -> Result<(), Problem> {
    if !Path::new(CHECKER).exists() {
        return Ok(());
    }
    let output = run(CHECKER, &["-p"], device)?;
    if output.status.code().is_some_and(|it| SOUND.contains(&it)) {
        return Ok(());
    }
    Err(lost(
        &format!("{} is damaged: {}", device.path.display(), said(&output)),
        "Check it with e2fsck on another system, or write zeros to its beginning: it is made anew then, and empty.",
    ))
}

fn make(device: &Device) -> Result<(), Problem> {
    let path = device.path.display();
    let mut head = Vec::new();
    let read = File::open(&device.path).and_then(|it| it.take(WIPED).read_to_end(&mut head));
    read.map_err(|error| {
        lost(
            &format!("{path} cannot be read: {error}"),
            "Check the disk.",
        )
        .because(error)
    })?;
    if !is_wiped(&head) {
        return Err(lost(
            &format!("{path} has no file system, but is not empty"),
            "Write zeros to its beginning if nothing of it is wanted: it is made anew then.",
        ));
    }
    note(&format!("{path} is empty: a file system is made on it"));
    let label = label_of(device);
    let output = run(MAKER, &["-q", "-t", KIND, "-L", &label], device)?;
    if output.status.success() {
        return Ok(());
    }
    Err(lost(
        &format!("no file system can be made on {path}: {}", said(&output)),
        "Check the disk.",
    ))
}

fn is_wiped(head: &[u8]) -> bool {
    head.iter().all(|byte| *byte == 0)
}

/// The label of what is made: the partition's name, as far as there is room for it.
fn label_of(device: &Device) -> String {
    let name = device.partition.as_ref().map_or("", |(_, name)| name);
    let end = (0..=LABEL.min(name.len())).rfind(|end| name.is_char_boundary(*end));
    name[..end.unwrap_or(0)].to_owned()
}

fn run(program: &str, arguments: &[&str], device: &Device) -> Result<Output, Problem> {
    let started = Command::new(program)
        .args(arguments)
        .arg(&device.path)
        .output();
    started.map_err(|error| {
        let message = format!("{program} cannot be started: {error}");
        lost(&message, "Take it into the initramfs.").because(error)
    })
}

/// The last line of what a program said.
fn said(output: &Output) -> String {
    let text = [&*output.stdout, &*output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    last.map_or_else(|| output.status.to_string(), |it| clean(it.trim()))
}

fn unmountable(what: impl std::fmt::Display, place: &str, error: io::Error) -> Problem {
    let message = format!("{what} cannot be mounted on {place}: {error}");
    let hint = format!(
        "Check the file system, that the root has a folder {place}, and that the initramfs has the modules."
    );
    lost(&message, hint).because(error)
}

fn lost(what: &str, hint: impl Into<String>) -> Problem {
    Problem::new(
        format!("What this machine keeps is not there: {what}"),
        hint,
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use uuid::Uuid;

    use super::*;
    use crate::superblock::FileSystem;

    fn on(path: &Path, kind: Option<&'static str>) -> Device {
        Device {
            path: path.to_owned(),
            file_system: kind.map(|kind| FileSystem {
                kind,
                ..FileSystem::default()
            }),
            ..Device::default()
        }
    }

    #[test]
    fn only_what_is_empty_is_made_anew() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut content = vec![0; usize::try_from(WIPED).unwrap()];
        assert!(is_wiped(&content));
        content.pop();
        content.push(1);
        fs::write(file.path(), content).unwrap();
        let path = file.path().display();
        for (kind, expected) in [
            (
                None,
                format!("{path} has no file system, but is not empty."),
            ),
            (Some("erofs"), format!("{path} is erofs, not ext4.")),
        ] {
            let problem = mount_state(&on(file.path(), kind)).unwrap_err();
            let whole = format!("What this machine keeps is not there: {expected}");
            assert_eq!(problem.message, whole);
        }
    }

    #[test]
    fn a_label_is_as_much_of_the_name_as_fits() {
        for (name, expected) in [
            ("VAR", "VAR"),
            ("", ""),
            ("0123456789abcdefg", "0123456789abcdef"),
            ("0123456789abcdeé", "0123456789abcde"),
        ] {
            let partition = Some((Uuid::nil(), name.to_owned()));
            let device = Device {
                partition,
                ..Device::default()
            };
            assert_eq!(label_of(&device), expected);
        }
        assert_eq!(label_of(&Device::default()), "");
    }

    #[test]
    fn an_overlay_remembers_nothing_of_the_root_below() {
        let made = ["/v/changes", "/v/work"].map(str::to_owned);
        let expected = "lowerdir=/e,upperdir=/v/changes,workdir=/v/work,index=off,metacopy=off,redirect_dir=off,xino=off";
        assert_eq!(overlay("/e", &made), expected);
    }

    #[test]
    fn the_last_line_is_what_counts() {
        let output = |stdout: &str, stderr: &str| Output {
            status: ExitStatus::from_raw(8 << 8),
            stdout: stdout.into(),
            stderr: stderr.into(),
        };
        assert_eq!(said(&output("VAR: clean\n", " no room \n\n")), "no room");
        assert_eq!(said(&output("a\nb", "")), "b");
        assert_eq!(said(&output("", "")), "exit status: 8");
    }
}
