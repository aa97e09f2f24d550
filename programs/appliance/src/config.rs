//! `metadata/node.toml`, which the installer wrote: who this machine is and how it reaches others.

use std::net::IpAddr;
use std::path::Path;

use common::node_toml::{Network, Node, NodeToml, VERSION, is_id};

/// Where it lies below the root.
pub const FILE: &str = "data/metadata/node.toml";

/// What this machine is told about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// 32 hexadecimal digits.
    pub node_id: String,
    /// What the node is called among nodes.
    pub node_name: String,
    /// What the machine is called.
    pub host_name: String,
    /// Labels of the data partitions.
    pub labels: Vec<String>,
    /// Where the address comes from.
    pub address: Address,
    /// Whom to ask for the time.
    pub time_server: Option<String>,
}

/// Where the network address comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Address {
    /// The network says.
    #[default]
    Dhcp,
    /// It is fixed.
    Fixed {
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

/// Reads the file below `root`. Fails with a sentence that says what is wrong with it.
pub fn read(root: &Path) -> Result<Config, String> {
    let path = root.join(FILE);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("/{FILE} cannot be read: {error}."))?;
    parse(&text).map_err(|reason| format!("/{FILE} is wrong: {reason}."))
}

/// Reads the text of the file. Fails with what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Config, String> {
    let file: NodeToml = toml::from_str(text).map_err(|error| error.message().trim().to_owned())?;
    if file.version != VERSION {
        let version = file.version;
        return Err(format!(
            "version is {version}, and this system knows version {VERSION}"
        ));
    }
    let Node {
        id,
        name,
        host_name,
    } = file.node;
    if !is_id(&id) {
        return Err(format!("node.id is '{id}', not 32 hexadecimal digits"));
    }
    for (key, value) in [("node.name", &name), ("node.host_name", &host_name)] {
        if !is_label(value) {
            return Err(format!(
                "{key} is '{value}', not 1 to 63 small letters, digits and dashes"
            ));
        }
    }
    if let Some(server) = file.network.time_server.as_deref()
        && !is_server(server)
    {
        return Err(format!(
            "network.time_server is '{server}', neither a name nor an address"
        ));
    }
    Ok(Config {
        node_id: id,
        node_name: name,
        host_name,
        labels: file.disk.data,
        address: address(&file.network)?,
        time_server: file.network.time_server,
    })
}

fn address(network: &Network) -> Result<Address, String> {
    let text = network.address.as_str();
    if text == "dhcp" {
        return Ok(Address::Dhcp);
    }
    let wrong = || {
        format!("network.address is '{text}', neither \"dhcp\" nor an address like 192.0.2.10/24")
    };
    let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
    if prefix > if address.is_ipv4() { 32 } else { 128 } {
        return Err(wrong());
    }
    if let Some(gateway) = network.gateway
        && gateway.is_ipv4() != address.is_ipv4()
    {
        return Err(format!(
            "network.gateway is {gateway}, which {address} cannot reach"
        ));
    }
    Ok(Address::Fixed {
        address,
        prefix,
        gateway: network.gateway,
        name_servers: network.name_servers.clone(),
    })
}

/// One label of a host name: RFC 1123, section 2.1, in small letters.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
}

/// A host name of several labels, or an address.
fn is_server(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
        || (text.len() <= 253 && text.split('.').all(|it| is_label(&it.to_ascii_lowercase())))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What the installer writes if nothing is changed in its settings.
    pub(crate) const DHCP: &str = r#"
version = 1

[node]
id = "8f3c0000000000000000000000000001"
name = "node-1"
host_name = "example"

[machine]
identity = "uuid:4c4c4544-0000-1000-8000-000000000000"

[disk]
model = "QEMU NVMe Ctrl"
serial = "S1"
data = ["EXAMPLE_DATA"]

[network]
address = "dhcp"
"#;

    #[test]
    fn reads_what_the_installer_writes() {
        let config = parse(DHCP).unwrap();
        assert_eq!(config.node_name, "node-1");
        assert_eq!(config.labels, ["EXAMPLE_DATA"]);
        assert_eq!(config.address, Address::Dhcp);
        let fixed = "address = \"192.0.2.10/24\"\ngateway = \"192.0.2.1\"\n\
            name_servers = [\"192.0.2.2\", \"2001:db8::1\"]\ntime_server = \"Time.example.org\"";
        let config = parse(&DHCP.replace("address = \"dhcp\"", fixed)).unwrap();
        assert_eq!(config.time_server.as_deref(), Some("Time.example.org"));
        let Address::Fixed {
            address,
            prefix,
            gateway,
            name_servers,
        } = config.address
        else {
            panic!("{:?}", config.address);
        };
        assert_eq!((address.to_string(), prefix), ("192.0.2.10".into(), 24));
        assert_eq!(gateway.unwrap().to_string(), "192.0.2.1");
        assert_eq!(name_servers.len(), 2);
        let six = DHCP.replace("\"dhcp\"", "\"2001:db8::2/64\"");
        assert!(matches!(
            parse(&six).unwrap().address,
            Address::Fixed { prefix: 64, .. }
        ));
    }

    #[test]
    fn says_what_is_wrong() {
        let rows = [
            (
                "version = 1",
                "version = 7",
                "version is 7, and this system knows version 1",
            ),
            (
                "id = \"8",
                "id = \"x",
                "node.id is 'xf3c0000000000000000000000000001', not 32 \
                hexadecimal digits",
            ),
            (
                "\"node-1\"",
                "\"-n\"",
                "node.name is '-n', not 1 to 63 small letters, digits and \
                dashes",
            ),
            (
                "\"example\"",
                "\"Exam ple\"",
                "node.host_name is 'Exam ple', not 1 to 63 small \
                letters, digits and dashes",
            ),
            (
                "\"dhcp\"",
                "\"192.0.2.1\"",
                "network.address is '192.0.2.1', neither \"dhcp\" nor \
                an address like 192.0.2.10/24",
            ),
            (
                "\"dhcp\"",
                "\"192.0.2.1/33\"",
                "network.address is '192.0.2.1/33', neither \"dhcp\" \
                nor an address like 192.0.2.10/24",
            ),
            (
                "\"dhcp\"",
                "\"192.0.2.1/24\"\ngateway = \"2001:db8::1\"",
                "network.gateway is \
                2001:db8::1, which 192.0.2.1 cannot reach",
            ),
            (
                "\"dhcp\"",
                "\"dhcp\"\ntime_server = \"-x y\"",
                "network.time_server is '-x y', \
                neither a name nor an address",
            ),
            ("[network]", "[net]", "missing field `network`"),
            (
                "\"dhcp\"",
                "7",
                "invalid type: integer `7`, expected a string",
            ),
        ];
        for (from, to, message) in rows {
            let text = DHCP.replace(from, to);
            assert_eq!(parse(&text).unwrap_err(), message);
        }
        let root = tempfile::tempdir().unwrap();
        let message = read(root.path()).unwrap_err();
        assert!(message.starts_with("/data/metadata/node.toml cannot be read: No such file"));
    }
}
