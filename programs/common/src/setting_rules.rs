//! The rules for each setting, one function a field, for the settings screen, for answer
//! files and for what a platform says.
//! Each takes what was written and returns its value, or one sentence that says what is wrong.

use std::net::IpAddr;

use crate::node_settings::{Address, Settings};
use crate::secret::Secret;
use crate::text::quoted;

/// The most name servers that are asked (`MAXNS` in resolv.conf(5)).
pub const MOST_NAME_SERVERS: usize = 3;

/// The fewest characters that a passphrase has, and the most.
pub const PASSPHRASE: std::ops::RangeInclusive<usize> = 12..=255;

/// A passphrase that opens encrypted data: what any keyboard can write, and too long to be guessed soon.
pub fn passphrase(text: &str) -> Result<Secret, String> {
    let (least, most) = (PASSPHRASE.start(), PASSPHRASE.end());
    if !text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Err(
            "Only letters, digits, signs and blanks of an English keyboard are allowed.".to_owned(),
        );
    }
    match text.len() {
        length if length < *least => Err(format!("At least {least} characters are needed.")),
        length if length > *most => Err(format!("At most {most} characters are taken.")),
        _ => Ok(Secret::from(text.to_owned())),
    }
}

/// What sizes are written in, in bytes.
const UNITS: [(&str, u64); 10] = [
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("pb", 1_000_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("pib", 1 << 50),
];

/// A host name or a node name: one label of RFC 1123, section 2.1, in small letters.
pub fn host_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() {
        return Err("A name is needed.".to_owned());
    }
    if !text.chars().all(allowed) {
        return Err("Only small letters, digits and dashes are allowed.".to_owned());
    }
    if text.len() > 63 {
        return Err("A name has at most 63 characters.".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err("A name neither begins nor ends with a dash.".to_owned());
    }
    Ok(text.to_owned())
}

/// The name (RFC 1123, section 2.1) or the address of a time server; nothing for none.
pub fn time_server(text: &str) -> Result<Option<String>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let name = text.to_ascii_lowercase();
    // A last label of digits alone is a mistyped address, not a name.
    let is_name = name.len() <= 253
        && name.split('.').all(|label| host_name(label).is_ok())
        && !name.ends_with(|c: char| c.is_ascii_digit());
    if is_name {
        return Ok(Some(name));
    }
    match text.parse::<IpAddr>() {
        Ok(server) if is_host(server) => Ok(Some(server.to_string())),
        _ => Err("This is neither a name nor an address of a server.".to_owned()),
    }
}

/// An address: `dhcp`, or one with the length of its prefix, such as `192.0.2.10/24`. A fixed one
/// comes without gateway and name servers, which are fields of their own.
pub fn address(text: &str) -> Result<Address, String> {
    if text.eq_ignore_ascii_case("dhcp") {
        return Ok(Address::Dhcp);
    }
    let wrong = || "Write dhcp, or an address like 192.0.2.10/24.".to_owned();
    let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    if !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.parse().ok().filter(|it| (1..=longest).contains(it));
    let prefix = prefix.ok_or_else(|| format!("The number after / is 1 to {longest}."))?;
    if !is_host(address) || is_edge(address, prefix) {
        return Err("No computer can have this address.".to_owned());
    }
    Ok(Address::Static {
        address,
        prefix,
        gateway: None,
        name_servers: Vec::new(),
    })
}

/// The gateway of a computer that has `address` with `prefix`; nothing for none.
pub fn gateway(text: &str, address: IpAddr, prefix: u8) -> Result<Option<IpAddr>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse::<IpAddr>() {
        Ok(gateway) if gateway.is_ipv4() != address.is_ipv4() => {
            let kind = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            Err(format!("The address is {kind}, so this must be too."))
        }
        Ok(gateway) if gateway == address => {
            Err("This is the address of this computer itself.".to_owned())
        }
        Ok(gateway) if is_apart(gateway, address, prefix) => {
            Err(format!("It is not in the network of {address}/{prefix}."))
        }
        Ok(gateway) if is_edge(gateway, prefix) => {
            Err("No computer can have this address.".to_owned())
        }
        Ok(gateway) if is_host(gateway) => Ok(Some(gateway)),
        _ => Err("Write an address like 192.0.2.1, or nothing.".to_owned()),
    }
}

/// The addresses of the name servers, in the order in which they are asked.
pub fn name_servers<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<IpAddr>, String> {
    let (mut servers, mut wrong) = (Vec::new(), Vec::new());
    for text in texts {
        match text.parse() {
            Ok(server) if is_host(server) => servers.push(server),
            _ => wrong.push(quoted(text)),
        }
    }
    match &wrong[..] {
        [] => {}
        [wrong] => return Err(format!("{wrong} is not an address like 192.0.2.1.")),
        _ => {
            let wrong = wrong.join(", ");
            return Err(format!("{wrong} are not addresses like 192.0.2.1."));
        }
    }
    if servers.len() > MOST_NAME_SERVERS {
        return Err(format!("At most {MOST_NAME_SERVERS} are asked."));
    }
    Ok(servers)
}

/// A number of bytes: `0`, `10 GiB`, `1.92 TB`. The unit must be written.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || "Write a size like 10 GiB or 500 GB.".to_owned();
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).unwrap_or(u32::MAX));
    let scale = scale.filter(|_| fraction.len() <= 6).ok_or_else(wrong)?;
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let fraction: u64 = fraction.parse().map_err(|_| wrong())?;
    let unit = unit.trim().to_ascii_lowercase();
    let unit = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, bytes)) => u128::from(*bytes),
        None if unit.is_empty() && number == "0" => 1,
        None => return Err(wrong()),
    };
    let parts = u128::from(whole) * scale + u128::from(fraction);
    let bytes = parts.checked_mul(unit).map(|it| it / scale);
    bytes
        .and_then(|it| u64::try_from(it).ok())
        .ok_or_else(|| "No disk is that large.".to_owned())
}

/// How many data partitions there are to be.
pub fn data_partitions(text: &str) -> Result<u8, String> {
    let most = Settings::MOST_DATA_PARTITIONS;
    text.parse()
        .ok()
        .filter(|count| (1..=most).contains(count))
        .ok_or_else(|| format!("Write a number from 1 to {most}."))
}

/// Whether a packet to `address` reaches one other computer.
fn is_host(address: IpAddr) -> bool {
    let is_broadcast = address == IpAddr::from([255; 4]);
    !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || is_broadcast)
}

/// Whether an IPv4 address is the first or the last of its network, which name the network and
/// everybody in it (RFC 922, section 7; not in one of 31 bits: RFC 3021).
fn is_edge(address: IpAddr, prefix: u8) -> bool {
    let IpAddr::V4(address) = address else {
        return false;
    };
    let hosts = host_bits(prefix);
    let host = address.to_bits() & hosts;
    prefix < 31 && (host == 0 || host == hosts)
}

/// Whether a gateway lies outside of the network, so that nothing could be sent to it. A network of
/// one address has its gateway outside, and link-local ones (RFC 4291, section 2.5.6) are in any.
fn is_apart(gateway: IpAddr, address: IpAddr, prefix: u8) -> bool {
    match (gateway, address) {
        (IpAddr::V4(gateway), IpAddr::V4(address)) => {
            prefix < 32 && (gateway.to_bits() ^ address.to_bits()) & !host_bits(prefix) != 0
        }
        (IpAddr::V6(gateway), IpAddr::V6(address)) => {
            let differs = gateway.to_bits() ^ address.to_bits();
            !gateway.is_unicast_link_local() && prefix < 128 && differs >> (128 - prefix) != 0
        }
        _ => false,
    }
}

/// The bits of an IPv4 address that tell computers of one network apart.
fn host_bits(prefix: u8) -> u32 {
    u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0)
}
