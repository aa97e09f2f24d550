//! The rules of each setting, which the settings screen and answer files share.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use installer::install::Address;
use installer::install::settings::{
    address, data_partitions, gateway, host_name, name_servers, size, time_server,
};

fn wrong<T: std::fmt::Debug>(result: Result<T, String>) -> String {
    result.unwrap_err()
}

#[test]
fn names() {
    let long = "a".repeat(63);
    for name in ["example", "node-1", "7", &long] {
        assert_eq!(host_name(name).as_deref(), Ok(name));
    }
    let longer = "a".repeat(64);
    let rows = [
        ("", "A name is needed."),
        (&*longer, "A name has at most 63 characters."),
        ("DB", "Only small letters, digits and dashes are allowed."),
        ("a.b", "Only small letters, digits and dashes are allowed."),
        ("é", "Only small letters, digits and dashes are allowed."),
        ("-a", "A name neither begins nor ends with a dash."),
        ("a-", "A name neither begins nor ends with a dash."),
    ];
    for (name, message) in rows {
        assert_eq!(wrong(host_name(name)), message, "{name}");
    }
}

#[test]
fn time_servers() {
    assert_eq!(time_server(""), Ok(None));
    let rows = [
        ("NTP.example.org", "ntp.example.org"),
        ("time", "time"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
    ];
    for (text, server) in rows {
        assert_eq!(time_server(text), Ok(Some(server.to_owned())));
    }
    let far_too_long = "a.".repeat(127) + "a";
    for text in [
        "a b",
        "192.0.2.256",
        "0.0.0.0",
        "a..b",
        "a.",
        "255.255.255.255",
        "ff02::101",
        &far_too_long,
    ] {
        assert_eq!(
            wrong(time_server(text)),
            "This is neither a name nor an address of a server.",
            "{text}"
        );
    }
}

#[test]
fn addresses() {
    assert_eq!(address("DHCP"), Ok(Address::Dhcp));
    for (text, expected_prefix) in [
        ("192.0.2.10/24", 24),
        ("192.0.2.0/31", 31),
        ("192.0.2.1/32", 32),
        ("2001:db8::10/64", 64),
        ("128.0.0.1/1", 1),
    ] {
        let Ok(Address::Static { prefix, .. }) = address(text) else {
            panic!("{text}");
        };
        assert_eq!(prefix, expected_prefix);
    }
    let form = "Write dhcp, or an address like 192.0.2.10/24.";
    let rows = [
        ("", form),
        ("192.0.2.10", form),
        ("192.0.2.10/", "The number after / is 1 to 32."),
        ("192.0.2.10/+8", form),
        ("192.0.2.300/24", form),
        ("192.0.2.10/0", "The number after / is 1 to 32."),
        ("192.0.2.10/33", "The number after / is 1 to 32."),
        ("192.0.2.10/999", "The number after / is 1 to 32."),
        ("2001:db8::1/129", "The number after / is 1 to 128."),
        ("192.0.2.0/24", "No computer can have this address."),
        ("192.0.2.255/24", "No computer can have this address."),
        ("127.0.0.1/8", "No computer can have this address."),
        ("224.0.0.1/8", "No computer can have this address."),
        ("::/64", "No computer can have this address."),
    ];
    for (text, message) in rows {
        assert_eq!(wrong(address(text)), message, "{text}");
    }
}

#[test]
fn gateways() {
    let own = IpAddr::from([192, 0, 2, 10]);
    assert_eq!(gateway("", own, 24), Ok(None));
    let other = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(gateway("192.0.2.1", own, 24), Ok(Some(other)));
    assert_eq!(gateway("192.0.2.1", own, 32), Ok(Some(other)));
    let six = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
    assert!(gateway("fe80::1", six, 64).is_ok());
    let rows = [
        ("fe80::1", "The address is IPv4, so this must be too."),
        ("192.0.2.10", "This is the address of this computer itself."),
        ("192.0.3.1", "It is not in the network of 192.0.2.10/24."),
        ("0.0.0.0", "It is not in the network of 192.0.2.10/24."),
        ("192.0.2.255", "No computer can have this address."),
        ("router", "Write an address like 192.0.2.1, or nothing."),
    ];
    for (text, message) in rows {
        assert_eq!(wrong(gateway(text, own, 24)), message);
    }
    let other = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 2]);
    assert_eq!(gateway("2001:db8::2", six, 64), Ok(Some(other)));
    assert!(gateway("2001:db8:0:1::1", six, 128).is_ok());
    let rows = [
        ("192.0.2.1", "The address is IPv6, so this must be too."),
        (
            "2001:db8:0:1::1",
            "It is not in the network of 2001:db8::1/64.",
        ),
    ];
    for (text, message) in rows {
        assert_eq!(wrong(gateway(text, six, 64)), message);
    }
}

#[test]
fn servers_of_names() {
    assert_eq!(name_servers([]), Ok(Vec::new()));
    let two = ["192.0.2.53", "2001:db8::53"];
    assert_eq!(name_servers(two).map(|servers| servers.len()), Ok(2));
    assert_eq!(
        wrong(name_servers(["192.0.2.53", "dns"])),
        "\"dns\" is not an address like 192.0.2.1."
    );
    assert_eq!(
        wrong(name_servers(["dns", "192.0.2.53", "ns2"])),
        "\"dns\", \"ns2\" are not addresses like 192.0.2.1."
    );
    assert!(wrong(name_servers([&*"x".repeat(5000)])).len() < 100);
    assert_eq!(
        wrong(name_servers(["192.0.2.53"; 4])),
        "At most 3 are asked."
    );
}

#[test]
fn sizes() {
    let rows = [
        ("0", 0),
        ("500 GB", 500_000_000_000),
        ("10GiB", 10 << 30),
        (" 1 tib ", 1 << 40),
        ("1.92 TB", 1_920_000_000_000),
        ("0.5 GiB", 512 << 20),
        ("7 kB", 7_000),
    ];
    for (text, bytes) in rows {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    let form = "Write a size like 10 GiB or 500 GB.";
    let rows = [
        ("", form),
        ("10", form),
        ("GB", form),
        ("-1 GB", form),
        ("1 G", form),
        ("1. GB", form),
        (".5 GB", form),
        ("1.2.3 GB", form),
        ("1.1234567 GB", form),
        ("18446744073709551616 GB", form),
        ("1,5 TB", form),
        ("20000 PB", "No disk is that large."),
        ("999999999999999999.999999 PiB", "No disk is that large."),
    ];
    for (text, message) in rows {
        assert_eq!(wrong(size(text)), message, "{text}");
    }
}

#[test]
fn numbers_of_data_partitions() {
    assert_eq!(data_partitions("1"), Ok(1));
    assert_eq!(data_partitions("8"), Ok(8));
    for text in ["0", "9", "", "two", "256"] {
        assert_eq!(wrong(data_partitions(text)), "Write a number from 1 to 8.");
    }
}
