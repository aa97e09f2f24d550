//! Who this node is: `metadata/node.toml`, which the installer wrote, what the supervisor found out
//! about the disk, and which start of which system this is.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Fatal;

/// What `metadata/node.toml` says that a status shows. Keys that are not here are for others.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct NodeToml {
    version: u32,
    /// Who the node is.
    pub node: Node,
    /// Where its data is.
    pub disk: Disk,
}

/// Who the node is.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Node {
    /// 32 hexadecimal digits, made of the machine's identity.
    pub id: String,
    /// What it is called among nodes.
    pub name: String,
    /// What the machine is called.
    pub host_name: String,
}

/// The disk that the data is on.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Labels of the data partitions.
    #[serde(rename(serialize = "labels"))]
    pub data: Vec<String>,
    /// What its maker calls it.
    #[serde(default)]
    pub model: String,
    /// Its serial number; empty if it has none.
    #[serde(default)]
    pub serial: String,
}

/// Reads `metadata/node.toml` in the folder `data`. Fails where it is missing or does not say who
/// the node is.
pub fn read(data: &Path) -> Result<NodeToml, Fatal> {
    let path = data.join("metadata/node.toml");
    let wrong = |reason: String| {
        Fatal::Config(format!(
            "{}: {reason}. Boot the installer and choose \"Change settings\".",
            path.display()
        ))
    };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| wrong(format!("cannot read it: {error}")))?;
    let node: NodeToml =
        toml::from_str(&text).map_err(|error| wrong(error.message().trim().to_owned()))?;
    match node.version {
        1 => Ok(node),
        other => Err(wrong(format!(
            "version is {other}, and this program knows version 1"
        ))),
    }
}

/// Name and version of the system below `root`, from `etc/os-release` (os-release(5)), such as
/// `TruthDB 1.2.0`; `None` if it does not say.
pub fn system(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join("etc/os-release")).ok()?;
    let value = |key: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        let (_, value) = lines.find(|(name, _)| *name == key)?;
        Some(value.trim_matches(['"', '\'']).to_owned()).filter(|it| !it.is_empty())
    };
    let version = ["IMAGE_VERSION", "VERSION_ID", "VERSION"];
    let version = version.into_iter().find_map(value)?;
    Some(format!("{} {version}", value("NAME")?))
}

/// Which start of the machine below `root` this is: `random/boot_id` of proc(5).
pub fn boot_id(root: &Path) -> Result<String, Fatal> {
    let path = root.join("proc/sys/kernel/random/boot_id");
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|error| Fatal::io("cannot read", &path, &error))?;
    Ok(text.trim().to_owned())
}

/// What the supervisor wrote to `data.state` in the folder `run`: how the file system of the data
/// was when it was checked, and what opened it, if that is said. `None` where there is no supervisor.
pub fn data_state(run: &Path) -> Option<(String, Option<String>)> {
    #[derive(Deserialize)]
    struct State {
        partitions: Vec<Partition>,
    }
    #[derive(Deserialize)]
    struct Partition {
        result: String,
        encrypted: Option<String>,
    }
    let bytes = std::fs::read(run.join("data.state")).ok()?;
    let state: State = serde_json::from_slice(&bytes).ok()?;
    state
        .partitions
        .into_iter()
        .next()
        .map(|it| (it.result, it.encrypted))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const GOOD: &str = r#"
        version = 1
        [node]
        id = "8f3c0000000000000000000000000001"
        name = "node-1"
        host_name = "truthdb"
        [machine]
        identity = "uuid:x"
        [disk]
        model = "QEMU NVMe Ctrl"
        serial = "S1"
        data = ["TRUTHDB_DATA"]
        [network]
        address = "dhcp"
    "#;

    fn read_text(text: &str) -> Result<NodeToml, Fatal> {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("metadata")).unwrap();
        fs::write(data.path().join("metadata/node.toml"), text).unwrap();
        read(data.path())
    }

    #[test]
    fn reads_what_the_installer_writes() {
        let node = read_text(GOOD).unwrap();
        assert_eq!(node.node.name, "node-1");
        assert_eq!(node.disk.serial, "S1");
        assert_eq!(node.disk.data, ["TRUTHDB_DATA"]);
    }

    #[test]
    fn says_what_is_wrong_and_what_to_do() {
        let rows = [
            ("", "missing field `version`"),
            ("version = 1\n[node]\n", "missing field `id`"),
            (
                "version =",
                "string values must be quoted, expected literal string",
            ),
            (
                &GOOD.replace("version = 1", "version = 2"),
                "version is 2, and this program knows version 1",
            ),
        ];
        for (text, reason) in rows {
            let error = read_text(text).unwrap_err();
            assert_eq!(error.code(), 78);
            let error = error.to_string();
            assert!(error.contains("metadata/node.toml: "), "{error}");
            assert!(error.contains(reason), "{error}");
            assert!(error.ends_with("choose \"Change settings\"."), "{error}");
        }
        let data = tempfile::tempdir().unwrap();
        let error = read(data.path()).unwrap_err().to_string();
        assert!(error.contains("cannot read it: No such file"), "{error}");
    }

    #[test]
    fn reads_facts_of_the_machine_where_they_are() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(system(root.path()), None);
        assert_eq!(boot_id(root.path()).unwrap_err().code(), 74);
        assert_eq!(data_state(root.path()), None);
        write(
            "etc/os-release",
            "NAME=\"TruthDB\"\nVERSION_ID=1\nIMAGE_VERSION=1.2.0\n",
        );
        write("proc/sys/kernel/random/boot_id", "abc\n");
        write(
            "data.state",
            r#"{"partitions": [{"result": "clean", "device": "x"}]}"#,
        );
        assert_eq!(system(root.path()).as_deref(), Some("TruthDB 1.2.0"));
        assert_eq!(boot_id(root.path()).unwrap(), "abc");
        assert_eq!(data_state(root.path()), Some(("clean".to_owned(), None)));
        write(
            "data.state",
            r#"{"partitions": [{"result": "clean", "encrypted": "tpm"}]}"#,
        );
        let (_, encrypted) = data_state(root.path()).unwrap();
        assert_eq!(encrypted.as_deref(), Some("tpm"));
    }
}
