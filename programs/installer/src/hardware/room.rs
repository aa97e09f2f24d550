//! Where beside what is on a disk a set of partitions may go, and why not.

use super::carried::{self, Piece};
use super::contents::Room;
use super::{Carried, Disk, Esp, Firmware, Hardware, size_beside};

/// A row below a disk in the list: room that nobody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeSpace {
    /// Where it lies; the largest where none is large enough, and nothing where there is none at all.
    pub room: Room,
    /// Why nothing can be installed there, in few words.
    pub obstacle: Option<String>,
}

impl Hardware {
    /// The rows of free space of `disk`: none where an appliance is installed, on a disk that is empty, or
    /// that nothing can be installed to.
    pub fn free_space(&self, disk: &Disk) -> Vec<FreeSpace> {
        let (Some(set), Some(contents)) = (&self.set, &disk.contents) else {
            return Vec::new();
        };
        if self.obstacle_of_device(disk).is_some() || contents.parts.is_empty() {
            return Vec::new();
        }
        let beside = &contents.beside;
        let none = |obstacle: String| {
            let largest = beside.free.iter().flatten().next().copied();
            vec![FreeSpace {
                room: largest.unwrap_or(Room { start: 0, end: 0 }),
                obstacle: Some(obstacle),
            }]
        };
        if contents.earlier.as_ref().is_some_and(|it| !it.unfinished) {
            return none(format!("{} is on it", set.name()));
        }
        let Some(free) = &beside.free else {
            return none(match contents.table {
                Some("GPT") => "partition table damaged, or not at the disk's end".to_owned(),
                Some(table) => format!("no GPT, its partition table is {table}"),
                None => "no partition table".to_owned(),
            });
        };
        if self.is_bios() && !set.starts_by_bios() {
            return none("started by BIOS, which cannot start it".to_owned());
        }
        if self.is_bios() && beside.has_boot_code {
            return none("boot code of others, which BIOS starts".to_owned());
        }
        if let Some(number) = beside.bios_boot.filter(|_| self.is_bios()) {
            return none(format!(
                "BIOS boot partition, number {number} is another system's"
            ));
        }
        let needed = carried::least(self.made_beside(set, disk));
        let large = free.iter().filter(|it| it.size() >= needed);
        let rows: Vec<FreeSpace> = large
            .map(|room| FreeSpace {
                room: *room,
                obstacle: None,
            })
            .collect();
        if rows.is_empty() {
            let largest = free.first().map_or(0, |it| it.size());
            let has = size_beside(largest, &[needed]);
            let needs = size_beside(needed, &[largest]);
            return none(format!("too small, it has {has} and {needs} are needed"));
        }
        rows
    }

    /// Where the set that is installed on `disk` beside others lies, if all of it is there in one piece.
    pub fn installed_room(&self, disk: &Disk) -> Option<Room> {
        let (set, contents) = (self.set.as_ref()?, disk.contents.as_ref()?);
        let named = &contents.beside.named;
        let mut room: Option<Room> = None;
        for piece in set.made_beside(true) {
            let (_, found) = named.iter().find(|(name, _)| *name == piece.label)?;
            room = match room {
                None => Some(*found),
                Some(room) if room.end == found.start => Some(Room {
                    end: found.end,
                    ..room
                }),
                Some(_) => return None,
            };
        }
        room
    }

    /// The partitions that are made in free space of `disk`.
    pub fn made_beside<'a>(
        &self,
        set: &'a Carried,
        disk: &Disk,
    ) -> impl Iterator<Item = &'a Piece> + use<'a> {
        set.made_beside(self.esp(disk).is_some())
    }

    /// The EFI system partition that another system starts from.
    pub fn esp<'a>(&self, disk: &'a Disk) -> Option<&'a Esp> {
        disk.contents.as_ref()?.beside.esp.as_ref()
    }

    /// Whether this computer was started without UEFI.
    pub fn is_bios(&self) -> bool {
        self.machine.firmware == Firmware::Bios
    }

    /// What will not fit together although it can be installed, as a sentence: this computer was started by
    /// BIOS, and the other system on `disk` starts by UEFI; or the other way round.
    pub fn mismatch(&self, disk: &Disk) -> Option<String> {
        let beside = &disk.contents.as_ref()?.beside;
        let systems = self.esp(disk).map_or(&[][..], |it| &it.systems);
        let (this, others, other) = if self.is_bios() && !systems.is_empty() {
            ("BIOS", systems.join(", "), "UEFI")
        } else if !self.is_bios() && beside.has_boot_code && systems.is_empty() {
            ("UEFI", "the system".to_owned(), "BIOS")
        } else {
            return None;
        };
        Some(format!(
            "This computer was started by {this}, and {others} on this disk starts by {other}: the firmware \
             starts only the one or the other, as it is set."
        ))
    }

    /// Which labels of the set file systems have that stay when it is installed to `disk`: each with the
    /// partition that has it, in words. Only those on other disks where `whole` of this one is erased.
    pub fn taken_labels(&self, disk: &Disk, whole: bool) -> Vec<(String, String)> {
        let Some(set) = &self.set else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        for other in &self.disks {
            let is_same = other.name == disk.name;
            let is_path = other.name != disk.name && other.is_another_path_to(disk);
            let Some(contents) = other.contents.as_ref().filter(|_| !is_path) else {
                continue;
            };
            if is_same && whole {
                continue;
            }
            for (number, label) in &contents.beside.labels {
                let is_ours = number.is_some_and(|it| contents.beside.begun.contains(&it));
                if set.labels().any(|it| it == label) && !(is_same && is_ours) {
                    let place = number.map_or_else(
                        || other.name.clone(),
                        |number| format!("partition {number} of {}", other.name),
                    );
                    taken.push((label.clone(), place));
                }
            }
        }
        taken
    }
}
