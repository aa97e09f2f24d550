use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;

/// A header as cryptsetup 2.7.5 and systemd-cryptenroll 257 leave it, with what is not read left out.
const JSON: &str = r#"{
  "keyslots": {"0": {"type": "luks2"}, "1": {"type": "luks2"}, "3": {"type": "luks2"}},
  "tokens": {
    "0": {"type": "systemd-recovery", "keyslots": ["0"]},
    "2": {"type": "systemd-tpm2", "keyslots": ["3"], "tpm2-blob": "AJ4A", "tpm2-pcrs": [7, 12],
          "tpm2-pcr-bank": "sha256", "tpm2_pubkey_pcrs": [11], "tpm2_pubkey": "LS0t"}
  },
  "segments": {}, "digests": {}, "config": {}
}"#;

/// The header's bytes, of which `change` makes others before its checksum is taken.
fn header(json: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![0; 16_384];
    bytes[..8].copy_from_slice(b"LUKS\xba\xbe\0\x02");
    bytes[8..16].copy_from_slice(&16_384_u64.to_be_bytes());
    bytes[24..36].copy_from_slice(b"EXAMPLE_DATA");
    bytes[72..78].copy_from_slice(b"sha256");
    bytes[168..204].copy_from_slice(b"11111111-2222-3333-4444-555555555555");
    bytes[4096..4096 + json.len()].copy_from_slice(json.as_bytes());
    change(&mut bytes);
    let checksum = Sha256::digest(&bytes);
    bytes[448..480].copy_from_slice(&checksum);
    bytes
}

fn tokens(json: &str) -> BTreeMap<String, serde_json::Value> {
    let area: serde_json::Value = serde_json::from_str(json).unwrap();
    serde_json::from_value(area["tokens"].clone()).unwrap()
}

fn read(bytes: &[u8]) -> Option<Header> {
    Header::read(&mut &*bytes).unwrap()
}

#[test]
fn a_header_says_what_opens_it() {
    let expected = Header {
        label: "EXAMPLE_DATA".to_owned(),
        uuid: "11111111-2222-3333-4444-555555555555".to_owned(),
        tpm: Some(TpmToken {
            pcrs: vec![7, 12],
            signed_pcrs: vec![11],
        }),
        has_recovery: true,
        has_passphrase: true,
        tokens: tokens(JSON),
    };
    assert_eq!(read(&header(JSON, |_| {})), Some(expected.clone()));
    let without = JSON.replace(r#""1": {"type": "luks2"}, "#, "");
    let expected = Header {
        has_passphrase: false,
        ..expected
    };
    assert_eq!(read(&header(&without, |_| {})), Some(expected));
    let nothing = r#"{"keyslots": {}, "tokens": {}}"#;
    let found = read(&header(nothing, |_| {})).unwrap();
    assert_eq!((found.tpm, found.has_recovery), (None, false));
}

#[test]
fn what_is_no_header_or_a_damaged_one_is_none() {
    let good = header(JSON, |_| {});
    for at in [0, 7, 30, 80, 200, 450, 4200, 16_000] {
        let mut spoilt = good.clone();
        spoilt[at] ^= 1;
        assert_eq!(read(&spoilt), None, "{at}");
    }
    let changes: [fn(&mut Vec<u8>); 4] = [
        |it| it[7] = 1,            // LUKS1
        |it| it[8..16].fill(0xff), // larger than any
        |it| it[8..16].fill(0),    // no room for itself
        |it| it[4096] = b'[',      // no JSON
    ];
    for change in changes {
        assert_eq!(read(&header(JSON, change)), None);
    }
    assert_eq!(read(&[]), None);
    assert!(Header::read(&mut &good[..5000]).is_err(), "it is cut off");
}

/// A system whose program `name` writes down what it is told, and ends with `code`.
fn system(name: &str, code: i32) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let folder = root.path().display();
    let script = format!(
        "#!/bin/sh\necho \"$@\" \"[$DM_DISABLE_UDEV$HOME]\" >> {folder}/told\n/bin/cat >> {folder}/input\n\
         echo one thing >&2\necho another >&2\nexit {code}\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    root
}

fn text(root: &TempDir, name: &str) -> String {
    fs::read_to_string(root.path().join(name)).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

#[test]
fn secrets_go_through_the_pipe_and_nowhere_else() {
    let root = system(CRYPTSETUP, 0);
    let volume = Volume::new(root.path(), "/dev/sda2");
    let key = RecoveryKey::generate().unwrap();
    volume.format("EXAMPLE_DATA", "1-2", &key).unwrap();
    volume
        .add_passphrase(key.passphrase(), &secret("correct horse"))
        .unwrap();
    assert!(volume.open("data", &secret("correct horse")).unwrap());
    Volume::close(root.path(), "data").unwrap();
    let words = key.passphrase().reveal();
    assert_eq!(
        text(&root, "told"),
        format!(
            "luksFormat --batch-mode --type=luks2 --cipher=aes-xts-plain64 --key-size=512 --hash=sha256 \
             --pbkdf=pbkdf2 --pbkdf-force-iterations 1000 --sector-size=4096 --offset 32768 --label EXAMPLE_DATA \
             --uuid 1-2 --key-slot=0 --key-file=- /dev/sda2 [1]\n\
             token import --token-id=0 --json-file=- /dev/sda2 [1]\n\
             luksAddKey --batch-mode --pbkdf=argon2id --pbkdf-parallel=1 --pbkdf-memory 65536 --iter-time 500 \
             --key-file=- --keyfile-size {} --new-keyfile=- --new-keyfile-size 13 /dev/sda2 [1]\n\
             open --type=luks2 --key-file=- /dev/sda2 data [1]\n\
             close data [1]\n",
            words.len()
        )
    );
    let token = r#"{"type":"systemd-recovery","keyslots":["0"]}"#;
    assert_eq!(
        text(&root, "input"),
        format!("{words}{token}{words}correct horsecorrect horse")
    );
}

#[test]
fn a_tpm_gets_a_key_by_what_opens_the_data_already() {
    let root = system(ENROLL, 0);
    let volume = Volume::new(root.path(), "/dev/sda2");
    let public_key = Path::new("/.extra/tpm2-pcr-public-key.pem");
    let binding = |pcrs| Binding { pcrs, public_key };
    let by = secret("correct horse");
    volume.enroll_tpm(By::Secret(&by), binding(&[])).unwrap();
    volume.enroll_tpm(By::Tpm, binding(&[7, 12])).unwrap();
    volume.wipe_tpm().unwrap();
    let rest = "--tpm2-public-key=/.extra/tpm2-pcr-public-key.pem --tpm2-public-key-pcrs=11 --wipe-slot=tpm2 \
                /dev/sda2 [1]";
    assert_eq!(
        text(&root, "told"),
        format!(
            "--unlock-key-file=/proc/self/fd/0 --tpm2-device=/dev/tpmrm0 --tpm2-pcrs= {rest}\n\
             --unlock-tpm2-device=/dev/tpmrm0 --tpm2-device=/dev/tpmrm0 --tpm2-pcrs=7+12 {rest}\n\
             --wipe-slot=tpm2 /dev/sda2 [1]\n"
        )
    );
    assert_eq!(text(&root, "input"), "correct horse");

    let root = system(UNLOCK, 0);
    let volume = Volume::new(root.path(), "/dev/sda2");
    volume
        .open_by_tpm("data", Path::new("/.extra/tpm2-pcr-signature.json"))
        .unwrap();
    assert_eq!(
        text(&root, "told"),
        "attach data /dev/sda2 - luks,headless=yes,token-timeout=0,tpm2-device=/dev/tpmrm0,\
         tpm2-signature=/.extra/tpm2-pcr-signature.json [1]\n"
    );
}

#[test]
fn what_a_program_says_at_last_is_why_it_failed() {
    for (code, opened) in [
        (2, Ok(false)),
        (5, Err("cryptsetup: another.")),
        (0, Ok(true)),
    ] {
        let root = system(CRYPTSETUP, code);
        let found = Volume::new(root.path(), "/dev/sda2").open("data", &secret("x"));
        assert_eq!(
            found.map_err(|problem| problem.message),
            opened.map_err(str::to_owned)
        );
    }
    let root = tempfile::tempdir().unwrap();
    let problem = Volume::close(root.path(), "data").unwrap_err();
    assert_eq!(
        problem.message,
        "/usr/sbin/cryptsetup cannot be run: No such file or directory (os error 2)."
    );
}

#[test]
fn only_a_tpm_of_version_2_is_one() {
    let root = tempfile::tempdir().unwrap();
    let version = root.path().join("sys/class/tpm/tpm0");
    fs::create_dir_all(&version).unwrap();
    fs::create_dir_all(root.path().join("dev")).unwrap();
    fs::write(root.path().join("dev/tpmrm0"), "").unwrap();
    for (text, expected) in [("1\n", false), ("2\n", true)] {
        fs::write(version.join("tpm_version_major"), text).unwrap();
        assert_eq!(has_tpm(root.path()), expected);
    }
    fs::remove_file(root.path().join("dev/tpmrm0")).unwrap();
    assert!(!has_tpm(root.path()));
}
