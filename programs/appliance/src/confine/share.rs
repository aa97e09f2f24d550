//! A share of the machine: cgroup v2 (Linux, Documentation/admin-guide/cgroup-v2.rst) and setrlimit(2).
//!
//! The service is a group of its own, whose processor time is that of one program beside all others: what else
//! runs here is never crowded out.

use std::fs;
use std::io::{self, Error};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::lacks;

/// Where init mounts cgroup v2.
const GROUPS: &str = "sys/fs/cgroup";
/// The service's.
const GROUP: &str = "service";
/// How much of the memory is left to everything else, in KiB: of the least machine an eighth.
const REST: u64 = 128 << 10;
/// How many threads there may be: a fork bomb ends here, a database with a thread for each client does not.
const THREADS: u32 = 4096;
/// How many files may be open at a time.
const FILES: u64 = 1 << 16;
/// proc(5): who is ended first where memory is short in spite of all that.
const FIRST_TO_GO: &str = "500";

fn group(root: &Path) -> PathBuf {
    root.join(GROUPS).join(GROUP)
}

/// Puts this process into the service's group, and limits it.
pub fn take(root: &Path) -> io::Result<()> {
    let limit = |resource, most| {
        setrlimit(
            resource,
            Rlimit {
                current: Some(most),
                maximum: Some(most),
            },
        )
    };
    limit(Resource::Core, 0)?;
    if getrlimit(Resource::Nofile)
        .maximum
        .is_some_and(|it| it < FILES)
    {
        limit(Resource::Nofile, FILES)?;
    }
    fs::write(root.join("proc/self/oom_score_adj"), FIRST_TO_GO)?;
    let groups = root.join(GROUPS);
    if !groups.join("cgroup.controllers").exists() {
        lacks("cgroup v2 at /sys/fs/cgroup: memory and processes have no limit");
        return Ok(());
    }
    fs::write(groups.join("cgroup.subtree_control"), "+cpu +memory +pids")?;
    let group = group(root);
    match fs::create_dir(&group) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let memory = memory(&fs::read_to_string(root.join("proc/meminfo"))?)
        .ok_or_else(|| Error::other("/proc/meminfo does not say how much memory there is"))?;
    for (file, value) in [
        ("memory.max", memory.to_string()),
        ("memory.oom.group", "1".to_owned()),
        ("pids.max", THREADS.to_string()),
        ("cgroup.procs", std::process::id().to_string()),
    ] {
        fs::write(group.join(file), value)
            .map_err(|error| Error::new(error.kind(), format!("{file}: {error}")))?;
    }
    Ok(())
}

/// How much memory the service may have, in bytes: proc(5), meminfo.
fn memory(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|it| it.strip_prefix("MemTotal:"))?;
    let total: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(total.saturating_sub(REST).max(total / 2) << 10)
}

/// How often the service of the machine below `root` was ended because it wanted more memory than it may have, and
/// how much that is, in MiB.
pub fn out_of_memory(root: &Path) -> (u64, u64) {
    let read = |file: &str| fs::read_to_string(group(root).join(file)).unwrap_or_default();
    let events = read("memory.events");
    let count = events.lines().find_map(|it| it.strip_prefix("oom_kill "));
    let most = read("memory.max").trim().parse().unwrap_or(0_u64);
    (
        count.and_then(|it| it.parse().ok()).unwrap_or(0),
        most >> 20,
    )
}

/// Ends what the service has left behind.
pub fn end(root: &Path) {
    // Without a group there is nothing to end.
    let _ = fs::write(group(root).join("cgroup.kill"), "1");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_has_all_memory_but_a_little() {
        for (kib, mib) in [
            (1_000_000, 848),
            (16 << 20, (16 << 10) - 128),
            (200_000, 97),
        ] {
            let text = format!("MemTotal:       {kib} kB\nMemFree:         1 kB\n");
            assert_eq!(memory(&text).unwrap() >> 20, mib, "{kib}");
        }
        assert_eq!(memory("MemFree: 1 kB"), None);
        assert_eq!(memory("MemTotal: much"), None);
    }
}
