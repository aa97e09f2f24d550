//! The keys of `[settings]`, by the same rules as the settings screen.

use std::net::IpAddr;

use super::mistakes::Mistakes;
use super::table::Table;
use crate::node_settings::{Address, Changes, Settings};
use crate::setting_rules::{
    address, data_partitions, gateway, host_name, name_servers, size, time_server,
};

/// Of the settings that were read, those that the file names.
pub fn read_changes(table: &Table<'_>, read: &Settings) -> Changes {
    let Settings {
        host_name,
        node_name,
        time_server,
        address,
        ..
    } = read;
    Changes {
        host_name: table.has("host_name").then(|| host_name.clone()),
        node_name: table.has("node_name").then(|| node_name.clone()),
        time_server: table.has("time_server").then(|| time_server.clone()),
        address: table.has("address").then(|| address.clone()),
    }
}

/// Reads the settings; what is not there is as usual.
pub fn read_settings(table: &Table<'_>, mistakes: &mut Mistakes) -> Settings {
    let usual = Settings::default();
    let name = |name, usual, mistakes: &mut Mistakes| {
        let name = table.text(name, host_name, mistakes);
        name.map_or(usual, |it| it.value)
    };
    let partitions = table.integer("data_partitions", data_partitions, mistakes);
    let reserved = table.text("reserved", size, mistakes);
    let time_server = table.text("time_server", time_server, mistakes);
    Settings {
        host_name: name("host_name", usual.host_name, mistakes),
        node_name: name("node_name", usual.node_name, mistakes),
        data_partitions: partitions.map_or(usual.data_partitions, |it| it.value),
        reserved: reserved.map_or(usual.reserved, |it| it.value),
        time_server: time_server.and_then(|it| it.value),
        address: read_address(table, mistakes),
    }
}

/// The address, with the gateway and the name servers that only a fixed one has.
fn read_address(table: &Table<'_>, mistakes: &mut Mistakes) -> Address {
    let found = table.text("address", address, mistakes);
    if found.is_none() && table.has("address") {
        // Whether it was to be a fixed one is not known; what can be judged without it still is.
        read_name_servers(table, mistakes);
        return Address::Dhcp;
    }
    match found.map_or(Address::Dhcp, |it| it.value) {
        Address::Dhcp => {
            refuse_fixed(table, mistakes);
            Address::Dhcp
        }
        Address::Static {
            address, prefix, ..
        } => {
            let rule = |text: &str| gateway(text, address, prefix);
            Address::Static {
                address,
                prefix,
                gateway: table
                    .text("gateway", rule, mistakes)
                    .and_then(|it| it.value),
                name_servers: read_name_servers(table, mistakes),
            }
        }
    }
}

fn read_name_servers(table: &Table<'_>, mistakes: &mut Mistakes) -> Vec<IpAddr> {
    let rule = |texts: &[&str]| name_servers(texts.iter().copied());
    let found = table.texts("name_servers", rule, mistakes);
    found.map_or_else(Vec::new, |it| it.value)
}

/// Says of what only a fixed address has that it must not be there.
fn refuse_fixed(table: &Table<'_>, mistakes: &mut Mistakes) {
    for name in ["gateway", "name_servers"] {
        if let Some(at) = table.place(name) {
            let message = "It is only for a fixed address; with dhcp the network says it.";
            let hint = "Leave it out, or write an address like \"192.0.2.10/24\".";
            let path = table.path(name);
            mistakes.add_unless_broken(at, path, message.to_owned(), hint.to_owned());
        }
    }
}
