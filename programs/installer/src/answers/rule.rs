//! Which disks an answer file is about: every key of the rule must fit.

use std::fmt;

use crate::hardware::{Bus, Contents, Disk, decimal_size, quoted};

/// Every bus that a rule can name.
pub(super) const BUSES: [Bus; 14] = [
    Bus::Nvme,
    Bus::Sata,
    Bus::Usb,
    Bus::Virtio,
    Bus::Sas,
    Bus::Mmc,
    Bus::Sd,
    Bus::HyperV,
    Bus::Xen,
    Bus::Vmware,
    Bus::FibreChannel,
    Bus::Iscsi,
    Bus::Scsi,
    Bus::Other,
];

/// What a disk must be like. Text is compared without regard to capitals, since screens, labels
/// and shells write the same number in both ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its serial number.
    pub serial: Option<String>,
    /// Its world wide name.
    pub wwn: Option<String>,
    /// What its maker calls it; `*` stands for any characters, or none.
    pub model: Option<String>,
    /// How it is attached.
    pub bus: Option<Bus>,
    /// Bytes that it has at least.
    pub min_size: Option<u64>,
    /// Bytes that it has at most.
    pub max_size: Option<u64>,
    /// It, or its medium, can be taken away without a tool: or just not.
    pub removable: Option<bool>,
    /// Nothing is on it that somebody might miss.
    pub empty: bool,
    /// Of all that are so, it has the most bytes, or the fewest.
    pub extreme: Option<Extreme>,
}

/// One end of a list that is sorted by size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extreme {
    /// The most bytes.
    Largest,
    /// The fewest bytes.
    Smallest,
}

impl Rule {
    /// Whether it says anything at all.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The disks that are as it says, then all others. The largest and the smallest are several where
    /// they have the same size.
    pub fn choose<'a>(
        &self,
        disks: impl Iterator<Item = &'a Disk>,
    ) -> (Vec<&'a Disk>, Vec<&'a Disk>) {
        let (mut fitting, mut others): (Vec<_>, Vec<_>) = disks.partition(|disk| self.fits(disk));
        let sizes = fitting.iter().map(|disk| disk.size);
        let wanted = match self.extreme {
            None => return (fitting, others),
            Some(Extreme::Largest) => sizes.max(),
            Some(Extreme::Smallest) => sizes.min(),
        };
        others.extend(fitting.extract_if(.., |disk| Some(disk.size) != wanted));
        (fitting, others)
    }

    /// Whether `disk` is as it says, whatever others there are.
    fn fits(&self, disk: &Disk) -> bool {
        let same = |wanted: &Option<String>, found: &Option<String>| match (wanted, found) {
            (None, _) => true,
            (Some(wanted), Some(found)) => wanted.eq_ignore_ascii_case(found),
            (Some(_), None) => false,
        };
        same(&self.serial, &disk.serial)
            && same(&self.wwn, &disk.wwn)
            && self
                .model
                .as_ref()
                .is_none_or(|it| is_like(&disk.model, it))
            && self.bus.is_none_or(|bus| is_on(disk, bus))
            && self.min_size.is_none_or(|size| size <= disk.size)
            && self.max_size.is_none_or(|size| disk.size <= size)
            && self.removable.is_none_or(|it| it == is_removable(disk))
            && (!self.empty || may_be_blank(disk))
    }
}

impl fmt::Display for Rule {
    /// What a disk must be like, as the end of a sentence that begins with "the disk with".
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |label: &str, text: &Option<String>| {
            let text = text.as_ref();
            text.map(|text| format!("{label} {}", quoted(text)))
        };
        let size = |label: &str, size: Option<u64>| {
            size.map(|size| format!("{label} {}", decimal_size(size)))
        };
        let parts = [
            text("serial number", &self.serial),
            text("WWN", &self.wwn),
            text("model", &self.model),
            self.bus.map(|bus| format!("bus {bus}")),
            size("at least", self.min_size),
            size("at most", self.max_size),
            self.removable.map(|it| {
                let place = if it {
                    "a place that it can be taken from"
                } else {
                    "a fixed place"
                };
                place.to_owned()
            }),
            self.empty.then(|| "nothing on it".to_owned()),
            self.extreme.map(|it| match it {
                Extreme::Largest => "the largest size".to_owned(),
                Extreme::Smallest => "the smallest size".to_owned(),
            }),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        formatter.write_str(&parts.join(", "))
    }
}

/// Whether `disk` is attached so. A hypervisor's SCSI disk is one, whatever brings it to the machine.
fn is_on(disk: &Disk, bus: Bus) -> bool {
    let is_virtual_scsi =
        matches!(disk.bus, Bus::Virtio | Bus::HyperV | Bus::Vmware) && disk.name.starts_with("sd");
    bus == disk.bus || (bus == Bus::Scsi && is_virtual_scsi)
}

/// Whether `disk`, or its medium, can be taken away without a tool.
pub(super) fn is_removable(disk: &Disk) -> bool {
    disk.removable || matches!(disk.bus, Bus::Usb | Bus::Sd)
}

/// Whether nobody would miss what is on `disk`, or cannot be told what that is.
fn may_be_blank(disk: &Disk) -> bool {
    disk.contents.as_ref().is_none_or(Contents::is_blank)
}

/// Whether `text` is like `pattern`, in which `*` stands for any characters, or none. Takes time
/// in proportion to the product of their lengths at most.
fn is_like(text: &str, pattern: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let pattern = pattern.to_ascii_lowercase();
    let Some((start, rest)) = pattern.split_once('*') else {
        return text == pattern;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    // Each piece where it comes first leaves most for those after it.
    for piece in middle.split('*') {
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        let rows = [
            ("Samsung SSD 990 PRO 2TB", "samsung ssd 990 pro 2tb", true),
            ("Samsung SSD 990 PRO 2TB", "Samsung*", true),
            ("Samsung SSD 990 PRO 2TB", "*990*", true),
            ("Samsung SSD 990 PRO 2TB", "*2TB", true),
            ("Samsung SSD 990 PRO 2TB", "Sam*990*TB", true),
            ("Samsung SSD 990 PRO 2TB", "*", true),
            ("Samsung SSD 990 PRO 2TB", "Sam**2TB", true),
            ("", "*", true),
            ("aba", "ab*ba", false),
            ("abba", "ab*ba", true),
            ("abcb", "a*b", true),
            ("abc", "a*b", false),
            ("abc", "*d*", false),
            ("abc", "b*", false),
            ("Samsung SSD 990 PRO 2TB", "Samsung", false),
            ("Samsung SSD 990 PRO 2TB", "*980*", false),
            ("axbxc", "a*b*b*c", false),
        ];
        for (text, pattern, expected) in rows {
            assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn every_bus_has_one_name() {
        let mut names: Vec<String> = BUSES
            .iter()
            .map(|bus| bus.to_string().to_lowercase())
            .collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), BUSES.len());
    }
}
