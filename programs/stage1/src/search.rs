//! Waits for the device that is wanted, and takes none where two would do.

use std::thread::sleep;
use std::time::{Duration, Instant};

use common::problem::Problem;
use uuid::Uuid;

use crate::cmdline::Root;
use crate::disks::{Device, Disks};

/// How often it is looked whether there is something new.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the root is: the data, and for a root that is verified the hash tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What has the file system.
    pub data: Device,
    /// What has the hash tree.
    pub tree: Option<Device>,
}

/// Looks for the root, or another file system that `said` is about, until it is there and nothing more has come since the last look, so that a second one with the
/// same name is seen that comes at the same time. `load` loads what devices ask for, and says whether that was
/// anything new. Fails after `patience` seconds, and at once for a name that two devices have.
pub fn wait_for(
    said: &str,
    root: &Root,
    patience: u64,
    disks: &mut Disks,
    mut load: impl FnMut() -> bool,
) -> Result<Place, Problem> {
    let begun = Instant::now();
    loop {
        let is_loading = load();
        let is_new = disks.look();
        let place = choose(said, root, disks)?;
        match place {
            Some(place) if !is_loading && !is_new => return Ok(place),
            None if begun.elapsed().as_secs() >= patience => {
                return Err(missing(said, patience, disks));
            }
            _ => sleep(PAUSE),
        }
    }
}

/// The root among the devices that there are; `None` if it is not there, or not all of it.
fn choose(said: &str, root: &Root, disks: &Disks) -> Result<Option<Place>, Problem> {
    if let Root::Hash(hash) = root {
        let data = only(&format!("the data of {said}"), disks, |it| {
            is_partition(it, hash.data())
        })?;
        let tree = only(&format!("the hash tree of {said}"), disks, |it| {
            is_partition(it, hash.tree())
        })?;
        return Ok(data.zip(tree).map(|(data, tree)| Place {
            data,
            tree: Some(tree),
        }));
    }
    let data = only(said, disks, |it| is_meant(root, it))?;
    Ok(data.map(|data| Place { data, tree: None }))
}

fn is_meant(root: &Root, device: &Device) -> bool {
    let system = device.file_system.as_ref();
    match root {
        Root::Label(label) => system.is_some_and(|it| it.label == *label),
        Root::Uuid(uuid) => system.is_some_and(|it| it.uuid == *uuid),
        Root::PartLabel(name) => device.partition.as_ref().is_some_and(|(_, it)| it == name),
        Root::PartUuid(uuid) => is_partition(device, *uuid),
        Root::Hash(_) => false,
    }
}

fn is_partition(device: &Device, uuid: Uuid) -> bool {
    device.partition.as_ref().is_some_and(|(it, _)| *it == uuid)
}

/// The one device that `fits`; fails where there are more.
fn only(
    what: &str,
    disks: &Disks,
    fits: impl Fn(&Device) -> bool,
) -> Result<Option<Device>, Problem> {
    let found: Vec<&Device> = disks.found().filter(|it| fits(it)).collect();
    if found.len() > 1 {
        return Err(Problem::new(
            format!("{} devices are {what}: {}", found.len(), listed(&found)),
            "Take the disk away that is not meant, or give what is meant a name of its own.",
        ));
    }
    Ok(found.into_iter().next().cloned())
}

fn missing(said: &str, patience: u64, disks: &Disks) -> Problem {
    let found: Vec<&Device> = disks.found().collect();
    let message = format!("No device is {said} after {patience} seconds");
    if found.is_empty() {
        return Problem::new(
            format!("{message}: there is no disk at all"),
            "Attach it, or take the module for its controller into the initramfs.",
        );
    }
    Problem::new(
        format!("{message}: there are {}", listed(&found)),
        "Attach the disk that has it, or name another one on the kernel command line.",
    )
}

fn listed(found: &[&Device]) -> String {
    found
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disks::tests::{System, ext4};

    fn look(root: &str, patience: u64, system: &System) -> Result<Place, Problem> {
        let wanted = crate::cmdline::read(root).unwrap();
        wait_for(
            &wanted.root.to_string(),
            &wanted.root,
            patience,
            &mut Disks::below(system.root()),
            || false,
        )
    }

    #[test]
    fn the_one_that_fits_is_taken_and_never_one_of_two() {
        let system = System::new();
        system.add("sda", &ext4("ROOT"), &[]);
        system.add("sdb", &ext4("OTHER"), &[]);
        let found = look("root=LABEL=ROOT", 0, &system).unwrap();
        assert_eq!(
            (found.data.path.to_str(), found.tree),
            (Some("/dev/sda"), None)
        );
        system.add("sdc", &ext4("ROOT"), &[]);
        let id = "UUID=12345678-9abc-def0-1234-56789abcdef0";
        let both = format!("/dev/sda (ext4 LABEL=ROOT {id}), /dev/sdc (ext4 LABEL=ROOT {id})");
        let expected = format!("2 devices are root=LABEL=ROOT: {both}.");
        assert_eq!(
            look("root=LABEL=ROOT", 0, &system).unwrap_err().message,
            expected
        );
        let problem = look(&format!("root={id}"), 0, &system).unwrap_err();
        assert!(
            problem.message.starts_with("3 devices are root=UUID="),
            "{problem}"
        );
    }

    #[test]
    fn what_does_not_come_is_said_with_what_is_there() {
        let system = System::new();
        let none = "No device is root=LABEL=ROOT after 0 seconds: there is no disk at all.";
        assert_eq!(
            look("root=LABEL=ROOT", 0, &system).unwrap_err().message,
            none
        );
        system.add("sda", &[0; 4096], &[]);
        let one = "No device is root=LABEL=ROOT after 0 seconds: there are /dev/sda.";
        assert_eq!(
            look("root=LABEL=ROOT", 0, &system).unwrap_err().message,
            one
        );
    }

    #[test]
    fn a_device_that_comes_late_is_waited_for() {
        let system = System::new();
        let wanted = crate::cmdline::read("root=LABEL=LATE").unwrap();
        let mut times = 0;
        let found = wait_for(
            &wanted.root.to_string(),
            &wanted.root,
            60,
            &mut Disks::below(system.root()),
            || {
                times += 1;
                if times == 2 {
                    system.add("sda", &ext4("LATE"), &[]);
                }
                times < 4
            },
        );
        assert_eq!(found.unwrap().data.path.to_str(), Some("/dev/sda"));
        assert_eq!(times, 4, "as long as modules are loaded, more may come");
    }

    #[test]
    fn a_root_hash_wants_both_partitions() {
        let hash = "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210";
        let wanted = crate::cmdline::read(&format!("roothash={hash}")).unwrap();
        let Root::Hash(hash) = &wanted.root else {
            panic!("{wanted:?}");
        };
        let device = |uuid: Uuid| Device {
            partition: Some((uuid, String::new())),
            ..Device::default()
        };
        let (data, tree) = (device(hash.data()), device(hash.tree()));
        let place = Place {
            data: data.clone(),
            tree: Some(tree.clone()),
        };
        for (devices, expected) in [
            (vec![], Ok(None)),
            (vec![data.clone()], Ok(None)),
            (vec![tree.clone()], Ok(None)),
            (vec![tree.clone(), data.clone()], Ok(Some(place))),
            (
                vec![tree.clone(), data.clone(), tree],
                Err("2 devices are the hash tree of roothash="),
            ),
            (
                vec![data.clone(), data],
                Err("2 devices are the data of roothash="),
            ),
        ] {
            match (
                choose("roothash=", &wanted.root, &Disks::of(devices)),
                expected,
            ) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(problem), Err(begins)) => {
                    assert!(problem.message.starts_with(begins), "{problem}");
                }
                (found, _) => panic!("{found:?}"),
            }
        }
    }
}
