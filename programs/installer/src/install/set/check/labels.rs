//! Labels are what an installed system finds its file systems by: no other disk, and no other partition of the
//! same one, may have one of them.

use std::path::Path;

use super::super::list::{Role, Set};
use crate::hardware::{Disk, Hardware};
use common::patience::{PATIENCE, within};

/// What has a label of `set` on the machine below `root` besides the installation on `disk`, a sentence each: all
/// of that disk is left out, or of `numbers`, these partitions of it. A disk that does not answer has none.
pub(in super::super) fn elsewhere(
    root: &Path,
    set: &Set,
    disk: &Disk,
    numbers: Option<&[u32]>,
) -> Vec<String> {
    let labels: Vec<&str> = set
        .partitions
        .iter()
        .filter(|it| matches!(it.role, Role::Boot | Role::Root | Role::Data))
        .map(|it| it.label.as_str())
        .collect();
    let disks = Hardware::scan(root).map_or_else(|_| vec![disk.clone()], |it| it.disks);
    let mut found = Vec::new();
    for other in disks {
        let is_same = other.name == disk.name;
        if (is_same && numbers.is_none()) || (!is_same && disk.is_another_path_to(&other)) {
            continue;
        }
        let path = root.join("dev").join(&other.name);
        let name = other.name.clone();
        let contents = within(PATIENCE, "labels", move || other.read_contents(&path));
        let Some(Ok(contents)) = contents else {
            continue;
        };
        for part in contents.parts {
            let is_own = |it: u32| is_same && numbers.is_some_and(|own| own.contains(&it));
            if part.number.is_some_and(is_own) {
                continue;
            }
            // The name in the table, then the label.
            let label = part.label.split(", ").find(|it| labels.contains(it));
            if let Some(label) = label {
                let what = part
                    .number
                    .map_or_else(|| name.clone(), |it| format!("Partition {it} of {name}"));
                found.push(format!(
                    "{what} is called {label}, too: what is installed would not know which one is its own."
                ));
            }
        }
    }
    found
}
