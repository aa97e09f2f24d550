//! `metadata/node.toml`: what the appliance reads about itself. The same machine, disk and settings
//! give the same bytes.

use serde::Serialize;

use super::digest::id_of;
use super::request::{Address, Request};
use crate::hardware::Disk;

/// Layout of the file; it grows when a reader would misunderstand.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct File<'a> {
    version: u32,
    node: Node<'a>,
    machine: Machine<'a>,
    disk: DiskTable<'a>,
    network: Network<'a>,
}

#[derive(Serialize)]
struct Node<'a> {
    id: &'a str,
    name: &'a str,
    host_name: &'a str,
}

#[derive(Serialize)]
struct Machine<'a> {
    identity: &'a str,
}

#[derive(Serialize)]
struct DiskTable<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<&'a str>,
    data: Vec<&'a str>,
}

#[derive(Serialize)]
struct Network<'a> {
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    name_servers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_server: Option<&'a str>,
}

/// Which machine this is: what its firmware says, else the disk it is installed to, which is then
/// all that tells it from others.
pub(super) fn identity(of_machine: Option<String>, disk: &Disk) -> String {
    of_machine.unwrap_or_else(|| {
        let of_disk = disk
            .wwn
            .as_ref()
            .or(disk.serial.as_ref())
            .unwrap_or(&disk.model);
        format!("disk:{of_disk}")
    })
}

/// What tells this disk in this machine from all others: its serial number or world wide name, or,
/// of one that has neither, where it is attached.
pub(super) fn seed(identity: &str, disk: &Disk) -> String {
    let mark = disk.serial.as_ref().or(disk.wwn.as_ref());
    format!("{identity} {} {}", disk.model, mark.unwrap_or(&disk.place))
}

/// The node's identifier: 32 hex digits.
pub(super) fn node_id(identity: &str, request: &Request) -> String {
    id_of(&[identity, &request.settings.node_name])
}

/// The file's text. `data` are the labels of the data partitions.
pub(super) fn node_toml(
    request: &Request,
    identity: &str,
    data: Vec<&str>,
) -> Result<String, toml::ser::Error> {
    let settings = &request.settings;
    let (address, gateway, name_servers) = match &settings.address {
        Address::Dhcp => ("dhcp".to_owned(), None, Vec::new()),
        Address::Static {
            address,
            prefix,
            gateway,
            name_servers,
        } => (
            format!("{address}/{prefix}"),
            gateway.map(|it| it.to_string()),
            name_servers.iter().map(ToString::to_string).collect(),
        ),
    };
    toml::to_string(&File {
        version: VERSION,
        node: Node {
            id: &node_id(identity, request),
            name: &settings.node_name,
            host_name: &settings.host_name,
        },
        machine: Machine { identity },
        disk: DiskTable {
            model: &request.disk.model,
            serial: request.disk.serial.as_deref(),
            data,
        },
        network: Network {
            address,
            gateway,
            name_servers,
            time_server: settings.time_server.as_deref(),
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::bench;
    use super::*;

    #[test]
    fn twins_in_one_machine_are_told_apart_and_each_is_the_same_again() {
        let root = tempfile::tempdir().unwrap();
        let plain = bench::disk(root.path(), 0, 512);
        let some = |text: &str| Some(text.to_owned());
        let rows = [
            (None, None, "pci0000:00/0000:00:04.0"),
            (None, None, "pci0000:00/0000:00:05.0"),
            (None, some("eui.1"), ""),
            (None, some("eui.2"), ""),
            (some("S1"), None, ""),
            (some("S2"), some("eui.1"), ""),
        ];
        let mut seeds = BTreeSet::new();
        for (serial, wwn, place) in rows {
            let is_marked = serial.is_some() || wwn.is_some();
            let mut disk = Disk {
                serial,
                wwn,
                place: place.to_owned(),
                ..plain.clone()
            };
            let found = seed("uuid:1", &disk);
            assert_eq!(found, seed("uuid:1", &disk));
            // A disk with a mark of its own is the same wherever it is attached.
            "elsewhere".clone_into(&mut disk.place);
            assert_eq!(found == seed("uuid:1", &disk), is_marked, "{found}");
            assert!(seeds.insert(found), "{seeds:?}");
        }
    }
}
