//! Which Ethernet links there are, from sysfs, and which addresses the kernel knows.

use std::net::IpAddr;
use std::path::Path;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

use crate::text::attribute;

/// Addresses that others can reach: name of the link, address, and length of the prefix.
pub type Addresses = Vec<(String, IpAddr, u32)>;

/// `ARPHRD_ETHER`, `linux/if_arp.h`.
const ETHERNET: &str = "1";

/// An Ethernet link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Its name, such as `eth0`.
    pub(super) name: String,
    /// Whether something is at the other end of the cable.
    pub(super) carrier: bool,
}

/// Lists the Ethernet links below `root` that are devices of their own, by name. A link that
/// belongs to another one, such as the virtual function under a paravirtual card, is left to it.
pub(super) fn list(root: &Path) -> Vec<Link> {
    let Ok(entries) = std::fs::read_dir(root.join("sys/class/net")) else {
        return Vec::new();
    };
    let is_own = |path: &Path| {
        attribute(&path.join("type")).as_deref() == Some(ETHERNET)
            && path.join("device").exists()
            && !path.join("master").exists()
    };
    let mut links: Vec<_> = entries
        .flatten()
        .filter(|entry| is_own(&entry.path()))
        .map(|entry| Link {
            name: entry.file_name().to_string_lossy().into_owned(),
            // A link that is down has no answer.
            carrier: attribute(&entry.path().join("carrier")).as_deref() == Some("1"),
        })
        .collect();
    links.sort_by(|a, b| a.name.cmp(&b.name));
    links
}

/// Asks the kernel for the addresses of all links, those of the loopback and those that only
/// neighbours can reach left out.
pub fn addresses() -> Addresses {
    let Ok(found) = getifaddrs() else {
        return Vec::new();
    };
    let mut addresses: Addresses = found
        .filter_map(|it| {
            let address = ip(&it.address?)?;
            let prefix = it.netmask.as_ref().and_then(ip).map_or(0, prefix);
            is_reachable(address).then_some((it.interface_name, address, prefix))
        })
        .collect();
    addresses.sort();
    addresses
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let four = address.as_sockaddr_in().map(|it| it.ip().into());
    four.or_else(|| address.as_sockaddr_in6().map(|it| it.ip().into()))
}

fn prefix(mask: IpAddr) -> u32 {
    match mask {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    }
}

fn is_reachable(address: IpAddr) -> bool {
    let local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !local && !address.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_others_can_reach_are_shown() {
        let rows = [
            ("192.0.2.1", true),
            ("10.0.0.1", true),
            ("2001:db8::1", true),
            ("fd00::1", true),
            ("127.0.0.1", false),
            ("169.254.3.4", false),
            ("::1", false),
            ("fe80::1", false),
        ];
        for (address, expected) in rows {
            assert_eq!(
                is_reachable(address.parse().unwrap()),
                expected,
                "{address}"
            );
        }
        assert!(
            addresses()
                .iter()
                .all(|(_, address, _)| is_reachable(*address))
        );
    }

    #[test]
    fn masks_become_prefixes() {
        let rows = [
            ("255.255.255.0", 24),
            ("255.255.255.255", 32),
            ("ffff:ffff::", 32),
        ];
        for (mask, expected) in rows {
            assert_eq!(prefix(mask.parse().unwrap()), expected);
        }
    }
}
