//! What is said of answer files that are wrong: every mistake, with its line.
#![allow(clippy::unwrap_used)]

use truthdb_installer::answers::{LARGEST, parse};

const GOOD: &str = include_str!("answers/good.toml");

/// A file that is right, but for these lines in place of `line`.
fn with(line: &str, instead: &str) -> String {
    assert!(GOOD.contains(line), "{line}");
    GOOD.replace(line, instead)
}

fn mistakes(text: &str) -> Vec<String> {
    let mistakes = parse(text).unwrap_err().into_iter();
    mistakes.map(|it| format!("{it} | {}", it.hint)).collect()
}

/// A line of the right file, what stands there instead, and what is said.
const ROWS: &[(&str, &str, &[&str])] = &[
    (
        "version = 1",
        "",
        &["1: version: This key is missing. | Write it like this: version = 1"],
    ),
    (
        "version = 1",
        "version = 2\nunknown = 1",
        &[
            "2: version: This program reads version 1, not 2. | Use an installer that is made for \
             this file, or version = 1.",
        ],
    ),
    (
        "version = 1",
        "version = \"1\"",
        &[
            "2: version: This is the string \"1\", not an integer. | Write it like this: \
             version = 1",
        ],
    ),
    (
        "version = 1",
        "version = 0x1_0",
        &[
            "2: version: This program reads version 1, not 16. | Use an installer that is made for \
             this file, or version = 1.",
        ],
    ),
    (
        "task = \"install\"",
        "",
        &["1: task: This key is missing. | Write it like this: task = \"install\""],
    ),
    (
        "task = \"install\"",
        "task = \"Install\"",
        &[
            "3: task: \"Install\" is none of \"install\", \"keep-data\", \"repair-boot\". | Write \
             it like this: task = \"install\"",
        ],
    ),
    (
        "on_success = \"reboot\"",
        "on_success = \"restart\"",
        &[
            "4: on_success: \"restart\" is none of \"wait\", \"poweroff\", \"reboot\". | Write it \
             like this: on_success = \"reboot\"",
        ],
    ),
    (
        "on_error = \"wait\"",
        "on_error = false",
        &["5: on_error: This is false, not a string. | Write it like this: on_error = \"wait\""],
    ),
    (
        "on_error = \"wait\"",
        "on_eror = \"wait\"",
        &[
            "5: on_eror: This key is unknown. | Known here are version, task, on_success, \
             on_error, disk, settings.",
        ],
    ),
    (
        "on_error = \"wait\"",
        "host_name = \"x\"",
        &["5: host_name: This key is unknown. | It belongs below [settings]."],
    ),
    (
        "serial = \"S6Z2NJ0W123456\"",
        "serial = \"S6Z2NJ0W123456\"\non_error = \"wait\"",
        &["9: disk.on_error: This key is unknown. | It belongs above the first [table]."],
    ),
    (
        "on_error = \"wait\"",
        "\"a\\u001b[2J\" = 1",
        &[
            "5: \"a\\u{1b}[2J\": This key is unknown. | Known here are version, task, on_success, \
             on_error, disk, settings.",
        ],
    ),
    (
        "serial = \"S6Z2NJ0W123456\"",
        "serial = \" \"",
        &["8: disk.serial: It is empty. | Write it like this: serial = \"S6Z2NJ0W123456\""],
    ),
    (
        "wwn = \"eui.0025385b21404321\"",
        "wwn = 25385",
        &[
            "9: disk.wwn: This is the integer 25385, not a string. | Write it like this: \
             wwn = \"eui.0025385b21404321\"",
        ],
    ),
    (
        "model = \"Samsung SSD 990*\"",
        "model = 1979-05-27",
        &[
            "10: disk.model: This is the date 1979-05-27, not a string. | Write it like this: \
             model = \"Samsung SSD 990*\"",
        ],
    ),
    (
        "bus = \"NVMe\"",
        "bus = \"PCIe\"",
        &[
            "11: disk.bus: \"PCIe\" is none of NVMe, SATA, USB, virtio, SAS, MMC, SD, Hyper-V, \
             Xen, VMware, FC, iSCSI, SCSI, other. | Write it like this: bus = \"NVMe\"",
        ],
    ),
    (
        "min_size = \"500 GB\"",
        "min_size = 500.0",
        &[
            "12: disk.min_size: This is the number 500.0, not a string. | Write it like this: \
             min_size = \"500 GB\"",
        ],
    ),
    (
        "max_size = \"2.1 TB\"",
        "max_size = \"2.1\"",
        &[
            "13: disk.max_size: Write a size like 10 GiB or 500 GB. | Write it like this: \
             max_size = \"2.1 TB\"",
        ],
    ),
    (
        "max_size = \"2.1 TB\"",
        "max_size = \"499 GB\"",
        &[
            "13: disk.max_size: It is less than min_size, so no disk could match. | Make it the \
             same or more.",
        ],
    ),
    (
        "erase = \"S6Z2NJ0W123456\"",
        "",
        &[
            "7: disk.erase: Installing erases the disk, which this file does not allow. | Add its \
             serial number: erase = \"...\"; or erase_any_matching = true.",
        ],
    ),
    (
        "erase = \"S6Z2NJ0W123456\"",
        "erase_any_matching = false",
        &[
            "7: disk.erase: Installing erases the disk, which this file does not allow. | Add its \
             serial number: erase = \"...\"; or erase_any_matching = true.",
        ],
    ),
    (
        "erase = \"S6Z2NJ0W123456\"",
        "erase = \"S6Z2NJ0W123457\"",
        &[
            "14: disk.erase: It is another serial number than serial, so no disk could match. | \
             Write the same number twice.",
        ],
    ),
    (
        "erase = \"S6Z2NJ0W123456\"",
        "erase = true",
        &[
            "14: disk.erase: This is true, not a string. | Write it like this: \
             erase = \"S6Z2NJ0W123456\"",
        ],
    ),
    (
        "erase = \"S6Z2NJ0W123456\"",
        "erase = \"S6Z2NJ0W123456\"\nerase_any_matching = true",
        &[
            "15: disk.erase_any_matching: It contradicts erase, which allows one disk only. | \
             Leave one of the two out.",
        ],
    ),
    (
        "erase = \"S6Z2NJ0W123456\"",
        "erase_any_matching = \"yes\"",
        &[
            "14: disk.erase_any_matching: This is the string \"yes\", not true or false. | Write \
             it like this: erase_any_matching = true",
        ],
    ),
    (
        "host_name = \"db-1\"",
        "host_name = \"DB 1\"",
        &[
            "17: settings.host_name: Only small letters, digits and dashes are allowed. | Write \
             it like this: host_name = \"db-1\"",
        ],
    ),
    (
        "node_name = \"node-1\"",
        "node_name = \"-\"",
        &[
            "18: settings.node_name: A name neither begins nor ends with a dash. | Write it like \
             this: node_name = \"node-1\"",
        ],
    ),
    (
        "data_partitions = 1",
        "data_partitions = 9",
        &[
            "19: settings.data_partitions: Write a number from 1 to 8. | Write it like this: \
             data_partitions = 1",
        ],
    ),
    (
        "data_partitions = 1",
        "data_partitions = {}",
        &[
            "19: settings.data_partitions: This is a table, not an integer. | Write it like this: \
             data_partitions = 1",
        ],
    ),
    (
        "reserved = \"10 GiB\"",
        "reserved = \"10 G\"",
        &[
            "20: settings.reserved: Write a size like 10 GiB or 500 GB. | Write it like this: \
             reserved = \"10 GiB\"",
        ],
    ),
    (
        "time_server = \"ntp.example.org\"",
        "time_server = \"a b\"",
        &[
            "21: settings.time_server: This is neither a name nor an address of a server. | Write \
             it like this: time_server = \"ntp.example.org\"",
        ],
    ),
    (
        "address = \"192.0.2.10/24\"",
        "address = \"192.0.2.10\"",
        &[
            "22: settings.address: Write dhcp, or an address like 192.0.2.10/24. | Write it like \
             this: address = \"dhcp\" or \"192.0.2.10/24\"",
        ],
    ),
    (
        "address = \"192.0.2.10/24\"",
        "address = \"dhcp\"",
        &[
            "23: settings.gateway: It is only for a fixed address; with dhcp the network says it. \
             | Leave it out, or write an address like \"192.0.2.10/24\".",
            "24: settings.name_servers: It is only for a fixed address; with dhcp the network \
             says it. | Leave it out, or write an address like \"192.0.2.10/24\".",
        ],
    ),
    (
        "gateway = \"192.0.2.1\"",
        "gateway = \"192.0.3.1\"",
        &[
            "23: settings.gateway: It is not in the network of 192.0.2.10/24. | Write it like \
             this: gateway = \"192.0.2.1\"",
        ],
    ),
    (
        "name_servers = [\"192.0.2.53\", \"198.51.100.53\"]",
        "name_servers = [\"dns\"]",
        &[
            "24: settings.name_servers: \"dns\" is not an address like 192.0.2.1. | Write it like \
             this: name_servers = [\"192.0.2.53\"]",
        ],
    ),
    (
        "name_servers = [\"192.0.2.53\", \"198.51.100.53\"]",
        "name_servers = \"192.0.2.53\"",
        &[
            "24: settings.name_servers: This is the string \"192.0.2.53\", not an array of \
             strings. | Write it like this: name_servers = [\"192.0.2.53\"]",
        ],
    ),
    (
        "name_servers = [\"192.0.2.53\", \"198.51.100.53\"]",
        "name_servers = [[]]",
        &[
            "24: settings.name_servers: This is an array, not an array of strings. | Write it \
             like this: name_servers = [\"192.0.2.53\"]",
        ],
    ),
];

#[test]
fn each_mistake_is_told_with_its_line() {
    for (line, instead, expected) in ROWS {
        assert_eq!(mistakes(&with(line, instead)), *expected, "{instead}");
    }
}

#[test]
fn tables_that_are_missing_or_no_tables() {
    let top = "version = 1\ntask = \"install\"\n";
    let rows: [(&str, &[&str]); 5] = [
        (
            "",
            &[
                "1: disk: This table is missing. | It says which disk: [disk], and below it a key \
                 such as serial.",
            ],
        ),
        (
            "[disk]\nerase = \"X\"\n",
            &[
                "3: disk: It says nothing that tells a disk from others. | Add at least one of \
                 serial, wwn, model, bus, min_size, max_size.",
            ],
        ),
        (
            "disk = \"sda\"\n",
            &[
                "3: disk: This is the string \"sda\", not a table. | Write [disk] on a line of its \
                 own, and its keys below it.",
            ],
        ),
        (
            "[[disk]]\nserial = \"X\"\nerase = \"X\"\n",
            &[
                "3: disk: This is an array, not a table. | Write [disk] on a line of its own, and \
                 its keys below it.",
            ],
        ),
        (
            "settings = 1\n[disk]\nserial = \"X\"\nerase = \"X\"\n",
            &[
                "3: settings: This is the integer 1, not a table. | Write [settings] on a line of \
                 its own, and its keys below it.",
            ],
        ),
    ];
    for (rest, expected) in rows {
        assert_eq!(mistakes(&format!("{top}{rest}")), expected, "{rest}");
    }
}

#[test]
fn an_empty_file_lacks_everything_that_is_needed() {
    assert_eq!(
        mistakes(""),
        [
            "1: version: This key is missing. | Write it like this: version = 1",
            "1: task: This key is missing. | Write it like this: task = \"install\"",
            "1: disk: This table is missing. | It says which disk: [disk], and below it a key \
             such as serial.",
        ]
    );
}

/// Every line that a row of [`ROWS`] spoils by itself, spoiled at once: all is told, none twice.
#[test]
fn all_mistakes_are_told_at_once() {
    let mut text = GOOD.to_owned();
    let mut expected = Vec::new();
    for (line, instead, said) in ROWS {
        // Rows that are about one value, whatever the others are.
        let is_one = said.len() == 1 && !said[0].contains("no disk could match");
        let is_apart = is_one && !instead.is_empty() && !instead.contains('\n');
        let is_about_others = ["version", "address", "erase"]
            .iter()
            .any(|start| line.starts_with(start));
        if is_apart && !is_about_others && text.contains(line) {
            text = text.replacen(line, instead, 1);
            expected.extend(said.iter().map(|said| (*said).to_owned()));
        }
    }
    expected.sort_by_key(|said| said.split(':').next().unwrap().parse::<usize>().unwrap());
    assert!(expected.len() > 12, "{}", expected.len());
    assert_eq!(mistakes(&text), expected);
}

#[test]
fn a_file_that_is_no_toml_is_told_all_that_is_certain() {
    const HINT: &str = "A line is a [table], or key = value with \"quotation marks\" around text.";
    let text = with("host_name = \"db-1\"", "host_name = db-1")
        .replace("bus = \"NVMe\"", "bus \"NVMe\"")
        .replace(
            "node_name = \"node-1\"",
            "node_name = \"Node\"\nnode_name = \"x\"",
        )
        .replace("[disk]", "[disc]");
    assert_eq!(
        mistakes(&text),
        [
            format!("11: This is not TOML: key with no value, expected `=`. | {HINT}"),
            format!(
                "17: This is not TOML: string values must be quoted, expected literal string. | \
                 {HINT}"
            ),
            "18: settings.node_name: Only small letters, digits and dashes are allowed. | Write \
             it like this: node_name = \"node-1\""
                .to_owned(),
            format!("19: This is not TOML: duplicate key. | {HINT}"),
        ]
    );
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let text = format!("# {}\n", "x".repeat(LARGEST));
    assert_eq!(
        mistakes(&text),
        [
            "1: file: The file has more than 65536 bytes. | An answer file is some lines of text; \
             is this one?"
        ]
    );
}

/// Spoils the right file in every way that one byte can; whatever it is, it is right, or at least
/// one mistake is told, in a line that there is.
#[test]
fn whatever_a_file_holds_is_told() {
    let lines = GOOD.lines().count() + 1;
    let mut right = 0;
    for at in 0..GOOD.len() {
        for byte in [b'"', b'=', b'[', b'\n', b'\\', b'#', b'0'] {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at] = byte;
            let text = String::from_utf8(bytes).unwrap();
            match parse(&text) {
                Ok(_) => right += 1,
                Err(mistakes) => {
                    assert!(!mistakes.is_empty(), "{text}");
                    assert!(mistakes.is_sorted_by_key(|it| it.line), "{text}");
                    for mistake in mistakes {
                        assert!((1..=lines + 1).contains(&mistake.line), "{mistake}\n{text}");
                    }
                }
            }
        }
    }
    // In comments and between words.
    assert!((100..2000).contains(&right), "{right}");
}
