//! Why a TPM does not open the data, in sentences for whoever stands before the machine. Pure.

use super::measured::Measured;
use super::policy::Policy;

/// What is known of a machine whose TPM did not open the data.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Whether it has a TPM, and this is the one that has the key; `None` where nothing says which one it is.
    pub(super) tpm: Tpm,
    /// The registers that the key is bound to, besides the signed one.
    pub(super) bound: Vec<u32>,
    /// What they held when it was bound.
    pub(super) then: Option<Measured>,
    /// What they hold.
    pub(super) now: Measured,
    /// What the signature says of the system that runs.
    pub(super) policy: Policy,
    /// Whether Secure Boot is on.
    pub(super) secure_boot: Option<bool>,
    /// What the program said that tried it.
    pub(super) said: String,
}

/// Which TPM the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tpm {
    /// None.
    Missing,
    /// Another one than that which has the key, or the same after it was cleared.
    Other,
    /// That which has the key, as far as can be told.
    Same,
}

/// The reasons, each a sentence. There is always one.
pub(super) fn reasons(facts: &Facts) -> Vec<String> {
    match facts.tpm {
        Tpm::Missing => {
            return vec![
                "This computer shows no TPM: it is switched off in the firmware's setup, or the disk was moved \
                 here from another computer."
                    .to_owned(),
            ];
        }
        Tpm::Other => {
            return vec![
                "The TPM is not the one that has the key: the disk was moved here from another computer, or the \
                 TPM was cleared."
                    .to_owned(),
            ];
        }
        Tpm::Same => {}
    }
    let mut reasons: Vec<String> = system(facts.policy).into_iter().collect();
    match &facts.then {
        Some(then) => {
            let is_other =
                |number: &u32| facts.bound.contains(number) && then.pcrs.get(number) != facts.now.pcrs.get(number);
            if is_other(&7) {
                let names = facts.now.differences(then, 7);
                reasons.push(format!("PCR 7 changed: {}.", start(&names, facts.secure_boot)));
            }
            if is_other(&12) {
                reasons.push(
                    "PCR 12 changed: the kernel was given another command line, or an addon to it came or went."
                        .to_owned(),
                );
            }
        }
        None if !facts.bound.is_empty() && reasons.is_empty() => reasons.push(
            "PCR 7 or PCR 12 changed, and the header of the data does not say what they were: look at Secure Boot \
             and its keys, at the firmware's version, and at the kernel's command line."
                .to_owned(),
        ),
        None => {}
    }
    if reasons.is_empty() {
        reasons.push(format!(
            "The TPM refuses, although all that it goes by is as it was; it was asked by a program that says: {}.",
            facts.said.trim_end_matches('.')
        ));
    }
    reasons
}

/// What is wrong with the system that runs.
fn system(policy: Policy) -> Option<String> {
    let what = match policy {
        Policy::Fits => return None,
        Policy::Unsigned => "is not signed for the TPM",
        Policy::OtherKey => {
            "is signed for the TPM by another key than the one that the data were sealed to"
        }
        Policy::OtherSystem => {
            "is not the one that was signed for the TPM: its image, or a part of it, was changed"
        }
    };
    Some(format!("PCR 11 is another: the system that runs {what}."))
}

/// What may have changed how the firmware decides what starts, by the names of what it measured.
fn start(names: &[&str], secure_boot: Option<bool>) -> String {
    let has = |name: &&&str| names.contains(*name);
    let mut causes = Vec::new();
    let is_switched = names.contains(&"SecureBoot");
    if is_switched {
        causes.push(match secure_boot {
            Some(true) => "Secure Boot was switched on".to_owned(),
            Some(false) => "Secure Boot was switched off".to_owned(),
            None => "Secure Boot was switched on or off".to_owned(),
        });
    }
    let keys: Vec<_> = ["PK", "KEK", "db"].iter().filter(has).copied().collect();
    if !keys.is_empty() {
        causes.push(format!(
            "the firmware's keys were changed ({})",
            keys.join(", ")
        ));
    }
    if names.contains(&"dbx") {
        causes.push(
            "its list of what may not start any more (dbx) was changed, as updates of firmware or system do".to_owned(),
        );
    }
    let is_by_another = names.iter().any(|name| name.starts_with("by "));
    if is_by_another && !is_switched {
        causes.push(
            "what started was allowed by another certificate: the machine was started from another medium, or by \
             something with another signature"
                .to_owned(),
        );
    }
    if causes.is_empty() {
        causes.push(
            "the firmware measured something else: it was updated, or its settings were changed"
                .to_owned(),
        );
    }
    causes.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::measured::Measurement;
    use super::*;

    fn measured(seven: &[(&str, &str)], twelve: &str) -> Measured {
        let event = |(name, digest): &(&str, &str)| Measurement {
            pcr: 7,
            name: (*name).to_owned(),
            digest: (*digest).to_owned(),
        };
        Measured {
            pcrs: [(7, format!("{seven:?}")), (12, twelve.to_owned())].into(),
            events: seven.iter().map(event).collect(),
        }
    }

    fn facts() -> Facts {
        let events = [
            ("SecureBoot", "1"),
            ("PK", "2"),
            ("dbx", "3"),
            ("0x4", "4"),
            ("by db", "5"),
        ];
        Facts {
            tpm: Tpm::Same,
            bound: vec![7, 12],
            then: Some(measured(&events, "0")),
            now: measured(&events, "0"),
            policy: Policy::Fits,
            secure_boot: Some(true),
            said: "No luck.".to_owned(),
        }
    }

    fn now(changed: &[(&str, &str)]) -> Facts {
        let mut facts = facts();
        let then = facts.then.clone().unwrap_or_default();
        let mut events: Vec<(&str, &str)> = then
            .events
            .iter()
            .map(|it| (it.name.as_str(), it.digest.as_str()))
            .collect();
        for (name, digest) in changed {
            events.retain(|it| it.0 != *name);
            if !digest.is_empty() {
                events.push((name, digest));
            }
        }
        facts.now = measured(&events, "0");
        facts
    }

    #[test]
    fn what_changed_is_named_with_why_it_may_have() {
        let off = Facts {
            secure_boot: Some(false),
            ..now(&[("SecureBoot", "0"), ("by db", "")])
        };
        let unbound = Facts {
            bound: Vec::new(),
            then: None,
            policy: Policy::OtherSystem,
            ..facts()
        };
        let unnoted = Facts {
            then: None,
            ..facts()
        };
        let both = Facts {
            policy: Policy::Unsigned,
            ..now(&[("dbx", "9")])
        };
        let mut addon = facts();
        addon.now = Measured {
            pcrs: [(7, addon.now.pcrs[&7].clone()), (12, "1".to_owned())].into(),
            ..addon.now
        };
        let moved = |tpm| Facts {
            tpm,
            ..both.clone()
        };
        let rows = [
            (off, "PCR 7 changed: Secure Boot was switched off."),
            (
                now(&[("PK", "8"), ("db", "8")]),
                "PCR 7 changed: the firmware's keys were changed (PK, db).",
            ),
            (
                now(&[("by db", "7")]),
                "PCR 7 changed: what started was allowed by another certificate: the machine was started from \
                 another medium, or by something with another signature.",
            ),
            (
                now(&[("0x4", "7")]),
                "PCR 7 changed: the firmware measured something else: it was updated, or its settings were changed.",
            ),
            (
                both.clone(),
                "PCR 11 is another: the system that runs is not signed for the TPM. PCR 7 changed: its list of what \
                 may not start any more (dbx) was changed, as updates of firmware or system do.",
            ),
            (
                addon,
                "PCR 12 changed: the kernel was given another command line, or an addon to it came or went.",
            ),
            (
                unbound,
                "PCR 11 is another: the system that runs is not the one that was signed for the TPM: its image, or \
                 a part of it, was changed.",
            ),
            (
                unnoted,
                "PCR 7 or PCR 12 changed, and the header of the data does not say what they were: look at Secure \
                 Boot and its keys, at the firmware's version, and at the kernel's command line.",
            ),
            (
                moved(Tpm::Missing),
                "This computer shows no TPM: it is switched off in the firmware's setup, or the disk was moved here \
                 from another computer.",
            ),
            (
                moved(Tpm::Other),
                "The TPM is not the one that has the key: the disk was moved here from another computer, or the TPM \
                 was cleared.",
            ),
            (
                facts(),
                "The TPM refuses, although all that it goes by is as it was; it was asked by a program that says: \
                 No luck.",
            ),
        ];
        for (facts, expected) in rows {
            assert_eq!(reasons(&facts).join(" "), expected);
        }
    }
}
