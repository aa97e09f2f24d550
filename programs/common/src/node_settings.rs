//! What an appliance is told about itself, whoever says it: a person, an answer file or a platform.

use std::net::IpAddr;

use crate::product::product;

/// What the appliance is told about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Host name: one label of RFC 1123, at most 63 small letters, digits and dashes.
    pub host_name: String,
    /// How the node calls itself towards others; the same letters as a host name.
    pub node_name: String,
    /// How many data partitions the disk gets, 1 to [`Settings::MOST_DATA_PARTITIONS`].
    pub data_partitions: u8,
    /// Bytes at the end of the disk that no partition takes.
    pub reserved: u64,
    /// Whom to ask for the time (NTP): a name or an address; nobody if there is none.
    pub time_server: Option<String>,
    /// Where the network address comes from.
    pub address: Address,
}

impl Settings {
    /// The most data partitions that a disk can get.
    pub const MOST_DATA_PARTITIONS: u8 = 8;
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host_name: product().settings.host_name.clone(),
            node_name: product().settings.node_name.clone(),
            data_partitions: 1,
            reserved: 0,
            time_server: None,
            address: Address::Dhcp,
        }
    }
}

/// Settings that take the place of those on a disk; what is not there stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// [`Settings::host_name`].
    pub host_name: Option<String>,
    /// [`Settings::node_name`].
    pub node_name: Option<String>,
    /// [`Settings::time_server`].
    pub time_server: Option<Option<String>>,
    /// [`Settings::address`].
    pub address: Option<Address>,
}

impl Changes {
    /// What becomes of `settings`.
    pub fn applied_to(&self, settings: Settings) -> Settings {
        let Self {
            host_name,
            node_name,
            time_server,
            address,
        } = self.clone();
        Settings {
            host_name: host_name.unwrap_or(settings.host_name),
            node_name: node_name.unwrap_or(settings.node_name),
            time_server: time_server.unwrap_or(settings.time_server),
            address: address.unwrap_or(settings.address),
            ..settings
        }
    }
}

/// Where the network address comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Address {
    /// The network says.
    #[default]
    Dhcp,
    /// It is fixed.
    Static {
        /// The address.
        address: IpAddr,
        /// How many leading bits of it name the network.
        prefix: u8,
        /// Where everything else is sent to.
        gateway: Option<IpAddr>,
        /// Whom to ask for names.
        name_servers: Vec<IpAddr>,
    },
}

/// An address as files and forms have it.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// `dhcp`, or an address with its prefix.
    pub address: String,
    /// Where everything else is sent to.
    pub gateway: Option<String>,
    /// Whom to ask for names.
    pub name_servers: Vec<String>,
}

impl Address {
    /// How it is written.
    pub fn written(&self) -> Written {
        match self {
            Self::Dhcp => Written {
                address: "dhcp".to_owned(),
                gateway: None,
                name_servers: Vec::new(),
            },
            Self::Static {
                address,
                prefix,
                gateway,
                name_servers,
            } => Written {
                address: format!("{address}/{prefix}"),
                gateway: gateway.map(|it| it.to_string()),
                name_servers: name_servers.iter().map(ToString::to_string).collect(),
            },
        }
    }
}
