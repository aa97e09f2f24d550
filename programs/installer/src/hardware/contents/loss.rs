//! What somebody would miss who did not mean to erase a disk.

use super::{Contents, EFI, Part};
use common::product::product;

/// How many parts are named at most.
const LISTED: usize = 4;

/// What some parts hold, in one line.
pub fn listed<'a>(parts: impl IntoIterator<Item = &'a Part>) -> String {
    let texts = parts.into_iter().map(|part| match &*part.label {
        "" => part.kind.clone(),
        label => format!("{} ({label})", part.kind),
    });
    let mut texts: Vec<String> = texts.collect();
    if texts.len() > LISTED {
        let more = format!("{} more", texts.len() - LISTED);
        texts.truncate(LISTED);
        texts.push(more);
    }
    texts.join(", ")
}

impl Contents {
    /// Whether an installation of this product is on it that has data, finished or not.
    pub fn has_installation(&self) -> bool {
        self.earlier.as_ref().is_some_and(|it| it.has_data)
    }

    /// Everything on it that is no part of an installation of this product: other systems, members of
    /// arrays and pools, data that nobody knows, and partitions of whatever kind.
    pub fn foreign(&self) -> impl Iterator<Item = &Part> {
        let has_ours = self.earlier.is_some();
        let parts = self.parts.iter();
        parts.filter(move |part| !(has_ours && is_ours(part)))
    }

    /// Whether nobody would miss anything: nothing is on it, or an installation that was cut off
    /// before it had data.
    pub fn is_blank(&self) -> bool {
        !self.has_installation() && self.foreign().next().is_none()
    }
}

/// Whether a partition is one that an installation of this product is made of, by its name.
fn is_ours(part: &Part) -> bool {
    let name = part.label.split(", ").next().unwrap_or_default();
    let disk = &product().disk;
    match part.number {
        Some(1) => name == EFI || name == disk.unfinished,
        Some(_) => name == disk.unfinished || name.starts_with(&disk.data),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Earlier;
    use super::*;

    type Parts<'a> = &'a [(Option<u32>, &'a str)];

    fn contents(earlier: Option<(bool, bool)>, parts: Parts<'_>) -> Contents {
        Contents {
            table: Some("GPT"),
            parts: parts
                .iter()
                .map(|(number, label)| Part {
                    number: *number,
                    size: 1,
                    label: (*label).to_owned(),
                    kind: "ext4".to_owned(),
                })
                .collect(),
            earlier: earlier.map(|(unfinished, has_data)| Earlier {
                version: None,
                unfinished,
                has_data,
                ..Earlier::default()
            }),
            ..Contents::default()
        }
    }

    #[test]
    fn a_disk_is_blank_only_if_nobody_would_miss_anything() {
        let (finished, cut_off) = (Some((false, true)), Some((true, false)));
        let rows: [(_, Parts<'_>, _, _, _); 9] = [
            (None, &[], false, 0, true),
            (None, &[(Some(1), "EFI")], false, 1, false),
            (None, &[(None, "tank")], false, 1, false),
            (
                finished,
                &[(Some(1), "EFI"), (Some(2), "EXAMPLE_DATA")],
                true,
                0,
                false,
            ),
            (
                finished,
                &[(Some(1), "EFI, EFI"), (Some(2), "EXAMPLE_DATA2, x")],
                true,
                0,
                false,
            ),
            (
                finished,
                &[(Some(1), "EFI"), (Some(9), "backup")],
                true,
                1,
                false,
            ),
            (finished, &[(None, "md0"), (Some(1), "EFI")], true, 1, false),
            (
                cut_off,
                &[
                    (Some(1), "EXAMPLE_UNFINISHED"),
                    (Some(2), "EXAMPLE_UNFINISHED"),
                ],
                false,
                0,
                true,
            ),
            (
                Some((true, true)),
                &[(Some(1), "EXAMPLE_UNFINISHED")],
                true,
                0,
                false,
            ),
        ];
        for (earlier, parts, installed, foreign, blank) in rows {
            let contents = contents(earlier, parts);
            let found = (
                contents.has_installation(),
                contents.foreign().count(),
                contents.is_blank(),
            );
            assert_eq!(found, (installed, foreign, blank), "{contents:?}");
        }
    }
}
