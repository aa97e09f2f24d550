//! Encrypted partitions: made, opened and bound to a TPM by the programs of cryptsetup and systemd, whose secrets
//! reach them through a pipe that is their standard input, never as arguments, files or lines of a log.
//!
//! LUKS2 On-Disk Format Specification 1.1.4; cryptsetup(8), systemd-cryptenroll(1), systemd-cryptsetup(8).

mod header;
mod tools;

use std::io::Read;
use std::path::{Path, PathBuf};

pub use header::{Header, TpmToken};

use crate::problem::Problem;
use crate::recovery_key::RecoveryKey;
use crate::secret::Secret;
use tools::{CRYPTSETUP, ENROLL, UNLOCK, run};

/// Bytes before the data: the header twice, and room for keys.
pub const DATA_OFFSET: u64 = 16 << 20;
/// Where the second header begins where the first has the usual size.
const SECOND_HEADER: usize = 0x4000;
/// Where the kernel shows what is open.
const MAPPER: &str = "/dev/mapper";
/// The TPM, with the kernel's own resource manager before it.
const TPM: &str = "/dev/tpmrm0";
/// kB that it takes to try a passphrase: a small machine has them beside all else.
const PASSPHRASE_MEMORY: u32 = 65_536;
/// Milliseconds that it takes to try a passphrase.
const PASSPHRASE_TIME: u32 = 500;
/// The fewest rounds that cryptsetup does: the key they would protect has 128 random bits.
const KEY_ROUNDS: u32 = 1000;

/// An encrypted partition, or one that is about to be.
#[derive(Clone, Debug)]
pub struct Volume<'a> {
    root: &'a Path,
    device: PathBuf,
}

/// What lets somebody do something to a volume.
#[derive(Clone, Copy, Debug)]
pub enum By<'s> {
    /// A passphrase, or the words of the recovery key.
    Secret(&'s Secret),
    /// The TPM, whose present key it is.
    Tpm,
}

/// What a TPM's key is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'b> {
    /// PCRs that have to be as they are now; none for no such.
    pub pcrs: &'b [u8],
    /// Whose signature allows other values of PCR 11: an RSA key, PEM.
    pub public_key: &'b Path,
}

impl<'a> Volume<'a> {
    /// The partition that is the block device `device`, of the system below `root`, whose programs are run.
    pub fn new(root: &'a Path, device: impl Into<PathBuf>) -> Self {
        Self {
            root,
            device: device.into(),
        }
    }

    /// Makes it an empty encrypted partition that `key` opens. What was on it is lost.
    pub fn format(&self, label: &str, uuid: &str, key: &RecoveryKey) -> Result<(), Problem> {
        let rounds = KEY_ROUNDS.to_string();
        let offset = (DATA_OFFSET / 512).to_string();
        let arguments = [
            "luksFormat",
            "--batch-mode",
            "--type=luks2",
            "--cipher=aes-xts-plain64",
            "--key-size=512",
            "--hash=sha256",
            "--pbkdf=pbkdf2",
            "--pbkdf-force-iterations",
            &rounds,
            "--sector-size=4096",
            "--offset",
            &offset,
            "--label",
            label,
            "--uuid",
            uuid,
            "--key-slot=0",
            "--key-file=-",
        ];
        self.must(CRYPTSETUP, &arguments, &[key.passphrase()])?;
        // As systemd-cryptenroll(1) marks its own: so others' tools, too, say what kind of key it is.
        let token = Secret::from(r#"{"type":"systemd-recovery","keyslots":["0"]}"#.to_owned());
        let arguments = ["token", "import", "--token-id=0", "--json-file=-"];
        self.must(CRYPTSETUP, &arguments, &[&token])
    }

    /// Adds a passphrase, by what opens it already. Trying it takes [`PASSPHRASE_TIME`] on this machine.
    pub fn add_passphrase(&self, by: &Secret, passphrase: &Secret) -> Result<(), Problem> {
        let [old, new] = [by, passphrase].map(|it| it.reveal().len().to_string());
        let [memory, time] = [PASSPHRASE_MEMORY, PASSPHRASE_TIME].map(|it| it.to_string());
        let arguments = [
            "luksAddKey",
            "--batch-mode",
            "--pbkdf=argon2id",
            "--pbkdf-parallel=1",
            "--pbkdf-memory",
            &memory,
            "--iter-time",
            &time,
            // One behind the other in the same pipe.
            "--key-file=-",
            "--keyfile-size",
            &old,
            "--new-keyfile=-",
            "--new-keyfile-size",
            &new,
        ];
        self.must(CRYPTSETUP, &arguments, &[by, passphrase])
    }

    /// Opens it as `/dev/mapper/NAME` by a secret; whether that was the right one.
    pub fn open(&self, name: &str, secret: &Secret) -> Result<bool, Problem> {
        let arguments = ["open", "--type=luks2", "--key-file=-"];
        let said = run(
            self.root,
            CRYPTSETUP,
            &arguments,
            &[self.device.as_path(), Path::new(name)],
            &[secret],
        )?;
        // cryptsetup(8), "RETURN CODES": no permission, which is a bad passphrase.
        if said.code == Some(2) {
            return Ok(false);
        }
        said.success().map(|()| true)
    }

    /// Opens it as `/dev/mapper/NAME` by the TPM, if what was measured allows it; fails with why not. `signature`
    /// is what allows values of PCR 11, a file of `systemd-measure`.
    pub fn open_by_tpm(&self, name: &str, signature: &Path) -> Result<(), Problem> {
        // Nobody is asked: who asks for a key here knows more of why.
        let options = format!(
            "luks,headless=yes,token-timeout=0,tpm2-device={TPM},tpm2-signature={}",
            signature.display()
        );
        let said = run(
            self.root,
            UNLOCK,
            &["attach", name],
            &[&self.device, Path::new("-"), Path::new(&options)],
            &[],
        )?;
        said.success()
    }

    /// Closes what is open as `/dev/mapper/NAME`.
    pub fn close(root: &Path, name: &str) -> Result<(), Problem> {
        run(root, CRYPTSETUP, &["close", name], &[], &[])?.success()
    }

    /// Where what is open as `name` is.
    pub fn opened(root: &Path, name: &str) -> PathBuf {
        root.join(MAPPER.trim_start_matches('/')).join(name)
    }

    /// Gives it a key that this machine's TPM keeps, in place of any it had. By the TPM itself, systemd's programs
    /// look for the signature in `/run/systemd/tpm2-pcr-signature.json`.
    pub fn enroll_tpm(&self, by: By<'_>, binding: Binding<'_>) -> Result<(), Problem> {
        let pcrs: Vec<String> = binding.pcrs.iter().map(ToString::to_string).collect();
        let pcrs = format!("--tpm2-pcrs={}", pcrs.join("+"));
        let key = format!("--tpm2-public-key={}", binding.public_key.display());
        let device = format!("--tpm2-device={TPM}");
        let (unlock, secrets) = match by {
            By::Secret(secret) => ("--unlock-key-file=/proc/self/fd/0".to_owned(), vec![secret]),
            By::Tpm => (format!("--unlock-tpm2-device={TPM}"), Vec::new()),
        };
        let arguments = [
            &unlock,
            &device,
            &pcrs,
            &key,
            "--tpm2-public-key-pcrs=11",
            "--wipe-slot=tpm2",
        ];
        self.must(ENROLL, &arguments, &secrets)
    }

    /// Takes the TPM's key away.
    pub fn wipe_tpm(&self) -> Result<(), Problem> {
        self.must(ENROLL, &["--wipe-slot=tpm2"], &[])
    }

    /// Keeps a token of a type that no program of cryptsetup's knows in the header, in place of any other of that type.
    pub fn keep_token(&self, token: &serde_json::Value) -> Result<(), Problem> {
        let header = self.header().ok().flatten().unwrap_or_default();
        let mut known = header.tokens.iter();
        let known = known.find(|(_, it)| it.get("type") == token.get("type"));
        let number = known.map(|(number, _)| format!("--token-id={number}"));
        let mut arguments = vec!["token", "import", "--json-file=-"];
        if let Some(number) = &number {
            arguments.extend([number.as_str(), "--token-replace"]);
        }
        self.must(CRYPTSETUP, &arguments, &[&Secret::from(token.to_string())])
    }

    /// Whether it begins as an encrypted partition does, by either of its headers (LUKS2 On-Disk Format
    /// Specification, section 2.1).
    pub fn is_encrypted(&self) -> std::io::Result<bool> {
        let mut bytes = vec![0; SECOND_HEADER + 8];
        let mut device = std::fs::File::open(&self.device)?.take(bytes.len() as u64);
        let mut filled = 0;
        while let count @ 1.. = device.read(&mut bytes[filled..])? {
            filled += count;
        }
        let starts = |at: usize, magic: &[u8; 8]| bytes[at..].starts_with(magic);
        Ok(starts(0, b"LUKS\xba\xbe\0\x02") || starts(SECOND_HEADER, b"SKUL\xba\xbe\0\x02"))
    }

    /// What its header says; `None` if it has none.
    pub fn header(&self) -> std::io::Result<Option<Header>> {
        Header::read(&mut std::fs::File::open(&self.device)?)
    }

    fn must(&self, program: &str, arguments: &[&str], secrets: &[&Secret]) -> Result<(), Problem> {
        run(self.root, program, arguments, &[&self.device], secrets)?.success()
    }
}

/// Whether the machine below `root` has a TPM that keys can be kept in: one of version 2.0.
pub fn has_tpm(root: &Path) -> bool {
    let version = crate::text::attribute(&root.join("sys/class/tpm/tpm0/tpm_version_major"));
    version.as_deref() == Some("2") && root.join(TPM.trim_start_matches('/')).exists()
}

#[cfg(test)]
mod tests;
