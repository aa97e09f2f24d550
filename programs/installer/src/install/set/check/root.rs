//! The root file system: the systems that the menus name, and nothing of the machine that built it.

use ext4_view::{Ext4, Ext4Error, FileType};

use super::super::super::report::Finding;
use super::super::super::validate::{bad, good};
use super::super::list::Entry;
use super::digest_of;

/// What a system's folder calls its kernel and its initramfs, if it has them; a kernel may be a folder, too.
const KERNEL: &str = "kernel";
const INITRD: &str = "initrd";
const IN_FOLDER: &str = "bzImage";
/// Users of systems that run from a medium.
const LIVE: [&str; 5] = ["live", "liveuser", "live-user", "casper", "ubuntu-live"];

/// The first system of `entries` that is not in the root.
pub(in super::super) fn lacking<'a>(root: &Ext4, entries: &'a [Entry]) -> Option<&'a str> {
    let is_there = |path: &str| root.metadata(path).is_ok_and(|it| it.is_dir());
    let mut systems = entries.iter().map(|it| it.system.as_str());
    systems.find(|it| !is_there(it))
}

/// What is found of the systems in the root called `label`.
pub(super) fn findings(root: &Ext4, label: &str, entries: &[Entry]) -> Vec<Finding> {
    let mut wrong = Vec::new();
    for entry in entries {
        if lacking(root, std::slice::from_ref(entry)).is_some() {
            let system = &entry.system;
            wrong.push(bad(format!(
                "{label}: {system}, which {:?} starts, is not there.",
                entry.title
            )));
            continue;
        }
        let parts = [
            (KERNEL, &entry.kernel_sha256),
            (INITRD, &entry.initrd_sha256),
        ];
        for (name, sha256) in parts {
            let path = format!("{}/{name}", entry.system);
            match unlike(root, &path, sha256) {
                Ok(None) => {}
                Ok(Some(said)) => wrong.push(bad(format!("{label}: {path} {said}."))),
                Err(error) => {
                    wrong.push(bad(format!("{label}: {path} cannot be read: {error}.")));
                }
            }
        }
    }
    if wrong.is_empty() {
        let count = entries.len();
        wrong.push(good(format!(
            "{label}: all {count} systems of the menus are there."
        )));
    }
    wrong
}

/// What is wrong with a part of a system, which may be missing, but lead nowhere else.
fn unlike(root: &Ext4, path: &str, sha256: &str) -> Result<Option<String>, String> {
    let text = |error: Ext4Error| error.to_string();
    if matches!(root.symlink_metadata(path), Err(Ext4Error::NotFound)) {
        return Ok(None);
    }
    let is_folder = match root.metadata(path) {
        Err(Ext4Error::NotFound) => return Ok(Some("leads to nothing".to_owned())),
        other => other.map_err(text)?.is_dir(),
    };
    let file = if is_folder {
        format!("{path}/{IN_FOLDER}")
    } else {
        path.to_owned()
    };
    let (found, _) = digest_of(root, &file)?;
    Ok((found != sha256).then(|| "is not what the menu starts".to_owned()))
}

/// What of a root that nobody has started yet is a leftover of the machine that built it.
pub(super) fn invariants(root: &Ext4, label: &str) -> Vec<Finding> {
    let found = match leftovers(root) {
        Ok(found) => found,
        Err(error) => vec![format!("it cannot be read: {error}")],
    };
    if found.is_empty() {
        return vec![good(format!(
            "{label} has nothing of the machine that built it."
        ))];
    }
    let found = found.into_iter();
    found.map(|it| bad(format!("{label}: {it}."))).collect()
}

fn leftovers(root: &Ext4) -> Result<Vec<String>, Ext4Error> {
    let mut found = Vec::new();
    if root.exists("/run")? {
        let entries = root.read_dir("/run")?;
        let names = entries.filter_map(Result::ok);
        let mut names =
            names.map(|it| String::from_utf8_lossy(it.file_name().as_ref()).into_owned());
        if let Some(name) = names.find(|it| it != "." && it != "..") {
            found.push(format!("/run is not empty: it has {name}"));
        }
    }
    match root.symlink_metadata("/var/run") {
        Err(Ext4Error::NotFound) => {}
        Err(error) => return Err(error),
        Ok(facts) if facts.file_type() != FileType::Symlink => {
            found.push("/var/run is no link to /run".to_owned());
        }
        Ok(_) => {
            let target = root.read_link("/var/run")?;
            if !["/run", "../run"].contains(&target.to_str().unwrap_or_default()) {
                found.push(format!("/var/run leads to {}, not /run", target.display()));
            }
        }
    }
    match root.read("/etc/machine-id") {
        Err(Ext4Error::NotFound) => {}
        Err(error) => return Err(error),
        Ok(id) if id.is_empty() || id == b"uninitialized\n" => {}
        Ok(_) => found.push("/etc/machine-id is that of another machine".to_owned()),
    }
    match root.read_to_string("/etc/passwd") {
        Err(Ext4Error::NotFound) => {}
        Err(error) => return Err(error),
        Ok(text) => {
            let mut users = text.lines().filter_map(|line| line.split(':').next());
            if let Some(user) = users.find(|it| LIVE.contains(it)) {
                found.push(format!("/etc/passwd has {user}, a user of a live system"));
            }
        }
    }
    Ok(found)
}
