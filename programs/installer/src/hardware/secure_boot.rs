//! The keys of Secure Boot: those that this medium carries for the firmware, and whether it takes them. Reads only.
//!
//! UEFI specification 2.10, sections 3.3 (variables), 8.2.2 (authenticated variables), 32.3 (setup mode) and 32.4.1
//! (signature lists).

use std::path::{Path, PathBuf};

use common::digest::sha256;
use common::product::product;

/// `EFI_GLOBAL_VARIABLE`.
pub(crate) const GLOBAL: &str = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`.
const DATABASE: &str = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";
/// `EFI_CERT_X509_GUID`, as it lies in memory.
const X509: [u8; 16] = *b"\xa1\x59\xc0\xa5\xe4\x94\xa7\x4a\x87\xb5\xab\x15\x5c\x2b\xf0\x72";
/// `EFI_TIME`, and `WIN_CERTIFICATE_UEFI_GUID` without what it holds.
const TIME: usize = 16;
const CERTIFICATE: usize = 24;
/// Hexadecimal digits by which people tell one owner's key from another's.
const FINGERPRINT: usize = 16;

/// A variable that says whom the firmware trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyVariable {
    /// What it starts.
    Db,
    /// What it never starts.
    Dbx,
    /// Who may change these two.
    Kek,
    /// Whose machine it is. Once it is there, setup mode is over.
    Pk,
}

impl KeyVariable {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Db => "db",
            Self::Dbx => "dbx",
            Self::Kek => "KEK",
            Self::Pk => "PK",
        }
    }

    /// Its file in efivarfs, below `root`.
    pub(crate) fn file(self, root: &Path) -> PathBuf {
        let vendor = match self {
            Self::Db | Self::Dbx => DATABASE,
            Self::Kek | Self::Pk => GLOBAL,
        };
        variable(root, &format!("{}-{vendor}", self.name()))
    }

    /// What it holds; nothing if it is not there.
    pub(crate) fn read(self, root: &Path) -> Vec<u8> {
        value(&self.file(root)).unwrap_or_default()
    }

    /// What the maker of the machine gave it, and a menu of the firmware restores.
    fn factory(self, root: &Path) -> Vec<u8> {
        let name = format!("{}Default-{GLOBAL}", self.name());
        value(&variable(root, &name)).unwrap_or_default()
    }

    /// What of it is not this medium's: the maker's, or else what is there now.
    pub(crate) fn of_others(self, root: &Path, ours: &[u8]) -> Vec<u8> {
        let factory = self.factory(root);
        let found = if factory.is_empty() {
            self.read(root)
        } else {
            factory
        };
        found
            .strip_prefix(ours)
            .map(<[u8]>::to_vec)
            .unwrap_or(found)
    }
}

/// What this medium carries for a variable: its content, and in front of that a time and a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// All of it.
    pub(crate) whole: Vec<u8>,
    /// Where the content begins.
    start: usize,
}

impl Signed {
    /// Reads that of `variable` below `root`; `None` if it is not there or is none.
    pub(crate) fn read(root: &Path, variable: KeyVariable) -> Option<Self> {
        let file = format!("etc/secure-boot/{}.auth", variable.name());
        Self::parse(std::fs::read(root.join(file)).ok()?)
    }

    fn parse(whole: Vec<u8>) -> Option<Self> {
        let length = whole.get(TIME..)?.first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let start = TIME.checked_add(length)?;
        let is_whole = length >= CERTIFICATE && start < whole.len();
        is_whole.then_some(Self { whole, start })
    }

    /// The content of the variable: signature lists.
    pub(crate) fn lists(&self) -> &[u8] {
        &self.whole[self.start..]
    }

    /// Another content with this one's time, and without a signature: in setup mode, none is asked for.
    pub(crate) fn unsigned(&self, content: &[u8]) -> Vec<u8> {
        let mut bytes = self.whole[..TIME + CERTIFICATE].to_vec();
        let length = u32::try_from(CERTIFICATE).unwrap_or(0).to_le_bytes();
        bytes[TIME..TIME + 4].copy_from_slice(&length);
        bytes.extend(content);
        bytes
    }
}

/// The certificates in signature lists.
pub(crate) fn certificates(mut lists: &[u8]) -> Vec<&[u8]> {
    const HEADER: usize = 28;
    const OWNER: usize = 16;
    let mut found = Vec::new();
    while let Some((kind, rest)) = lists.split_first_chunk::<16>() {
        let number = |at: usize| {
            let bytes = rest.get(at..)?.first_chunk()?;
            usize::try_from(u32::from_le_bytes(*bytes)).ok()
        };
        let (Some(size), Some(header), Some(each)) = (number(0), number(4), number(8)) else {
            break;
        };
        let Some(list) = lists.get(..size).filter(|it| it.len() >= HEADER) else {
            break;
        };
        if *kind == X509 && each > OWNER {
            let signatures = list
                .get(HEADER.saturating_add(header)..)
                .unwrap_or_default();
            found.extend(signatures.chunks_exact(each).map(|it| &it[OWNER..]));
        }
        lists = &lists[size..];
    }
    found
}

/// What this medium and the firmware can make of Secure Boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirmwareKeys {
    /// By which people tell the owner of this medium's keys from others.
    pub owner: String,
    /// What the firmware makes of them.
    pub standing: Standing,
    /// The maker of the machine has keys in it that can be kept.
    pub has_others: bool,
}

/// What the firmware makes of a medium's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in setup mode, and takes them.
    Wanted,
    /// It is in setup mode, and has some of them already: that was cut off.
    Begun,
    /// It has them.
    Enrolled,
    /// It has another owner's, and takes none.
    Refused,
}

impl FirmwareKeys {
    /// Reads those of the machine below `root`; `None` if this medium carries none.
    pub(super) fn read(root: &Path) -> Option<Self> {
        if product().is_set() {
            return None;
        }
        let [db, kek, pk] = [KeyVariable::Db, KeyVariable::Kek, KeyVariable::Pk]
            .map(|it| Some((it, Signed::read(root, it)?)));
        let (db, kek, pk) = (db?, kek?, pk?);
        let has = |(variable, ours): &(KeyVariable, Signed)| {
            variable.read(root).starts_with(ours.lists())
        };
        let standing = match (is_setup(root), has(&pk)) {
            (_, true) => Standing::Enrolled,
            (true, false) if has(&db) => Standing::Begun,
            (true, false) => Standing::Wanted,
            (false, false) => Standing::Refused,
        };
        let certificate = certificates(pk.1.lists()).first().map(|it| sha256(it))?;
        let mut owner = certificate;
        owner.truncate(FINGERPRINT);
        let others = |(variable, ours): &(KeyVariable, Signed)| {
            !variable.of_others(root, ours.lists()).is_empty()
        };
        Some(Self {
            owner,
            standing,
            has_others: others(&db) || others(&kek),
        })
    }

    /// Whether the firmware takes them now.
    pub fn are_wanted(&self) -> bool {
        matches!(self.standing, Standing::Wanted | Standing::Begun)
    }
}

/// Whether the firmware below `root` takes keys from whoever comes: the variable `SetupMode`.
pub(crate) fn is_setup(root: &Path) -> bool {
    let file = variable(root, &format!("SetupMode-{GLOBAL}"));
    value(&file).as_deref() == Some(&[1])
}

fn variable(root: &Path, name: &str) -> PathBuf {
    root.join("sys/firmware/efi/efivars").join(name)
}

/// What a variable holds, behind its attributes.
fn value(file: &Path) -> Option<Vec<u8>> {
    let content = std::fs::read(file).ok()?;
    content.get(4..).map(<[u8]>::to_vec)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;

    use super::*;

    pub(crate) use super::GLOBAL;

    /// A signature list with one certificate.
    pub(crate) fn list(certificate: &[u8]) -> Vec<u8> {
        let each = u32::try_from(16 + certificate.len()).unwrap();
        let mut bytes = X509.to_vec();
        for number in [28 + each, 0, each] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend([7; 16]);
        bytes.extend(certificate);
        bytes
    }

    /// The same as a medium carries it.
    pub(crate) fn signed(certificate: &[u8]) -> Vec<u8> {
        let mut bytes = vec![9; TIME];
        bytes.extend(u32::try_from(CERTIFICATE + 5).unwrap().to_le_bytes());
        bytes.extend([0, 2, 0xf1, 0x0e]);
        bytes.extend([1; 16]);
        bytes.extend(b"PKCS7");
        bytes.extend(list(certificate));
        bytes
    }

    /// A machine in setup mode, and a medium with keys.
    pub(crate) fn machine() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let carried = root.path().join("etc/secure-boot");
        fs::create_dir_all(&carried).unwrap();
        for name in ["PK", "KEK", "db"] {
            fs::write(
                carried.join(format!("{name}.auth")),
                signed(name.as_bytes()),
            )
            .unwrap();
        }
        fs::create_dir_all(root.path().join("sys/firmware/efi/efivars")).unwrap();
        set(root.path(), "SetupMode", GLOBAL, &[1]);
        root
    }

    /// Gives a variable of the firmware a value.
    pub(crate) fn set(root: &Path, name: &str, vendor: &str, value: &[u8]) {
        let file = variable(root, &format!("{name}-{vendor}"));
        fs::write(file, [&[7, 0, 0, 0], value].concat()).unwrap();
    }

    #[test]
    fn what_the_firmware_makes_of_keys_is_told() {
        let root = machine();
        let keys = || FirmwareKeys::read(root.path()).unwrap();
        let first = keys();
        assert_eq!(first.owner, sha256(b"PK")[..16]);
        assert_eq!(
            (first.standing, first.has_others),
            (Standing::Wanted, false)
        );
        set(root.path(), "db", DATABASE, &list(b"db"));
        let begun = keys();
        assert_eq!((begun.standing, begun.has_others), (Standing::Begun, false));
        set(root.path(), "dbDefault", GLOBAL, &list(b"maker"));
        assert!(keys().has_others);
        set(root.path(), "PK", GLOBAL, &list(b"PK"));
        set(root.path(), "SetupMode", GLOBAL, &[0]);
        assert_eq!(keys().standing, Standing::Enrolled);
        set(root.path(), "PK", GLOBAL, &list(b"another"));
        assert_eq!(keys().standing, Standing::Refused);
        assert!(!keys().are_wanted());
        fs::remove_file(root.path().join("etc/secure-boot/KEK.auth")).unwrap();
        assert_eq!(FirmwareKeys::read(root.path()), None);
    }

    #[test]
    fn keys_that_are_cut_off_are_none() {
        let whole = signed(b"db");
        assert_eq!(Signed::parse(whole.clone()).unwrap().lists(), list(b"db"));
        let content = list(b"db").len();
        for length in 0..=whole.len() - content {
            assert_eq!(Signed::parse(whole[..length].to_vec()), None, "{length}");
        }
        let mut short = whole;
        short[TIME] = 23;
        assert_eq!(Signed::parse(short), None);
    }

    #[test]
    fn certificates_are_found_in_every_list() {
        let hash = [
            &[3; 16][..],
            &[44, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0],
            &[5; 16],
        ]
        .concat();
        let lists = [list(b"one"), hash, list(b"two")].concat();
        assert_eq!(certificates(&lists), [b"one", b"two"]);
        assert_eq!(certificates(&lists[..lists.len() - 1]), [b"one"]);
        assert_eq!(certificates(&[0xff; 64]), [b""; 0]);
        assert_eq!(certificates(&[0; 64]), [b""; 0]);
    }

    #[test]
    fn another_content_has_the_time_and_no_signature() {
        let signed = Signed::parse(signed(b"db")).unwrap();
        let bytes = signed.unsigned(b"lists");
        assert_eq!(bytes[..16], [9; 16]);
        assert_eq!(bytes[16..24], [24, 0, 0, 0, 0, 2, 0xf1, 0x0e]);
        assert_eq!(bytes[24..40], [1; 16]);
        assert_eq!(&bytes[40..], b"lists");
    }
}
