//! Answer files that are right, and what a person is told who checks one.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use common::recovery_key::RecoveryKey;
use installer::answers::{
    Answers, Consent, Ending, Erase, Extreme, LARGEST, Rule, check, ending_on_error, parse, summary,
};
use installer::hardware::Bus;
use installer::install::{Address, Changes, Encryption, Enrolment, Settings, Task};
use support::compare_golden;

const GOOD: &str = include_str!("answers/good.toml");

/// The least that a file says.
const LEAST: &str = "version = 1\ntask = \"install\"\n[disk]\nbus = \"NVMe\"\nerase = \"X\"\n";

/// A file that is right, but for these lines in place of `line`.
fn with(line: &str, instead: &str) -> String {
    assert!(GOOD.contains(line), "{line}");
    GOOD.replace(line, instead)
}

fn mistakes(text: &str) -> Vec<String> {
    let mistakes = parse(text).unwrap_err().into_iter();
    mistakes.map(|it| format!("{it} | {}", it.hint)).collect()
}

#[test]
fn every_key_is_read() {
    let expected = Answers {
        task: Task::Install,
        rule: Rule {
            serial: Some("S6Z2NJ0W123456".to_owned()),
            wwn: Some("eui.0025385b21404321".to_owned()),
            model: Some("Samsung SSD 990*".to_owned()),
            bus: Some(Bus::Nvme),
            min_size: Some(500_000_000_000),
            max_size: Some(2_100_000_000_000),
            removable: Some(false),
            empty: false,
            extreme: None,
        },
        beside: false,
        erase: Some(Erase::Serial("S6Z2NJ0W123456".to_owned())),
        consent: Consent::default(),
        ignore_requirements: false,
        allow_downgrade: false,
        secure_boot: Enrolment::Leave,
        settings: Settings {
            host_name: "db-1".to_owned(),
            node_name: "node-1".to_owned(),
            data_partitions: 1,
            reserved: 10 << 30,
            time_server: Some("ntp.example.org".to_owned()),
            address: Address::Static {
                address: IpAddr::from([192, 0, 2, 10]),
                prefix: 24,
                gateway: Some(IpAddr::from([192, 0, 2, 1])),
                name_servers: vec![
                    IpAddr::from([192, 0, 2, 53]),
                    IpAddr::from([198, 51, 100, 53]),
                ],
            },
        },
        encryption: None,
        changes: Changes {
            host_name: Some("db-1".to_owned()),
            node_name: Some("node-1".to_owned()),
            time_server: Some(Some("ntp.example.org".to_owned())),
            address: None,
        },
        on_success: Ending::Reboot,
        on_error: Ending::Wait,
        countdown: 30,
    };
    let mut expected = expected;
    expected.changes.address = Some(expected.settings.address.clone());
    assert_eq!(parse(GOOD), Ok(expected.clone()));
    // As Notepad writes it.
    let windows = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    assert_eq!(parse(&windows), Ok(expected));
}

#[test]
fn what_is_not_said_is_as_usual() {
    let answers = parse(LEAST).unwrap();
    assert_eq!(answers.settings, Settings::default());
    assert_eq!(answers.on_success, Ending::Reboot);
    assert_eq!(answers.on_error, Ending::Wait);
    assert_eq!(answers.consent, Consent::default());
    assert_eq!(answers.countdown, 10);
    let any = LEAST.replace("erase = \"X\"", "erase_any_matching = true");
    assert_eq!(parse(&any).unwrap().erase, Some(Erase::AnyMatching));
    let both = LEAST.replace("erase = \"X\"", "erase = \"X\"\nerase_any_matching = false");
    assert_eq!(parse(&both).unwrap(), answers);
    let no = "erase = \"X\"\nreplace_installation = false\nerase_foreign_data = false\nempty = false\nlargest = false";
    let no = LEAST.replace("erase = \"X\"", no);
    assert_eq!(parse(&no).unwrap(), answers);
}

#[test]
fn data_are_encrypted_as_the_file_says() {
    let settings = |lines: &str| format!("{LEAST}[settings]\n{lines}");
    let words = "letter advice cage absurd amount doctor acoustic avoid letter advice cage above";
    let text = settings(&format!(
        "encryption = \"tpm+passphrase\"\npassphrase = \"correct horse\"\nrecovery_key = \"{words}\"\n"
    ));
    let expected = Encryption {
        tpm: true,
        passphrase: Some("correct horse".to_owned().into()),
        recovery: RecoveryKey::parse(words).ok(),
    };
    let found = parse(&text).unwrap();
    assert_eq!(found.encryption, Some(expected));
    assert!(!summary(&found).contains("horse") && !summary(&found).contains("advice"));
    let text = settings("encryption = \"tpm\"\nrecovery_key = \"show\"\n");
    let shown = Encryption {
        tpm: true,
        passphrase: None,
        recovery: None,
    };
    assert_eq!(parse(&text).unwrap().encryption, Some(shown));
    for lines in ["", "encryption = \"none\"\n"] {
        assert_eq!(parse(&settings(lines)).unwrap().encryption, None);
    }
}

#[test]
fn what_is_wrong_about_encryption_is_told_without_what_is_secret() {
    for (lines, expected) in [
        (
            "encryption = \"luks\"",
            "7: settings.encryption: \"luks\" is none of \"none\", \"tpm\", \"passphrase\", \"tpm+passphrase\". | \
             Write it like this: encryption = \"tpm\"",
        ),
        (
            "encryption = \"tpm\"",
            "7: settings.recovery_key: This key is missing, as encryption is \"tpm\". | Write it like this: \
             recovery_key = \"show\"",
        ),
        (
            "encryption = \"passphrase\"\nrecovery_key = \"show\"",
            "7: settings.passphrase: This key is missing, as encryption is \"passphrase\". | Write it like this: \
             passphrase = \"correct horse battery\"",
        ),
        (
            "passphrase = \"hunter2 hunter2\"",
            "7: settings.passphrase: Nothing asks for it, as encryption is \"none\". | Leave it out, or change \
             encryption.",
        ),
        (
            "encryption = \"passphrase\"\nrecovery_key = \"show\"\npassphrase = \"hunter2\"",
            "9: settings.passphrase: At least 12 characters are needed. | Write it like this: passphrase = \
             \"correct horse battery\"",
        ),
        (
            "encryption = \"passphrase\"\nrecovery_key = \"show\"\npassphrase = 170899",
            "9: settings.passphrase: This is something else, not a string. | Write it like this: passphrase = \
             \"correct horse battery\"",
        ),
        (
            "encryption = \"tpm\"\nrecovery_key = \"letter advise\"",
            "8: settings.recovery_key: A recovery key has 12 words, and these are 2. | Write it like this: \
             recovery_key = \"show\"",
        ),
    ] {
        assert_eq!(
            mistakes(&format!("{LEAST}[settings]\n{lines}\n")),
            [expected]
        );
    }
}

#[test]
fn what_is_allowed_and_what_is_compared_is_read() {
    let keys = [
        ("replace_installation", (true, false), None),
        ("erase_foreign_data", (false, true), None),
        ("largest", (false, false), Some(Extreme::Largest)),
        ("smallest", (false, false), Some(Extreme::Smallest)),
    ];
    for (key, (installation, foreign), extreme) in keys {
        let answers = parse(&format!("{LEAST}{key} = true\n")).unwrap();
        let consent = Consent {
            installation,
            foreign,
        };
        assert_eq!((answers.consent, answers.rule.extreme), (consent, extreme));
    }
}

#[test]
fn tasks_that_erase_nothing() {
    for (name, task) in [
        ("keep-data", Task::KeepData),
        ("repair-boot", Task::RepairBoot),
    ] {
        let text = format!("version = 1\ntask = \"{name}\"\ndisk.bus = \"scsi\"\n");
        let answers = parse(&text).unwrap();
        assert_eq!((answers.task, answers.erase), (task, None));
        let text = format!("{text}disk.erase = \"X\"\nsettings.host_name = \"x\"\n");
        assert_eq!(
            mistakes(&text),
            [
                "4: disk.erase: This task erases nothing. | Leave it out.",
                "5: settings: This task keeps the settings that are on the disk. | Leave this \
                 table out, or use task = \"change-settings\"."
            ]
        );
        let text = format!(
            "version = 1\ntask = \"{name}\"\ndisk = {{bus = \"FC\", erase_any_matching = true}}\n"
        );
        assert_eq!(
            mistakes(&text),
            ["3: disk.erase_any_matching: This task erases nothing. | Leave it out."]
        );
    }
}

#[test]
fn a_file_with_mistakes_still_says_how_it_ends() {
    let too_large = format!("on_error = \"reboot\"\n#{}", "x".repeat(LARGEST));
    let rows: [(&[u8], Ending); 8] = [
        (b"on_error = \"poweroff\"\ntask = 3\n", Ending::PowerOff),
        (b"task = install\non_error = \"reboot\"\n", Ending::Reboot),
        (b"on_error = \"reboot\"\n# Gr\xfc\xdfe\n", Ending::Reboot),
        (b"on_error = \"explode\"\n", Ending::Wait),
        (b"on_error = 1\n", Ending::Wait),
        (b"version = 1\n", Ending::Wait),
        (b"version\non_error = \"poweroff\"\n", Ending::PowerOff),
        (too_large.as_bytes(), Ending::Wait),
    ];
    for (bytes, ending) in rows {
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(ending_on_error(bytes), ending, "{text}");
    }
}

#[test]
fn a_world_wide_name_may_be_written_as_lsblk_writes_it() {
    for (written, read) in [
        ("0x5000c500a1b2c3d4", "naa.5000c500a1b2c3d4"),
        ("eui.0025385b21404321", "eui.0025385b21404321"),
    ] {
        let text = LEAST.replace("bus = \"NVMe\"", &format!("wwn = \"{written}\""));
        assert_eq!(parse(&text).unwrap().rule.wwn.as_deref(), Some(read));
    }
}

/// What a check says of `text`, as `install.toml`.
fn verdict(text: &[u8]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("install.toml");
    fs::write(&path, text).unwrap();
    let verdict = check(&path);
    let shown = format!("{}/", folder.path().display());
    (verdict.good, verdict.text.replace(&shown, ""))
}

#[test]
fn a_check_says_what_a_good_file_does() {
    let keep = "version = 1\ntask = \"keep-data\"\non_error = \"poweroff\"\n[disk]\nwwn = \"x\"\n";
    let repair = keep.replace("keep-data", "repair-boot");
    let any = LEAST.replace("erase = \"X\"", "erase_any_matching = true");
    let fixed = format!("{LEAST}[settings]\naddress = \"2001:db8::10/64\"\n");
    let empty = LEAST.replace(
        "bus",
        "empty = true\nsmallest = true\nremovable = true\nbus",
    );
    let foreign = format!("{LEAST}erase_foreign_data = true\n");
    let again = format!("{LEAST}replace_installation = true\n");
    let texts = [GOOD, &any, &fixed, keep, &repair, &empty, &foreign, &again];
    let said: Vec<String> = texts
        .map(|text| verdict(text.as_bytes()))
        .into_iter()
        .map(|(good, said)| {
            assert!(good, "{said}");
            said
        })
        .collect();
    compare_golden("../answers/summary.txt", &said.join("\n")).unwrap();
}

#[test]
fn a_check_says_what_is_wrong() {
    let text = with("task = \"install\"", "task = \"go\"").replace("= \"NVMe\"", "= 1");
    assert_eq!(
        verdict(text.as_bytes()),
        (
            false,
            "install.toml:3: task: \"go\" is none of \"install\", \"keep-data\", \
             \"repair-boot\", \"change-settings\".\n  hint: Write it like this: task = \"install\"\n\
             install.toml:12: disk.bus: This is the integer 1, not a string.\n  hint: Write it \
             like this: bus = \"NVMe\"\n"
                .to_owned()
        )
    );
    assert_eq!(
        verdict(b"# \xff\n"),
        (
            false,
            "install.toml:1: This is not UTF-8 text.\n  hint: Save the file as UTF-8.\n".to_owned()
        )
    );
    let missing = check(Path::new("/nowhere/install.toml"));
    assert_eq!(
        missing.text,
        "/nowhere/install.toml: This file cannot be read: it does not exist.\n  hint: Name a file \
         that is there, and that you may read.\n"
    );
}

#[test]
fn the_program_checks_a_file_and_says_so_in_its_exit_status() {
    let run = |arguments: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_installer"));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers");
        let done = program
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        (done.status.code(), said)
    };
    let (status, said) = run(&["--check-answers", "good.toml"]);
    assert_eq!(status, Some(0));
    assert!(
        said.starts_with("good.toml: this file is right.\n"),
        "{said}"
    );
    let (status, said) = run(&["--check-answers", "images.rs"]);
    assert_eq!(status, Some(1));
    assert!(
        said.starts_with("images.rs:1: This is not TOML: "),
        "{said}"
    );
    for arguments in [&["--check-answers"][..], &["--check-answers", "a", "b"]] {
        assert_eq!(run(arguments), (Some(2), String::new()));
    }
}
