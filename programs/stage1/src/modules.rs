//! Which modules there are and what they need, by the tables of depmod(8).
//!
//! Formats: modules.dep(5), modprobe.d(5) for the lines of `modules.alias` and `modules.softdep`. In names `-` and `_`
//! are the same. An alias is a pattern of fnmatch(3), as devices have them in their `modalias`.

use std::collections::{BTreeMap, BTreeSet};

/// The tables, read.
#[derive(Debug, Default)]
pub struct Index {
    /// By the name of the module: its file, and the files that it needs, the one that is to be loaded last first.
    files: BTreeMap<String, (String, Vec<String>)>,
    /// Patterns, and the names of modules.
    aliases: Vec<(String, String)>,
    /// By the name of the module: what is better loaded before it, and after it.
    wishes: BTreeMap<String, (Vec<String>, Vec<String>)>,
}

impl Index {
    /// Reads the texts of `modules.dep`, `modules.alias` and `modules.softdep`. Lines that make no sense count for
    /// nothing.
    pub fn read(dep: &str, alias: &str, softdep: &str) -> Self {
        let mut index = Self::default();
        for (file, needs) in dep.lines().filter_map(|line| line.split_once(':')) {
            let needs = needs.split_whitespace().map(str::to_owned).collect();
            index.files.insert(name_of(file), (file.to_owned(), needs));
        }
        for line in alias.lines() {
            let mut words = line.split_whitespace();
            if let (Some("alias"), Some(pattern), Some(module)) =
                (words.next(), words.next(), words.next())
            {
                index.aliases.push((same(pattern), same(module)));
            }
        }
        for line in softdep.lines() {
            let mut words = line.split_whitespace();
            let (Some("softdep"), Some(module)) = (words.next(), words.next()) else {
                continue;
            };
            let (before, after) = index.wishes.entry(same(module)).or_default();
            let mut list = &mut Vec::new();
            for word in words {
                match word {
                    "pre:" => list = before,
                    "post:" => list = after,
                    word => list.push(same(word)),
                }
            }
        }
        index
    }

    /// The files of the modules that a name or an alias stands for, with all that they need, in the order in which they
    /// are to be loaded; none for a name that nothing is known by.
    pub fn wanted(&self, name: &str) -> Vec<String> {
        let mut files = Vec::new();
        self.add(&same(name), &mut BTreeSet::new(), &mut files);
        files
    }

    /// Adds what is wanted for `name`, unless it was `asked` for before: tables may go round in circles.
    fn add(&self, name: &str, asked: &mut BTreeSet<String>, files: &mut Vec<String>) {
        if !asked.insert(name.to_owned()) {
            return;
        }
        let Some((file, needs)) = self.files.get(name) else {
            let meant = self
                .aliases
                .iter()
                .filter(|(pattern, _)| matches(pattern, name));
            return meant.for_each(|(_, module)| self.add(module, asked, files));
        };
        let (before, after) = self
            .wishes
            .get(name)
            .map_or((&[][..], &[][..]), |(a, b)| (a, b));
        let hard = needs.iter().rev().map(|file| name_of(file));
        for each in before.iter().cloned().chain(hard).collect::<Vec<_>>() {
            self.add(&each, asked, files);
        }
        files.push(file.clone());
        for each in after {
            self.add(each, asked, files);
        }
    }
}

/// The name of the module in a file: `virtio_pci` for `kernel/drivers/virtio/virtio-pci.ko`.
pub fn name_of(file: &str) -> String {
    let last = file.rsplit('/').next().unwrap_or(file);
    same(last.split('.').next().unwrap_or(last))
}

/// A name or a pattern with `_` for each `-` outside of brackets, in which `-` is for a range.
fn same(name: &str) -> String {
    let mut inside = false;
    let each = name.chars().map(|c| {
        inside = c == '[' || (inside && c != ']');
        if c == '-' && !inside { '_' } else { c }
    });
    each.collect()
}

/// Whether a pattern of fnmatch(3) fits a name, in a time of no more than their lengths multiplied.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut here) = (0, 0);
    // Where the last `*` is, and up to where it stands for the name.
    let mut star: Option<(usize, usize)> = None;
    while here < name.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, here));
            at += 1;
        } else if let Some(length) = fits(&pattern[at..], name[here]) {
            at += length;
            here += 1;
        } else if let Some((place, taken)) = star {
            star = Some((place, taken + 1));
            (at, here) = (place + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|it| *it == b'*')
}

/// How long what stands for one letter is at the beginning of a pattern, if that fits `letter`.
fn fits(pattern: &[u8], letter: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', set @ ..] => {
            let end = set.iter().position(|it| *it == b']')?;
            let (set, negated) = match &set[..end] {
                [b'!' | b'^', rest @ ..] => (rest, true),
                all => (all, false),
            };
            (in_set(set, letter) != negated).then_some(end + 2)
        }
        [first, ..] => (*first == letter).then_some(1),
        [] => None,
    }
}

fn in_set(set: &[u8], letter: u8) -> bool {
    match set {
        [low, b'-', high, rest @ ..] => (*low..=*high).contains(&letter) || in_set(rest, letter),
        [one, rest @ ..] => *one == letter || in_set(rest, letter),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "kernel/a/virtio-pci.ko: kernel/b/virtio_ring.ko kernel/b/virtio.ko\n\
        kernel/b/virtio_ring.ko: kernel/b/virtio.ko\nkernel/b/virtio.ko:\n\
        kernel/c/crc32c_generic.ko:\nkernel/c/crc32c-intel.ko:\n\
        kernel/d/ext4.ko: kernel/d/jbd2.ko\nkernel/d/jbd2.ko:\nkernel/e/late.ko:\n\
        kernel/f/round.ko: kernel/f/about.ko\nkernel/f/about.ko: kernel/f/round.ko\nnonsense\n";
    const ALIAS: &str = "# Aliases extracted from modules themselves.\n\
        alias pci:v00001AF4d*sv*sd*bc*sc*i* virtio_pci\nalias fs-ext4 ext4\n\
        alias crc32c crc32c_generic\nalias crc32c crc32c_intel\nalias\nalias x\nalias gone nowhere\n";
    const SOFTDEP: &str = "# Soft dependencies\nsoftdep ext4 pre: crc32c post: late gone\nsoftdep late pre: ext4\nsoftdep\n";

    #[test]
    fn modules_come_after_what_they_need() {
        let index = Index::read(DEP, ALIAS, SOFTDEP);
        let pci = ["b/virtio", "b/virtio_ring", "a/virtio-pci"];
        let ext4 = [
            "c/crc32c_generic",
            "c/crc32c-intel",
            "d/jbd2",
            "d/ext4",
            "e/late",
        ];
        for (name, expected) in [
            ("virtio_pci", pci.as_slice()),
            ("virtio-pci", &pci),
            (
                "pci:v00001AF4d00001042sv00001AF4sd00001100bc01sc00i00",
                &pci,
            ),
            ("pci:v00008086d00001042sv00001AF4sd00001100bc01sc00i00", &[]),
            ("ext4", &ext4),
            ("fs-ext4", &ext4),
            ("jbd2", &["d/jbd2"]),
            ("round", &["f/about", "f/round"]),
            ("gone", &[]),
            ("", &[]),
        ] {
            let expected: Vec<_> = expected
                .iter()
                .map(|it| format!("kernel/{it}.ko"))
                .collect();
            assert_eq!(index.wanted(name), expected, "{name}");
        }
        assert!(Index::read("", "", "").wanted("ext4").is_empty());
    }

    #[test]
    fn patterns_fit_as_fnmatch_has_it() {
        for (pattern, name, expected) in [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a[0-9b]c", "abc", true),
            ("a[0-9b]c", "a5c", true),
            ("a[0-9b]c", "axc", false),
            ("a[!0-9]c", "axc", true),
            ("a[^0-9]c", "a5c", false),
            ("usb:v1d[0-4]*", "usb:v1d3x", true),
            ("a[", "a[", false),
            ("abc", "ab", false),
            ("ab", "abc", false),
            (&"*a".repeat(40), &"a".repeat(4000), true),
            (&format!("{}b", "*a".repeat(40)), &"a".repeat(4000), false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        assert_eq!(same("a-b[0-9]-c"), "a_b[0-9]_c");
    }
}
