//! What was measured when this machine started: the TPM's values, and the log of what made them.
//!
//! `./doit measure --log … --pcrs …` says of both what was started here.
//!
//! Specification: Linux, `Documentation/security/tpm/tpm_event_log.rst` and
//! `Documentation/ABI/stable/sysfs-class-tpm`

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The log as firmware and boot loaders wrote it.
const LOG: &str = "tpm-event-log.bin";
/// The PCRs of the SHA-256 bank, a line each: `PCR 4: 3B…`.
const PCRS: &str = "tpm-pcrs.txt";
/// How many PCRs a TPM has.
const COUNT: u32 = 24;
/// How much of the log is taken, in bytes: no firmware writes more.
const MAX_LOG: u64 = 4 << 20;
/// How much of a PCR's file is taken, in bytes.
const MAX_VALUE: u64 = 256;

/// Returns both by their names; neither of a machine without a TPM 2.0.
pub(super) fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
    let log = read(
        &root.join("sys/kernel/security/tpm0/binary_bios_measurements"),
        MAX_LOG,
    );
    let pcrs: String = (0..COUNT)
        .filter_map(|number| {
            let path = root.join(format!("sys/class/tpm/tpm0/pcr-sha256/{number}"));
            let value = String::from_utf8(read(&path, MAX_VALUE)).ok()?;
            let value = value.trim();
            (!value.is_empty()).then(|| format!("PCR {number}: {value}\n"))
        })
        .collect();
    [(LOG, log), (PCRS, pcrs.into_bytes())]
        .into_iter()
        .filter(|(_, contents)| !contents.is_empty())
        .map(|(name, contents)| (name.to_owned(), contents))
        .collect()
}

/// What a file holds, at most that many bytes; nothing where it cannot be read.
fn read(path: &Path, most: u64) -> Vec<u8> {
    let mut contents = Vec::new();
    let done = File::open(path).and_then(|file| file.take(most).read_to_end(&mut contents));
    done.map(|_| contents).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_and_pcrs_are_there() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(files(root.path()), []);
        let folder = root.path().join("sys/class/tpm/tpm0/pcr-sha256");
        std::fs::create_dir_all(&folder).unwrap();
        for (number, value) in [("4", "AB\n"), ("11", "CD\n"), ("12", "\n")] {
            std::fs::write(folder.join(number), value).unwrap();
        }
        let pcrs = (PCRS.to_owned(), b"PCR 4: AB\nPCR 11: CD\n".to_vec());
        assert_eq!(files(root.path()), std::slice::from_ref(&pcrs));
        let log = root.path().join("sys/kernel/security/tpm0");
        std::fs::create_dir_all(&log).unwrap();
        std::fs::write(log.join("binary_bios_measurements"), [0, 255]).unwrap();
        assert_eq!(files(root.path()), [(LOG.to_owned(), vec![0, 255]), pcrs]);
    }
}
