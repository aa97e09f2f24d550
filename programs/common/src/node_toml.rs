//! `metadata/node.toml` among the data: who a machine is and how it reaches others. The installer writes
//! it, or an appliance that starts from an image for the first time; the appliance reads it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::node_settings::{Address, Settings};

/// Layout of the file; it grows when a reader would misunderstand.
pub const VERSION: u32 = 1;

/// The file. A reader passes over what it does not know.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct NodeToml {
    /// [`VERSION`].
    pub version: u32,
    /// Who the node is.
    pub node: Node,
    /// Which computer it was installed on.
    #[serde(default)]
    pub machine: Machine,
    /// The disk that its data are on.
    pub disk: Disk,
    /// How it reaches others.
    pub network: Network,
}

impl NodeToml {
    /// The file of the node `id` with these settings, on the machine that says `identity` of itself.
    pub fn new(id: &str, identity: &str, settings: &Settings, disk: Disk) -> Self {
        Self {
            version: VERSION,
            node: Node {
                id: id.to_owned(),
                name: settings.node_name.clone(),
                host_name: settings.host_name.clone(),
            },
            machine: Machine {
                identity: identity.to_owned(),
            },
            disk,
            network: settings.into(),
        }
    }
}

impl From<&Settings> for Network {
    fn from(settings: &Settings) -> Self {
        let (gateway, name_servers) = match &settings.address {
            Address::Dhcp => (None, Vec::new()),
            Address::Static {
                gateway,
                name_servers,
                ..
            } => (*gateway, name_servers.clone()),
        };
        Self {
            address: settings.address.written().address,
            gateway,
            name_servers,
            time_server: settings.time_server.clone(),
        }
    }
}

/// Who the node is.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Node {
    /// 32 hexadecimal digits: see [`is_id`].
    pub id: String,
    /// What it is called among nodes.
    pub name: String,
    /// What the machine is called.
    pub host_name: String,
}

/// Which computer it was installed on.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// What it says of itself.
    pub identity: String,
}

/// The disk that the data are on.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// What its maker calls it.
    #[serde(default)]
    pub model: String,
    /// Its serial number, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Labels of the data partitions.
    pub data: Vec<String>,
}

/// How it reaches others.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Network {
    /// `dhcp`, or an address with the length of its prefix.
    pub address: String,
    /// Where everything else is sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// Whom to ask for names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub name_servers: Vec<IpAddr>,
    /// Whom to ask for the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_server: Option<String>,
}

/// Whether it can be the identifier of a node.
pub fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|it| it.is_ascii_hexdigit())
}
