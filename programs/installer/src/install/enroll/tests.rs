//! Keys for a firmware whose variables lie in a folder, as they were given to it.

use std::fs;

use super::*;
use crate::hardware::secure_boot_tests::{GLOBAL, list, machine, set, signed};
use common::product::product;

/// A program with signatures of these certificates.
fn program(certificates: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    bytes[60] = 64;
    let table = certificates.concat();
    let entry = 64 + 24 + 112 + 4 * 8;
    bytes[entry..entry + 4].copy_from_slice(&512_u32.to_le_bytes());
    let length = u32::try_from(table.len()).unwrap();
    bytes[entry + 4..entry + 8].copy_from_slice(&length.to_le_bytes());
    bytes.extend(table);
    bytes
}

fn carry(root: &Path, program: &[u8]) {
    let file = root.join("payload").join(&product().medium.payload);
    fs::create_dir_all(root.join("payload")).unwrap();
    fs::write(&file, program).unwrap();
    let digest = format!("{}.sha256", file.display());
    fs::write(digest, common::digest::sha256(program)).unwrap();
}

/// A machine in setup mode, and a medium with keys and what they have signed.
fn signed_machine() -> tempfile::TempDir {
    let root = machine();
    carry(root.path(), &program(&[b"signer of others", b"db"]));
    root
}

/// What the firmware was given for a variable.
fn given(root: &Path, variable: KeyVariable) -> Option<Vec<u8>> {
    fs::read(variable.file(root)).ok()
}

fn with_attributes(bytes: &[u8]) -> Vec<u8> {
    [&[0x27, 0, 0, 0], bytes].concat()
}

#[test]
fn the_firmware_gets_each_key_as_the_medium_carries_it() {
    let root = signed_machine();
    let note = enroll(root.path(), Enrolment::Enroll).unwrap();
    assert_eq!(
        note,
        "The firmware has the keys of this medium now: from the next start on, Secure Boot is on and lets nothing \
         start but what they have signed."
    );
    for (variable, name) in [
        (KeyVariable::Db, b"db".as_slice()),
        (KeyVariable::Kek, b"KEK"),
        (KeyVariable::Pk, b"PK"),
    ] {
        let expected = with_attributes(&signed(name));
        assert_eq!(given(root.path(), variable), Some(expected), "{variable:?}");
    }
    assert_eq!(given(root.path(), KeyVariable::Dbx), None);
}

#[test]
fn keys_of_the_maker_stay_beside_them_and_so_does_what_he_has_revoked() {
    let root = signed_machine();
    for (name, content) in [("db", "maker"), ("KEK", "maker's KEK"), ("dbx", "revoked")] {
        set(
            root.path(),
            &format!("{name}Default"),
            GLOBAL,
            &list(content.as_bytes()),
        );
    }
    let note = enroll(root.path(), Enrolment::EnrollWithFirmware).unwrap();
    assert!(
        note.ends_with("that came with this computer have signed."),
        "{note}"
    );
    let header = &signed(b"")[..24];
    for (variable, content) in [
        (KeyVariable::Db, [list(b"db"), list(b"maker")].concat()),
        (
            KeyVariable::Kek,
            [list(b"KEK"), list(b"maker's KEK")].concat(),
        ),
        (KeyVariable::Dbx, list(b"revoked")),
    ] {
        let found = given(root.path(), variable).unwrap();
        assert_eq!(
            found[..20],
            with_attributes(header)[..20],
            "the time is that of the medium's"
        );
        assert_eq!(found[20..24], [24, 0, 0, 0], "there is no signature");
        assert_eq!(found[44..], content, "{variable:?}");
    }
    let expected = with_attributes(&signed(b"PK"));
    assert_eq!(given(root.path(), KeyVariable::Pk), Some(expected));
}

/// Whatever the firmware refuses, what ends setup mode is not there, and the next time goes on.
#[test]
fn what_ends_setup_mode_comes_last() {
    let order = [KeyVariable::Db, KeyVariable::Kek, KeyVariable::Pk];
    for (index, variable) in order.into_iter().enumerate() {
        let root = signed_machine();
        let file = variable.file(root.path());
        std::os::unix::fs::symlink("nowhere/at/all", &file).unwrap();
        let problem = enroll(root.path(), Enrolment::Enroll).unwrap_err();
        let start = format!("The firmware did not take the key {}: ", variable.name());
        assert!(problem.message.starts_with(&start), "{problem}");
        for (at, other) in order.into_iter().enumerate() {
            assert_eq!(given(root.path(), other).is_some(), at < index, "{other:?}");
        }
        // As a firmware keeps it.
        for done in &order[..index] {
            let content = signed(done.name().as_bytes())[29 + 16..].to_vec();
            fs::write(
                done.file(root.path()),
                [&[0x27, 0, 0, 0], &content[..]].concat(),
            )
            .unwrap();
        }
        fs::remove_file(file).unwrap();
        enroll(root.path(), Enrolment::Enroll).unwrap();
        assert!(given(root.path(), KeyVariable::Pk).is_some());
    }
}

#[test]
fn outside_of_setup_mode_nothing_is_written() {
    let root = signed_machine();
    for value in [&[0][..], &[]] {
        set(root.path(), "SetupMode", GLOBAL, value);
        let problem = enroll(root.path(), Enrolment::Enroll).unwrap_err();
        assert_eq!(
            problem.message,
            "The firmware is not in setup mode, so it was given no keys."
        );
    }
    set(root.path(), "PK", GLOBAL, &list(b"PK"));
    let note = enroll(root.path(), Enrolment::Enroll).unwrap();
    assert_eq!(note, "The firmware had the keys of this medium already.");
    assert_eq!(given(root.path(), KeyVariable::Db), None);
}

/// Nobody is left with a machine that does not start what was installed on it.
#[test]
fn keys_that_have_not_signed_what_is_installed_are_not_enrolled() {
    let unsigned = "What is installed is not signed by this medium's db key, so no keys were enrolled: the firmware \
                    would not have started it.";
    let good = program(&[b"db"]);
    for content in [
        program(&[]),
        program(&[b"another"]),
        good[..400].to_vec(),
        Vec::new(),
    ] {
        let root = machine();
        carry(root.path(), &content);
        let problem = enroll(root.path(), Enrolment::Enroll).unwrap_err();
        assert_eq!(problem.message, unsigned);
        assert_eq!(given(root.path(), KeyVariable::Db), None);
    }
    // shim is started by the firmware, too.
    let root = machine();
    carry(root.path(), &good);
    for (name, content) in [
        ("shimx64.efi", program(&[b"maker"])),
        ("mmx64.efi", Vec::new()),
    ] {
        fs::write(root.path().join("payload").join(name), content).unwrap();
    }
    let problem = enroll(root.path(), Enrolment::Enroll).unwrap_err();
    assert_eq!(problem.message, unsigned);
}

#[test]
fn a_medium_without_keys_says_so() {
    let root = signed_machine();
    fs::remove_file(root.path().join("etc/secure-boot/KEK.auth")).unwrap();
    let problem = enroll(root.path(), Enrolment::Enroll).unwrap_err();
    assert_eq!(
        problem.message,
        "This medium carries no KEK for the firmware, so no keys were enrolled."
    );
}

#[test]
fn what_a_firmware_refuses_is_told_in_words() {
    let rows = [
        (rustix::io::Errno::INVAL, "it calls the value invalid"),
        (
            rustix::io::Errno::ACCESS,
            "it does not accept the signature, or lets nobody write",
        ),
        (
            rustix::io::Errno::PERM,
            "it does not accept the signature, or lets nobody write",
        ),
        (
            rustix::io::Errno::NOSPC,
            "it has no room left for variables",
        ),
        (rustix::io::Errno::ROFS, "its variables are read-only"),
        (rustix::io::Errno::IO, "Input/output error (os error 5)"),
    ];
    for (errno, why) in rows {
        let problem = refused(KeyVariable::Kek, &errno.into());
        assert_eq!(
            problem.message,
            format!(
                "The firmware did not take the key KEK: {why}. It stays in setup mode, and Secure Boot stays off."
            )
        );
    }
}
