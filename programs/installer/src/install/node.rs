//! `metadata/node.toml`: what the appliance reads about itself. The same machine, disk and settings
//! give the same bytes.

use std::path::Path;

use common::machine;
use common::node_toml::{self, Network, NodeToml, is_id};
use toml::{Table, Value};

use super::request::{Address, Request, Settings};
use crate::hardware::Disk;
use common::digest::id_of;
use common::problem::Problem;
use common::setting_rules as settings;

/// Which machine this is: what it says of itself, else what is made now below `root`.
pub(super) fn identity(root: &Path) -> Result<String, Problem> {
    machine::identity(root).map_err(|error| {
        Problem::new(
            format!("This computer has no name of its own, and none can be made: {error}."),
            "Restart it from the medium, and try again.",
        )
    })
}

/// What tells this disk in this machine from all others: its serial number, and its world wide name, or,
/// of one that has none, where it is attached: some have the serial number of all their kind.
pub(super) fn seed(identity: &str, disk: &Disk) -> String {
    let serial = disk.serial.as_deref().unwrap_or_default();
    let mark = disk.wwn.as_ref().unwrap_or(&disk.place);
    format!("{identity} {} {serial} {mark}", disk.model)
}

/// The node's identifier: 32 hex digits.
pub(super) fn node_id(identity: &str, request: &Request) -> String {
    id_of(&[identity, &request.settings.node_name])
}

/// The identifier in the file's text.
pub(super) fn id_in(text: &str) -> Option<String> {
    let file: Table = toml::from_str(text).ok()?;
    let id = file.get("node")?.get("id")?.as_str()?;
    is_id(id).then(|| id.to_owned())
}

/// The file's text, of the node `id`. `data` are the labels of the data partitions.
pub(super) fn node_toml(
    request: &Request,
    identity: &str,
    id: &str,
    data: Vec<&str>,
) -> Result<String, toml::ser::Error> {
    let disk = node_toml::Disk {
        model: request.disk.model.clone(),
        serial: request.disk.serial.clone(),
        data: data.into_iter().map(str::to_owned).collect(),
    };
    toml::to_string(&NodeToml::new(id, identity, &request.settings, disk))
}

/// What the file that reads `present` reads with other names and another network; all else stays, the
/// node's identifier, too. Fails with what is wrong with the file.
pub(super) fn changed(present: &str, settings: &Settings) -> Result<String, String> {
    let mut file: Table = toml::from_str(present).map_err(|it| it.message().to_owned())?;
    let node = file.get_mut("node").and_then(Value::as_table_mut);
    let node = node.ok_or("it has no [node]")?;
    node.insert("name".to_owned(), settings.node_name.clone().into());
    node.insert("host_name".to_owned(), settings.host_name.clone().into());
    let network = Value::try_from(Network::from(settings)).map_err(|it| it.to_string())?;
    file.insert("network".to_owned(), network);
    toml::to_string(&file).map_err(|it| it.to_string())
}

/// The settings that the installation on a disk has, or will have from its next start on; `None` if
/// they cannot be read, or are not as they may be.
pub fn settings_on(disk: &Disk) -> Option<Settings> {
    let earlier = disk.contents.as_ref()?.earlier.as_ref()?;
    let present = earlier.node.as_deref()?;
    let wanted = common::settings::wanted(&earlier.wanted, present);
    settings_of(wanted.as_deref().unwrap_or(present))
}

/// The settings in the file's text.
pub(super) fn settings_of(text: &str) -> Option<Settings> {
    let file: Table = toml::from_str(text).ok()?;
    let text = |table: &str, key: &str| file.get(table)?.get(key)?.as_str();
    let name = |key: &str| settings::host_name(text("node", key)?).ok();
    let mut found = settings::address(text("network", "address")?).ok()?;
    if let Address::Static {
        address,
        prefix,
        gateway,
        name_servers,
    } = &mut found
    {
        let written = text("network", "gateway").unwrap_or_default();
        *gateway = settings::gateway(written, *address, *prefix).ok()?;
        let servers = file.get("network")?.get("name_servers");
        let servers = servers.and_then(Value::as_array).into_iter().flatten();
        *name_servers = settings::name_servers(servers.filter_map(Value::as_str)).ok()?;
    }
    Some(Settings {
        host_name: name("host_name")?,
        node_name: name("name")?,
        time_server: settings::time_server(text("network", "time_server").unwrap_or_default())
            .ok()?,
        address: found,
        ..Settings::default()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::enroll::Enrolment;
    use super::super::request::{Target, Task};
    use super::super::test_disk;
    use super::*;

    #[test]
    fn machines_that_say_nothing_of_themselves_are_still_told_apart() {
        let root = tempfile::tempdir().unwrap();
        assert!(identity(root.path()).is_err());
        let folder = root.path().join("proc/sys/kernel/random");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(
            folder.join("uuid"),
            "b1f3d8c2-0000-4000-8000-000000000001\n",
        )
        .unwrap();
        let found = identity(root.path()).unwrap();
        assert_eq!(found, "random:b1f3d8c2-0000-4000-8000-000000000001");
        let dmi = root.path().join("sys/class/dmi/id");
        std::fs::create_dir_all(&dmi).unwrap();
        std::fs::write(
            dmi.join("product_serial"),
            "ABC1234
",
        )
        .unwrap();
        assert_eq!(identity(root.path()).unwrap(), "serial:ABC1234");
    }

    #[test]
    fn twins_in_one_machine_are_told_apart_and_each_is_the_same_again() {
        let root = tempfile::tempdir().unwrap();
        let plain = test_disk::disk(root.path(), 0, 512);
        let some = |text: &str| Some(text.to_owned());
        let rows = [
            (None, None, "pci0000:00/0000:00:04.0"),
            (None, None, "pci0000:00/0000:00:05.0"),
            (None, some("eui.1"), ""),
            (None, some("eui.2"), ""),
            (some("S1"), None, "pci0000:00/0000:00:14.0/usb2/2-1"),
            (some("S1"), None, "pci0000:00/0000:00:14.0/usb2/2-2"),
            (some("S1"), some("eui.1"), ""),
            (some("S1"), some("eui.2"), ""),
        ];
        let mut seeds = BTreeSet::new();
        for (serial, wwn, place) in rows {
            let is_marked = wwn.is_some();
            let mut disk = Disk {
                serial,
                wwn,
                place: place.to_owned(),
                ..plain.clone()
            };
            let found = seed("uuid:1", &disk);
            assert_eq!(found, seed("uuid:1", &disk));
            // A disk with a name of its own is the same wherever it is attached.
            "elsewhere".clone_into(&mut disk.place);
            assert_eq!(found == seed("uuid:1", &disk), is_marked, "{found}");
            assert!(seeds.insert(found), "{seeds:?}");
        }
    }

    #[test]
    fn what_is_changed_is_read_again_and_all_else_stays() {
        let root = tempfile::tempdir().unwrap();
        let mut request = Request {
            task: Task::Install,
            disk: test_disk::disk(root.path(), 0, 512),
            target: Target::WholeDisk,
            settings: Settings::default(),
            encryption: None,
            secure_boot: Enrolment::Leave,
            warnings: Vec::new(),
        };
        let id = node_id("uuid:1", &request);
        let present = node_toml(&request, "uuid:1", &id, vec!["EXAMPLE_DATA"]).unwrap();
        assert_eq!(id_in(&present), Some(id.clone()));
        assert_eq!(id_in(&present.replace(&id, "8f3c")), None);
        assert_eq!(settings_of(&present), Some(Settings::default()));
        let other = Settings {
            host_name: "db-7".to_owned(),
            node_name: "node-7".to_owned(),
            time_server: Some("192.0.2.1".to_owned()),
            address: Address::Static {
                address: [192, 0, 2, 7].into(),
                prefix: 24,
                gateway: Some([192, 0, 2, 1].into()),
                name_servers: vec![[192, 0, 2, 53].into()],
            },
            ..Settings::default()
        };
        let changed_once = changed(&present, &other).unwrap();
        assert_eq!(settings_of(&changed_once), Some(other.clone()));
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
        let gone: Vec<String> = lines(&present)
            .difference(&lines(&changed_once))
            .cloned()
            .collect();
        let expected = [
            "address = \"dhcp\"",
            "host_name = \"example\"",
            "name = \"node-1\"",
        ];
        assert_eq!(gone, expected);
        let back = changed(&changed_once, &Settings::default()).unwrap();
        assert_eq!(lines(&back), lines(&present));
        // A file that has another system's keys, too.
        let more = present.replace("[node]", "[node]\ncolour = \"red\"");
        assert!(changed(&more, &other).unwrap().contains("colour = \"red\""));
        assert!(changed("version = 1", &other).is_err());
        request.settings = other;
        let fresh = node_toml(&request, "uuid:1", &id, vec!["EXAMPLE_DATA"]).unwrap();
        assert_eq!(settings_of(&fresh), Some(request.settings));
    }
}
