//! The boot partition: every path that a menu names, and the files behind them.
//!
//! GRUB manual, "linux" and "initrd"; UAPI Group specification 1, "Boot Loader Specification", type 1.

use std::collections::BTreeMap;
use std::path::Path;

use ext4_view::Ext4;
use serde::Deserialize;

use super::super::super::report::Finding;
use super::super::super::validate::{bad, good};
use super::super::list::Entry;
use super::digest_of;

/// What lies in the partition: the facts of its entries, and the menus.
const FACTS: &str = "/boot-tree.json";
const GRUB: &str = "/grub/grub.cfg";
const BLS: &str = "/loader/entries";
/// The most bytes of a menu, and the most menus, that are read.
const LONGEST: u64 = 1 << 20;
const MOST_MENUS: usize = 128;
/// The fewest and the most bytes of a kernel and of an initramfs that are plausible.
const KERNEL: std::ops::RangeInclusive<u64> = 64 << 10..=1 << 30;
const INITRD: std::ops::RangeInclusive<u64> = 512..=4 << 30;

/// The entries whose facts lie in a boot partition. Fails with what is wrong with these.
pub(in super::super) fn entries_on(boot: &Ext4) -> Result<Vec<Entry>, String> {
    #[derive(Deserialize)]
    struct Facts {
        entries: Vec<Entry>,
    }
    let text = text(boot, FACTS)?;
    let facts: Facts = serde_json::from_str(&text).map_err(|error| format!("{FACTS}: {error}"))?;
    if facts.entries.is_empty() {
        return Err(format!("{FACTS}: it has no entry"));
    }
    Ok(facts.entries)
}

/// What is found in the boot partition called `label`.
pub(super) fn findings(boot: &Ext4, label: &str) -> Vec<Finding> {
    let entries = match entries_on(boot) {
        Ok(entries) => entries,
        Err(said) => return vec![bad(format!("{label}: {said}."))],
    };
    let mut digests = BTreeMap::new();
    for entry in &entries {
        let kernel = (&entry.kernel, &entry.kernel_sha256, KERNEL);
        let initrd = (&entry.initrd, &entry.initrd_sha256, INITRD);
        for (path, sha256, sizes) in [kernel, initrd] {
            digests.insert(absolute(path), (sha256.clone(), sizes));
        }
    }
    let mut wrong: Vec<Finding> = digests
        .iter()
        .filter_map(|(path, (sha256, sizes))| {
            let said = match digest_of(boot, path) {
                Err(error) => format!("cannot be read: {error}"),
                Ok((_, bytes)) if !sizes.contains(&bytes) => {
                    format!("has {bytes} bytes, which cannot be right")
                }
                Ok((found, _)) if found != *sha256 => "is not what was installed".to_owned(),
                Ok(_) => return None,
            };
            Some(bad(format!("{label}: {path} {said}.")))
        })
        .collect();
    let menus = match menus(boot) {
        Ok(menus) => menus,
        Err(said) => return vec![bad(format!("{label}: {said}."))],
    };
    let mut count = 0;
    for (menu, text) in &menus {
        let paths = paths(text);
        if paths.is_empty() {
            wrong.push(bad(format!("{label}: {menu} starts nothing.")));
        }
        for path in paths {
            count += 1;
            let path = absolute(&path);
            if !boot.exists(path.as_str()).unwrap_or(false) {
                wrong.push(bad(format!(
                    "{label}: {menu} names {path}, which is not there."
                )));
            } else if !digests.contains_key(&path) {
                wrong.push(bad(format!(
                    "{label}: {menu} names {path}, of which {FACTS} says nothing."
                )));
            }
        }
    }
    if !wrong.is_empty() {
        return wrong;
    }
    vec![good(format!(
        "{label}: the {count} paths in its menus lead to what was installed, byte for byte."
    ))]
}

/// Paths and texts of the menus.
fn menus(boot: &Ext4) -> Result<Vec<(String, String)>, String> {
    let mut menus = vec![(GRUB.to_owned(), text(boot, GRUB)?)];
    let folder = boot
        .read_dir(BLS)
        .map_err(|error| format!("{BLS}: {error}"))?;
    for entry in folder.take(MOST_MENUS) {
        let entry = entry.map_err(|error| format!("{BLS}: {error}"))?;
        let name = String::from_utf8_lossy(entry.file_name().as_ref()).into_owned();
        if Path::new(&name).extension().is_some_and(|it| it == "conf") {
            let path = format!("{BLS}/{name}");
            menus.push((path.clone(), text(boot, &path)?));
        }
    }
    Ok(menus)
}

/// The paths of kernels and initramfs that a menu names, in the order of its lines.
fn paths(menu: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in menu.lines() {
        let mut words = line.split_whitespace();
        let most = match words.next() {
            Some("linux" | "linux16" | "linuxefi") => 1,
            Some("initrd" | "initrd16" | "initrdefi") => usize::MAX,
            _ => continue,
        };
        let unquoted = |it: &str| it.trim_matches(['\'', '"']).to_owned();
        found.extend(words.take(most).map(unquoted));
    }
    found
}

fn absolute(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

fn text(volume: &Ext4, path: &str) -> Result<String, String> {
    let said = |error: ext4_view::Ext4Error| format!("{path} cannot be read: {error}");
    let length = volume.metadata(path).map_err(said)?.len();
    if length > LONGEST {
        return Err(format!("{path} has {length} bytes, which cannot be right"));
    }
    volume.read_to_string(path).map_err(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_kernels_and_of_all_initramfs() {
        let grub = "set default=0\nmenuentry 'A' --id a-0 {\n  linux /vmlinuz-1 root=LABEL=x linux\n  \
                    initrd '/one.img' \"/two.img\"\n}\n";
        assert_eq!(paths(grub), ["/vmlinuz-1", "/one.img", "/two.img"]);
        let bls = "title A\nlinux /vmlinuz-1\noptions initrd /no\ninitrd /one.img\n";
        assert_eq!(paths(bls), ["/vmlinuz-1", "/one.img"]);
        assert_eq!(paths("# linux /x\nset linux=/y\n"), Vec::<String>::new());
        assert_eq!(
            (absolute("a"), absolute("//a")),
            ("/a".to_owned(), "/a".to_owned())
        );
    }
}
