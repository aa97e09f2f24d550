//! Files, ports of TCP, and whom it may signal: landlock(7).

use std::fs::{self, File};
use std::io::{self, Error};
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::geteuid;

use super::lacks;
use super::profiles::Profile;

/// That of Linux 6.12.
const NEWEST: ABI = ABI::V6;

/// Returns what `profile` allows below `root`, with `write` and the program itself. `write` becomes its own, and so
/// does what the profile says.
pub fn rules(
    profile: &Profile,
    root: &Path,
    write: &[PathBuf],
    program: &Path,
) -> io::Result<RulesetCreated> {
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(|it| it.handle_access(AccessNet::BindTcp))
        .and_then(|it| {
            let sockets = BitFlags::from(Scope::AbstractUnixSocket);
            it.scope(if profile.signals {
                sockets
            } else {
                sockets | Scope::Signal
            })
        })
        .and_then(Ruleset::create)
        .map_err(Error::other)?;
    let reading: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let starting = reading | AccessFs::Execute;
    let never = AccessFs::Execute | AccessFs::MakeBlock | AccessFs::MakeChar;
    let writing = AccessFs::from_all(NEWEST) & !never;
    // Not followed: what it is, is what the path says now.
    let program = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
    let below = |paths: &[&str]| {
        paths
            .iter()
            .flat_map(|it| there(root, it))
            .collect::<Vec<_>>()
    };
    let mut owned = below(profile.owns);
    for folder in owned.iter().filter(|it| it.starts_with(root.join("run"))) {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    owned.extend_from_slice(write);
    for path in &owned {
        own(path, profile.user)?;
    }
    let rows = [
        (below(profile.read), reading),
        (below(profile.execute), starting),
        (vec![program], starting),
        (below(profile.write), writing),
        (owned, writing),
    ];
    for (paths, access) in rows {
        for path in paths {
            let file = match openat(CWD, &path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
                Ok(file) => File::from(file),
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(Error::other(format!("{}: {error}", path.display()))),
            };
            let is_folder = file.metadata()?.is_dir();
            let possible = if is_folder {
                access
            } else {
                access & AccessFs::from_file(NEWEST)
            };
            ruleset = ruleset
                .add_rule(PathBeneath::new(file, possible))
                .map_err(Error::other)?;
        }
    }
    if let Some(port) = profile.listens {
        let port = NetPort::new(port(), AccessNet::BindTcp);
        ruleset = ruleset.add_rule(port).map_err(Error::other)?;
    }
    Ok(ruleset)
}

/// Restricts this process, and all that it starts, for ever.
pub fn restrict(rules: RulesetCreated) -> io::Result<()> {
    let status = rules.restrict_self().map_err(Error::other)?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => {}
        RulesetStatus::PartiallyEnforced => {
            lacks("Landlock as new as Linux 6.12's: part of it holds");
        }
        RulesetStatus::NotEnforced => lacks("Landlock: it sees all files that its user may"),
    }
    Ok(())
}

/// Where a path of a profile leads below `root`.
fn there(root: &Path, path: &str) -> Vec<PathBuf> {
    let path = path.trim_start_matches('/');
    let Some(folder) = path.strip_suffix("/*") else {
        return vec![root.join(path)];
    };
    let entries = fs::read_dir(root.join(folder)).into_iter().flatten();
    entries.flatten().map(|it| it.path()).collect()
}

/// Gives a file or a folder to a user, if there is one; links are not followed.
fn own(path: &Path, user: u32) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if geteuid().is_root() && found.uid() != user {
        lchown(path, Some(user), Some(user))?;
    }
    Ok(())
}
