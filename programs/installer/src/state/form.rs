//! [`State::Settings`]: the settings as text fields, and what they come to.

pub use common::product::Field;
use common::product::product;

use super::{Choices, Confirm, Event, Input, Key, Next, State};
use crate::hardware::{Disk, Sealing, minimum_disk, size_beside};
use crate::install::settings::{self, address, data_partitions, host_name, size, time_server};
use crate::install::{Address, Protection, Settings, Task, most_data_partitions};

/// The settings, as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// What stands in each field of [`Field::ALL`].
    pub inputs: [Input; Field::ALL.len()],
    /// What is wrong with each field, as far as that was looked at.
    pub messages: [Option<String>; Field::ALL.len()],
    /// What opens the data.
    pub protection: Protection,
    /// Index in [`Form::shown`] of the field that is being written.
    pub focus: usize,
    /// The advanced fields are shown.
    pub advanced: bool,
    /// The settings are those of an installation that stays.
    pub is_change: bool,
}

impl Default for Form {
    fn default() -> Self {
        let mut form = Self::of(&Settings::default());
        (form.is_change, form.advanced) = (false, false);
        form
    }
}

impl Form {
    /// The settings of an installation, to be changed.
    pub(super) fn of(settings: &Settings) -> Self {
        let written = settings.address.written();
        let inputs = [
            settings.host_name.clone(),
            settings.node_name.clone(),
            settings.data_partitions.to_string(),
            String::new(),
            String::new(),
            String::new(),
            settings.reserved.to_string(),
            settings.time_server.clone().unwrap_or_default(),
            written.address,
            written.gateway.unwrap_or_default(),
            written.name_servers.join(" "),
        ];
        let mut inputs = inputs.map(Input::new);
        for field in [Field::Passphrase, Field::PassphraseAgain] {
            inputs[field as usize] = Input::secret();
        }
        Self {
            inputs,
            protection: Protection::None,
            messages: Default::default(),
            focus: 0,
            advanced: true,
            is_change: true,
        }
    }

    /// The fields that are shown.
    pub fn shown(&self) -> Vec<Field> {
        let settings = &product().settings;
        let is_shown = |field: &Field| {
            if matches!(field, Field::Passphrase | Field::PassphraseAgain) {
                return !self.is_change && self.protection.has_passphrase();
            }
            let is_asked = settings.asked.contains(field);
            let is_advanced = settings.advanced.contains(field);
            match (self.is_change, self.advanced) {
                (true, _) => (is_asked || is_advanced) && field.can_change(),
                (false, true) => is_asked || is_advanced,
                (false, false) => is_asked,
            }
        };
        Field::ALL.into_iter().filter(is_shown).collect()
    }

    /// What is written comes to these settings for `disk`; or what is wrong with which field.
    pub fn settings(&self, disk: &Disk) -> Result<Settings, Vec<(Field, String)>> {
        let mut wrong = Vec::new();
        let settings = Settings {
            host_name: self.read(Field::HostName, host_name, &mut wrong),
            node_name: self.read(Field::NodeName, host_name, &mut wrong),
            data_partitions: self.read(Field::DataPartitions, data_partitions, &mut wrong),
            reserved: self.read(Field::Reserved, |it| reserved(it, disk), &mut wrong),
            time_server: self.read(Field::TimeServer, time_server, &mut wrong),
            address: self.address(&mut wrong),
        };
        let most = most_data_partitions(disk, settings.reserved);
        if wrong.is_empty() && settings.data_partitions > most {
            let message = format!("This disk has room for {most}.");
            wrong.push((Field::DataPartitions, message));
        }
        if wrong.is_empty() {
            Ok(settings)
        } else {
            Err(wrong)
        }
    }

    fn text(&self, field: Field) -> &str {
        self.inputs[field as usize].text().trim()
    }

    fn read<T: Default>(
        &self,
        field: Field,
        rule: impl Fn(&str) -> Result<T, String>,
        wrong: &mut Vec<(Field, String)>,
    ) -> T {
        rule(self.text(field)).unwrap_or_else(|message| {
            wrong.push((field, message));
            T::default()
        })
    }

    /// The address, with the gateway and the name servers that only a fixed one has.
    fn address(&self, wrong: &mut Vec<(Field, String)>) -> Address {
        let before = wrong.len();
        let mut found = self.read(Field::Address, address, wrong);
        let is_known = wrong.len() == before;
        match &mut found {
            Address::Static {
                address,
                prefix,
                gateway,
                name_servers,
            } => {
                let rule = |text: &str| settings::gateway(text, *address, *prefix);
                *gateway = self.read(Field::Gateway, rule, wrong);
                let rule = |text: &str| settings::name_servers(text.split_whitespace());
                *name_servers = self.read(Field::NameServers, rule, wrong);
            }
            Address::Dhcp if is_known => {
                for field in [Field::Gateway, Field::NameServers] {
                    if !self.text(field).is_empty() {
                        let message = "Only with a fixed address. With dhcp, leave it empty.";
                        wrong.push((field, message.to_owned()));
                    }
                }
            }
            Address::Dhcp => {}
        }
        found
    }

    /// Notes what is wrong with the field that is being left.
    fn leave(&mut self, disk: Option<&Disk>, sealing: Sealing) {
        let field = self.shown()[self.focus];
        let mut wrong = disk.and_then(|disk| self.settings(disk).err());
        if field == Field::Encryption || field == Field::Passphrase {
            wrong = self.encryption(sealing).err();
        }
        self.messages[field as usize] = wrong
            .into_iter()
            .flatten()
            .find_map(|(of, message)| (of == field).then_some(message));
    }
}

fn reserved(text: &str, disk: &Disk) -> Result<u64, String> {
    let reserved = if text.is_empty() { 0 } else { size(text)? };
    let most = disk.size.saturating_sub(minimum_disk());
    if reserved > most {
        let most = size_beside(most, &[reserved]);
        return Err(format!("This disk can spare {most}."));
    }
    Ok(reserved)
}

/// What happens in [`State::Settings`].
pub(super) fn next(mut choices: Choices, event: Event) -> Next {
    match event {
        Event::Key(key) => return on_key(choices, key),
        Event::Scanned(Ok(hardware)) => {
            if let Err(notice) = choices.follow(hardware) {
                choices.notice = Some(notice);
                return State::Disk(choices).alone();
            }
        }
        _ => {}
    }
    State::Settings(choices).alone()
}

fn on_key(mut choices: Choices, key: Key) -> Next {
    let disk = choices.disk().cloned();
    let sealing = choices.hardware.sealing;
    let form = &mut choices.form;
    let last = form.shown().len() - 1;
    match key {
        Key::Esc => return State::Disk(choices).alone(),
        Key::Enter => {
            return match disk {
                Some(disk) => proceed(choices, &disk),
                None => State::Disk(choices).alone(),
            };
        }
        Key::Down | Key::Tab => {
            form.leave(disk.as_ref(), sealing);
            form.focus = match (form.focus == last, key) {
                (true, Key::Tab) => 0,
                (true, _) => last,
                (false, _) => form.focus + 1,
            };
        }
        Key::Up | Key::BackTab => {
            form.leave(disk.as_ref(), sealing);
            form.focus = match (form.focus, key) {
                (0, Key::BackTab) => last,
                (focus, _) => focus.saturating_sub(1),
            };
        }
        Key::Function(2) => {
            form.advanced = !form.advanced;
            form.focus = form.focus.min(form.shown().len() - 1);
        }
        key if form.shown()[form.focus] == Field::Encryption => form.choose(key),
        key => {
            let field = form.shown()[form.focus] as usize;
            if form.inputs[field].press(key) {
                form.messages[field] = None;
            }
        }
    }
    State::Settings(choices).alone()
}

/// On to Confirm, or to the first field that something is wrong with.
fn proceed(mut choices: Choices, disk: &Disk) -> Next {
    choices.form.messages = Default::default();
    let sealing = choices.hardware.sealing;
    match (
        choices.form.settings(disk),
        choices.form.encryption(sealing),
    ) {
        (Ok(settings), Ok(encryption)) => {
            let task = choices.task(disk).unwrap_or(Task::Install);
            let confirm = Confirm::new(choices, task, disk.clone(), settings);
            confirm.encrypted(encryption).begin()
        }
        (settings, encryption) => {
            let mut wrong = settings.err().unwrap_or_default();
            wrong.extend(encryption.err().unwrap_or_default());
            let form = &mut choices.form;
            let is_hidden = |(field, _): &(Field, String)| !form.shown().contains(field);
            form.advanced |= wrong.iter().any(is_hidden);
            let is_wrong = |field: &Field| wrong.iter().any(|(of, _)| of == field);
            form.focus = form.shown().iter().position(is_wrong).unwrap_or(0);
            for (field, message) in wrong {
                form.messages[field as usize] = Some(message);
            }
            State::Settings(choices).alone()
        }
    }
}
