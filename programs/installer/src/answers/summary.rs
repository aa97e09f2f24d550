//! What an answer file will make happen, in plain words.

use common::product::product;
use std::fmt::Write;

use super::{Answers, Consent, Ending, Erase};
use crate::hardware::decimal_size;
use crate::install::{Address, Changes, Enrolment, Settings, Task};

/// Lines for a person who checks a file before it is used.
pub fn summary(answers: &Answers) -> String {
    let (task, loss) = match answers.task {
        Task::Install if answers.beside => ("install into free space", "nothing is erased"),
        Task::Install => ("install", "everything on the disk will be lost"),
        Task::KeepData => ("reinstall, keep data", "data and settings stay"),
        Task::RepairBoot => ("repair boot", "data and settings stay"),
        Task::ChangeSettings => ("change settings", "the data stay, and all other settings"),
    };
    let mut text = String::new();
    let mut fact = |label: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {label:<18}{value}");
    };
    fact("Task", format!("{task}; {loss}"));
    fact("Disk", format!("the only one with {}", answers.rule));
    match &answers.erase {
        Some(Erase::Serial(serial)) => {
            fact(
                "May erase",
                format!("the disk with serial number {serial:?}"),
            );
        }
        Some(Erase::AnyMatching) => fact("May erase", "whichever disk that is".to_owned()),
        None => {}
    }
    if answers.erase.is_some() {
        fact("May be lost", on_it(answers.consent));
    }
    if answers.ignore_requirements {
        fact(
            "Computer",
            format!("may lack what {} needs", product().name),
        );
    }
    if answers.allow_downgrade {
        fact(
            "Version",
            "may be older than the one on the disk".to_owned(),
        );
    }
    if answers.secure_boot != Enrolment::Leave {
        let kept = match answers.secure_boot {
            Enrolment::EnrollWithFirmware => " beside those of its maker",
            _ => " alone",
        };
        fact(
            "Secure Boot",
            format!("the firmware gets the keys of the medium{kept}"),
        );
    }
    if answers.task == Task::Install {
        for (label, value) in settings(&answers.settings) {
            fact(label, value);
        }
        if let Some(encryption) = &answers.encryption {
            let key = match encryption.recovery {
                Some(_) => "the recovery key is the file's",
                None => "a recovery key is made, and shown until it is written down",
            };
            fact(
                "Data opened by",
                format!("{}; {key}", encryption.protection()),
            );
        }
    }
    fact(
        "Countdown",
        format!("{} seconds at least", answers.countdown),
    );
    if answers.task == Task::ChangeSettings {
        // Of the usual ones, those that the file names.
        let named = changes(&answers.changes);
        let all = settings(&answers.settings).into_iter();
        for (label, value) in all.filter(|(label, _)| named.contains(label)) {
            fact(label, value);
        }
    }
    fact("When done", ending(answers.on_success).to_owned());
    fact("If it fails", ending(answers.on_error).to_owned());
    text
}

/// What the disk may hold that is erased with it.
fn on_it(consent: Consent) -> String {
    let name = &product().name;
    match (consent.installation, consent.foreign) {
        (false, false) => "nothing; a disk that holds data is refused".to_owned(),
        (true, false) => format!("{name} and its data; a disk with data of others is refused"),
        (false, true) => format!("data of others; a disk with {name} on it is refused"),
        (true, true) => "whatever that is".to_owned(),
    }
}

/// The labels of what is changed.
fn changes(changes: &Changes) -> Vec<&'static str> {
    let address = ["Address", "Gateway", "Name servers"];
    let mut labels = Vec::new();
    labels.extend(changes.host_name.as_ref().map(|_| "Host name"));
    labels.extend(changes.node_name.as_ref().map(|_| "Node name"));
    labels.extend(changes.time_server.as_ref().map(|_| "Time server"));
    labels.extend(changes.address.iter().flat_map(|_| address));
    labels
}

fn settings(settings: &Settings) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Host name", settings.host_name.clone()),
        ("Node name", settings.node_name.clone()),
        ("Data partitions", settings.data_partitions.to_string()),
    ];
    if settings.reserved > 0 {
        let size = decimal_size(settings.reserved);
        facts.push(("Reserved", format!("{size} at the end of the disk")));
    }
    if let Some(server) = &settings.time_server {
        facts.push(("Time server", server.clone()));
    }
    match &settings.address {
        Address::Dhcp => facts.push(("Address", "by DHCP".to_owned())),
        Address::Static {
            address,
            prefix,
            gateway,
            name_servers,
        } => {
            facts.push(("Address", format!("{address}/{prefix}")));
            let gateway = gateway.map_or_else(|| "none".to_owned(), |it| it.to_string());
            facts.push(("Gateway", gateway));
            let servers: Vec<String> = name_servers.iter().map(ToString::to_string).collect();
            let servers = if servers.is_empty() {
                "none".to_owned()
            } else {
                servers.join(", ")
            };
            facts.push(("Name servers", servers));
        }
    }
    facts
}

fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Wait => "the screen stays",
        Ending::PowerOff => "the computer is switched off",
        Ending::StartInstalled => "the installation is started",
        Ending::Reboot => "the computer restarts",
    }
}
