//! The settings and their fields.

use installer::install::{Address, Settings};
use installer::state::{Field, Form, Input, Key, State};

use crate::support::states::{self, hardware, named, press, settings, typing};

#[test]
fn settings_are_written_into_fields() {
    let State::Settings(choices) = press(settings(), [Key::Backspace, Key::Char('Q')]) else {
        panic!("letters are text here");
    };
    assert_eq!(choices.form.inputs[0].text(), "examplQ");
    let focus = |keys: &[Key]| match press(settings(), keys.iter().copied()) {
        State::Settings(choices) => (choices.form.focus, choices.form.advanced),
        other => panic!("{}", other.name()),
    };
    let rows = [
        (&[Key::Down][..], (1, false)),
        (&[Key::Up], (0, false)),
        (&[Key::BackTab], (3, false)),
        (&[Key::Tab, Key::Tab, Key::Tab, Key::Tab], (0, false)),
        (&[Key::Down; 9], (3, false)),
        (&[Key::Function(2), Key::BackTab], (8, true)),
        // What is hidden cannot be written.
        (
            &[Key::Function(2), Key::BackTab, Key::Function(2)],
            (3, false),
        ),
        (&[Key::Function(3)], (0, false)),
    ];
    for (keys, expected) in rows {
        assert_eq!(focus(keys), expected, "{keys:?}");
    }
}

#[test]
fn mistakes_are_shown_when_a_field_is_left_and_all_of_them_at_enter() {
    let messages = |state: &State| match state {
        State::Settings(choices) => choices.form.messages.iter().flatten().count(),
        other => panic!("{}", other.name()),
    };
    let wrong = press(settings(), typing("!"));
    assert_eq!(messages(&wrong), 0);
    let left = press(wrong.clone(), [Key::Down]);
    assert_eq!(messages(&left), 1);
    assert_eq!(messages(&press(left, [Key::Up, Key::Backspace])), 0);
    let State::Settings(choices) = states::mistaken(named("settings-advanced").unwrap()) else {
        panic!("nobody gets on with mistakes");
    };
    assert_eq!(choices.form.messages.iter().flatten().count(), 7);
    assert_eq!(choices.form.focus, 0);
    // A mistake in a field that is hidden comes to light.
    let hidden = press(named("settings-advanced").unwrap(), typing("x"));
    let State::Settings(choices) = press(hidden, [Key::Function(2), Key::Enter]) else {
        panic!("nobody gets on with mistakes");
    };
    assert_eq!((choices.form.focus, choices.form.advanced), (4, true));
}

#[test]
fn the_form_comes_to_settings() {
    let mut state = press(settings(), [Key::Function(2)]);
    let rows = [
        "db-1",
        "north",
        "3",
        "",
        "10 GiB",
        "ntp.example.org",
        "192.0.2.10/24",
        "192.0.2.1",
    ];
    for row in rows.into_iter().chain(["192.0.2.53 192.0.2.54"]) {
        state = press(state, vec![Key::Backspace; 20]);
        state = press(state, typing(row));
        state = press(state, [Key::Down]);
    }
    let State::Confirm(confirm) = press(state, [Key::Enter]) else {
        panic!("these settings are right");
    };
    let found = confirm.settings.clone();
    assert_eq!(found.host_name, "db-1");
    assert_eq!(found.node_name, "north");
    assert_eq!((found.data_partitions, found.reserved), (3, 10 << 30));
    assert_eq!(found.time_server.as_deref(), Some("ntp.example.org"));
    let address = |text: &str| text.parse().unwrap();
    let expected = Address::Static {
        address: address("192.0.2.10"),
        prefix: 24,
        gateway: Some(address("192.0.2.1")),
        name_servers: vec![address("192.0.2.53"), address("192.0.2.54")],
    };
    assert_eq!(found.address, expected);
}

#[test]
fn a_gateway_needs_a_fixed_address() {
    let mut state = press(settings(), [Key::Function(2), Key::BackTab]);
    state = press(state, typing("192.0.2.53"));
    let State::Settings(choices) = press(state, [Key::Enter]) else {
        panic!("nobody gets on with mistakes");
    };
    let message = choices.form.messages[Field::NameServers as usize].as_deref();
    assert_eq!(
        message,
        Some("Only with a fixed address. With dhcp, leave it empty.")
    );
}

#[test]
fn the_usual_settings_are_right() {
    let hardware = hardware();
    let settings = Form::default().settings(&hardware.disks[0]).unwrap();
    assert_eq!(settings, Settings::default());
}

#[test]
fn a_small_disk_has_room_for_few_partitions() {
    let mut hardware = hardware();
    hardware.disks[0].size = 8_000_000_000;
    let mut form = Form::default();
    form.inputs[Field::DataPartitions as usize] = Input::new("6");
    assert!(form.settings(&hardware.disks[0]).is_ok());
    form.inputs[Field::DataPartitions as usize] = Input::new("7");
    let message = "This disk has room for 6.".to_owned();
    let wrong = vec![(Field::DataPartitions, message)];
    assert_eq!(form.settings(&hardware.disks[0]), Err(wrong));
}
