//! Encrypted data of a machine in a folder, and the programs that open them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use sha2::{Digest, Sha256};

use super::{Duration, Instant, Machine};

/// Opens what has its secret in `secret.DEVICE`, cryptsetup(8); keeps tokens in the header's JSON in `token`.
const CRYPTSETUP: &str = "#!/bin/sh\n\
    root=${0%/usr/sbin/*}\n\
    typed=$(cat)\n\
    echo \"cryptsetup $*\" >>\"$root/calls\"\n\
    case $1 in\n\
    open) while read -r secret; do [ \"$secret\" != \"$typed\" ] || break; done <\"$root/secret.${4##*/}\"\n\
        [ \"$secret\" = \"$typed\" ] || exit 2\n\
        : >\"$root/dev/mapper/$5\" ;;\n\
    close) rm \"$root/dev/mapper/$2\" ;;\n\
    token) echo \"$typed\" >\"$root/token\" ;;\n\
    esac\n";

/// Opens what `tpm.DEVICE` says: systemd-cryptsetup(8).
const ATTACH: &str = "#!/bin/sh\n\
    root=${0%/usr/bin/*}\n\
    echo \"attach $2 ${3##*/}\" >>\"$root/calls\"\n\
    [ -e \"$root/tpm.${3##*/}\" ] || { echo 'No luck.' >&2; exit 1; }\n\
    : >\"$root/dev/mapper/$2\"\n";

/// Writes down how, systemd-cryptenroll(1); it fails where `enroll` says why.
const ENROLL: &str = "#!/bin/sh\n\
    root=${0%/usr/bin/*}\n\
    echo \"enroll ${1%%=*} $3 by '$(cat)'\" >>\"$root/calls\"\n\
    cat \"$root/enroll\" >&2 && exit 1\n\
    exit 0\n";

/// A header of LUKS2 with these tokens: On-Disk Format Specification, section 2.1.
pub fn header(tokens: &str) -> Vec<u8> {
    let json = format!(r#"{{"keyslots":{{"0":{{}},"1":{{}}}},"tokens":{{{tokens}}}}}"#);
    let mut bytes = vec![0; 16_384];
    bytes[..8].copy_from_slice(b"LUKS\xba\xbe\0\x02");
    bytes[8..16].copy_from_slice(&16_384_u64.to_be_bytes());
    bytes[72..78].copy_from_slice(b"sha256");
    bytes[4096..4096 + json.len()].copy_from_slice(json.as_bytes());
    let checksum = Sha256::digest(&bytes);
    bytes[448..480].copy_from_slice(&checksum);
    bytes
}

impl Machine {
    /// Has the partition called `device` be encrypted, with these tokens; `secrets` open it.
    pub fn encrypted(&self, device: &str, tokens: &str, secrets: &[&str]) {
        fs::create_dir_all(self.path("dev/mapper")).unwrap();
        fs::write(self.path("dev").join(device), header(tokens)).unwrap();
        self.write(&format!("secret.{device}"), &(secrets.join("\n") + "\n"));
        self.program("usr/sbin/cryptsetup", CRYPTSETUP);
        self.program("usr/bin/systemd-cryptsetup", ATTACH);
        self.program("usr/bin/systemd-cryptenroll", ENROLL);
    }

    /// Gives it a TPM that holds these values, and a system that is signed for it, if it is.
    pub fn tpm(&self, pcrs: &[(u32, u8)], is_signed: bool) {
        self.write("sys/class/tpm/tpm0/tpm_version_major", "2\n");
        self.write("dev/tpmrm0", "");
        for (number, value) in pcrs {
            let value = format!("{value:02x}").repeat(32);
            self.write(&format!("sys/class/tpm/tpm0/pcr-sha256/{number}"), &value);
        }
        if is_signed {
            let pol = "fd32fa22c52cfc8e1a0c29eb38519f87084cab0b04b0d8f020a4d38b2f4e223e";
            self.write(
                ".extra/tpm2-pcr-signature.json",
                &format!(r#"{{"sha256":[{{"pcrs":[11],"pol":"{pol}"}}]}}"#),
            );
            let pem = "-----BEGIN PUBLIC KEY-----\nQUJD\n-----END PUBLIC KEY-----\n";
            self.write(".extra/tpm2-pcr-public-key.pem", pem);
        }
    }

    /// Puts somebody at the console called `name`.
    pub fn person(&self, name: &str) -> Person {
        let end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&end).unwrap();
        unlockpt(&end).unwrap();
        let path = ptsname(&end, Vec::new()).unwrap();
        let place = self.path("dev").join(name);
        let _ = fs::remove_file(&place);
        symlink(path.to_str().unwrap(), place).unwrap();
        let device = File::options()
            .read(true)
            .write(true)
            .open(path.to_str().unwrap())
            .unwrap();
        let flags = fcntl_getfl(&end).unwrap();
        fcntl_setfl(&end, flags | OFlags::NONBLOCK).unwrap();
        Person {
            end: end.into(),
            _device: device,
            seen: String::new(),
        }
    }
}

/// A person at a console.
pub struct Person {
    end: File,
    _device: File,
    seen: String,
}

impl Person {
    pub fn types(&mut self, text: &str) {
        self.end.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until `text` is there that was not seen before; returns what came until then.
    pub fn sees(&mut self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let mut bytes = [0; 4096];
            if let Ok(count) = self.end.read(&mut bytes) {
                self.seen
                    .push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            assert!(Instant::now() < deadline, "no {text:?} in {:?}", self.seen);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
