//! Every state that somebody can meet, by name; made of what leads there, as far as that is short.

pub mod encryption;
mod machines;
mod samples;
pub mod sets;

use std::sync::LazyLock;

use installer::hardware::{Hardware, Standing};
use installer::install::{Stage, Task};
use installer::state::{Event, Exit, Key, Purpose, Refused, State, next};

pub use machines::in_setup_mode;
use machines::{
    busy, lacking_memory, many_disks, newer, poor_machine, small_disk, talkative,
    talkative_and_poor, unfinished,
};
pub use samples::*;

use super::{FakeMachine, machine_with_disks};

/// The machine that most states are on; made up once.
pub fn hardware() -> Hardware {
    static HARDWARE: LazyLock<Hardware> = LazyLock::new(|| machine_with_disks().1);
    HARDWARE.clone()
}

/// What events make of a state; what is to be done outside is left out.
pub fn after(state: State, events: impl IntoIterator<Item = Event>) -> State {
    events
        .into_iter()
        .fold(state, |state, event| next(state, event).0)
}

/// What key presses make of a state.
pub fn press(state: State, keys: impl IntoIterator<Item = Key>) -> State {
    after(state, keys.into_iter().map(Event::Key))
}

/// The keys that write `text`.
pub fn typing(text: &str) -> Vec<Key> {
    text.chars().map(Key::Char).collect()
}

/// Welcome on a machine.
pub fn welcome(hardware: Hardware) -> State {
    after(arrived(hardware), [Event::Settled])
}

/// Welcome on a machine that just started.
fn arrived(hardware: Hardware) -> State {
    after(State::start().0, [Event::Scanned(Ok(hardware))])
}

/// The choice of a disk for a purpose, with the pointer `down` rows below the first one that fits.
pub fn disk(hardware: Hardware, purpose: Purpose, down: usize) -> State {
    let keys = match purpose {
        Purpose::Install => vec![Key::Enter],
        Purpose::KeepData => vec![Key::Char('t'), Key::Char('k')],
        Purpose::RepairBoot => vec![Key::Char('t'), Key::Char('p')],
        Purpose::Validate => vec![Key::Char('t'), Key::Char('v')],
        Purpose::ChangeSettings => vec![Key::Char('t'), Key::Char('c')],
    };
    let state = press(welcome(hardware), keys);
    press(state, vec![Key::Down; down])
}

/// The settings for the first disk.
pub fn settings() -> State {
    press(disk(hardware(), Purpose::Install, 0), [Key::Enter])
}

/// The question whether the first disk shall be installed to.
pub fn confirm() -> State {
    press(settings(), [Key::Enter])
}

/// The installation to the first disk, just begun.
pub fn begun() -> State {
    let state = press(confirm(), typing("321a"));
    press(state, [Key::Enter])
}

/// Every state, by name; made once.
pub fn all() -> Vec<(&'static str, State)> {
    static STATES: LazyLock<Vec<(&str, State)>> = LazyLock::new(make_all);
    STATES.clone()
}

fn make_all() -> Vec<(&'static str, State)> {
    let mut states = vec![
        ("splash", State::start().0),
        (
            "exit",
            State::Exit(Exit {
                power_off: false,
                last_words: None,
            }),
        ),
    ];
    states.extend(before_confirm());
    states.extend(confirmations());
    states.extend(afterwards());
    states.extend(secure_boot());
    states.extend(without_anybody());
    states.extend(errors());
    states.extend(sets::of_a_set());
    states
}

/// The state with this name.
pub fn named(name: &str) -> Option<State> {
    let found = all().into_iter().find(|(known, _)| *known == name);
    found.map(|(_, state)| state)
}

fn before_confirm() -> Vec<(&'static str, State)> {
    let install = |hardware, down| disk(hardware, Purpose::Install, down);
    let no_disk = FakeMachine::new().scan(&[]);
    let tools = press(welcome(hardware()), [Key::Char('t'), Key::Down]);
    let advanced = press(settings(), [Key::Function(2), Key::Down, Key::Down]);
    let advanced = press(advanced, [Key::Down, Key::Down]);
    vec![
        ("welcome", welcome(hardware())),
        ("welcome-lacking", welcome(poor_machine())),
        ("welcome-looking", arrived(no_disk.clone())),
        (
            "welcome-out-of-date",
            after(
                welcome(hardware()),
                [Event::Scanned(Err(problem())), Event::Key(Key::Char('b'))],
            ),
        ),
        ("tools", tools.clone()),
        (
            "tools-exported",
            after(press(tools, typing("e")), [exported()]),
        ),
        ("disk", install(hardware(), 0)),
        ("disk-with-installation", install(hardware(), 1)),
        (
            "disk-boot-medium",
            press(install(hardware(), 2), [Key::Enter]),
        ),
        ("disk-unfinished", install(unfinished(true), 1)),
        (
            "disk-unfinished-without-data",
            install(unfinished(false), 1),
        ),
        ("disk-many", install(many_disks(), 9)),
        ("disk-small", install(small_disk(), 1)),
        ("disk-none", install(no_disk, 0)),
        ("disk-keep-data", disk(hardware(), Purpose::KeepData, 0)),
        (
            "disk-repair-boot",
            disk(unfinished(false), Purpose::RepairBoot, 1),
        ),
        ("settings", settings()),
        ("settings-advanced", advanced.clone()),
        ("settings-mistakes", mistaken(advanced)),
        ("settings-encryption", encryption::choice()),
        ("settings-passphrase", encryption::mistyped()),
    ]
}

/// The settings with something wrong in every field.
pub fn mistaken(advanced: State) -> State {
    let rows = [
        "Example",
        "-node",
        "9",
        "",
        "20 TB",
        "a b",
        "192.0.2.10/24",
        "192.0.3.1",
        "dns",
    ];
    let mut state = press(advanced, vec![Key::Up; rows.len()]);
    for row in rows {
        state = press(state, vec![Key::Backspace; 20]);
        state = press(state, typing(row));
        state = press(state, [Key::Down]);
    }
    press(state, [Key::Enter])
}

fn confirmations() -> Vec<(&'static str, State)> {
    let mut nameless = hardware();
    nameless.disks[0].serial = None;
    nameless.disks[0].contents.as_mut().unwrap().parts.clear();
    let nameless = disk(nameless, Purpose::Install, 0);
    let mut crowded = many_disks();
    for number in 4..=9 {
        let contents = crowded.disks[0].contents.as_mut().unwrap();
        let mut part = contents.parts[2].clone();
        part.number = Some(number);
        contents.parts.push(part);
    }
    let crowded = press(disk(crowded, Purpose::Install, 0), [Key::Enter]);
    let crowded = press(crowded, [Key::Down, Key::Down, Key::Backspace]);
    let crowded = press(crowded, typing("8"));
    let change = press(disk(hardware(), Purpose::ChangeSettings, 0), [Key::Enter]);
    let chosen = |purpose| press(disk(hardware(), purpose, 0), [Key::Enter]);
    vec![
        ("confirm", press(confirm(), typing("32"))),
        ("confirm-wrong", press(confirm(), typing("1234"))),
        ("confirm-proven", press(confirm(), typing("321a"))),
        (
            "confirm-without-serial",
            press(nameless, [Key::Enter, Key::Enter]),
        ),
        ("disk-crowded", press(crowded.clone(), [Key::Esc])),
        ("confirm-crowded", press(crowded, [Key::Enter])),
        ("confirm-long", longest()),
        ("confirm-encrypted", encryption::confirm()),
        ("confirm-keep-encrypted", encryption::kept()),
        ("confirm-keep-data", chosen(Purpose::KeepData)),
        ("confirm-repair-boot", chosen(Purpose::RepairBoot)),
        ("settings-change", change.clone()),
        (
            "confirm-change",
            press(press(change, typing("-7")), [Key::Enter]),
        ),
        (
            "confirm-downgrade",
            press(
                disk(newer(), Purpose::RepairBoot, 0),
                [Key::Enter, Key::Char('y'), Key::Char('z')],
            ),
        ),
    ]
}

/// The question with everything as long as it may be.
fn longest() -> State {
    let mut hardware = many_disks();
    hardware.disks[0].serial = Some("0123456789".repeat(12) + "WXYZ");
    let mut state = press(disk(hardware, Purpose::Install, 0), [Key::Enter]);
    state = press(state, [Key::Function(2)]);
    let label = "a-name-of-63-characters-".repeat(3);
    let server = format!("{0}.{0}.{0}", &label[..63]);
    let rows = [
        &label[..63],
        &label[..63],
        "8",
        "",
        "10 GiB",
        &server,
        "2001:db8:1111:2222:3333:4444:5555:6666/64",
        "2001:db8:1111:2222:3333:4444:5555:7777",
        "2001:db8:1111:2222:3333:4444:5555:8888 2001:db8:1111:2222:3333:4444:5555:9999",
    ];
    for row in rows {
        state = press(state, vec![Key::Backspace; 20]);
        state = press(state, typing(row));
        state = press(state, [Key::Down]);
    }
    press(press(state, [Key::Enter]), typing("wxyz"))
}

/// States with values as long as devices, firmware and people may make them.
pub fn all_longest() -> Vec<(&'static str, State)> {
    let hardware = talkative();
    let choose = |purpose| disk(hardware.clone(), purpose, 0);
    let proven = |purpose| {
        let chosen = press(choose(purpose), [Key::Enter]);
        let chosen = match purpose {
            Purpose::Install => press(chosen, [Key::Enter]),
            _ => chosen,
        };
        press(chosen, typing("wxyz"))
    };
    let working = press(proven(Purpose::Install), [Key::Enter]);
    let finished = |outcome| after(working.clone(), [Event::Finished(outcome)]);
    let found = |plan| after(welcome(hardware.clone()), [Event::Answers(Ok(plan))]);
    let tools = press(welcome(hardware.clone()), typing("te"));
    let mut settings = press(choose(Purpose::Install), [Key::Enter, Key::Function(2)]);
    for row in [
        "Example",
        "-node",
        "99",
        "",
        "20 TB",
        "a b",
        "192.0.2.10/240",
        "x",
        "y",
    ] {
        settings = press(settings, vec![Key::Backspace; 20]);
        settings = press(settings, typing(row));
        settings = press(settings, [Key::Down]);
    }
    let servers = "not-an-address-but-a-name-of-some-length.example.org ".repeat(4);
    settings = press(settings, typing(&servers));
    settings = press(settings, vec![Key::Up; 2]);
    settings = press(
        settings,
        [vec![Key::Backspace; 20], typing("192.0.2.10/24")].concat(),
    );
    let settings = press(settings, [Key::Enter, Key::Down, Key::Down, Key::Enter]);
    vec![
        ("welcome", welcome(hardware.clone())),
        ("welcome-lacking", welcome(talkative_and_poor())),
        ("tools", after(tools, [exported()])),
        ("disk", choose(Purpose::Install)),
        ("disk-keep-data", choose(Purpose::KeepData)),
        ("settings", settings),
        ("confirm", proven(Purpose::Install)),
        ("confirm-keep-data", proven(Purpose::KeepData)),
        ("confirm-repair-boot", proven(Purpose::RepairBoot)),
        ("progress", after(working.clone(), vec![Event::Second; 12])),
        ("done", finished(Ok(longest_report()))),
        ("exit", press(finished(Ok(longest_report())), typing("p"))),
        (
            "error-install",
            after(finished(Err(longest_failure())), [exported()]),
        ),
        (
            "exit-failed",
            press(finished(Err(longest_failure())), typing("q")),
        ),
        (
            "error-answers",
            after(
                welcome(hardware.clone()),
                [Event::Answers(Err(longest_refused()))],
            ),
        ),
        (
            "unattended",
            found(longest_plan(
                "serial",
                &hardware.disks[0].serial.clone().unwrap(),
            )),
        ),
        ("unattended-waiting", found(longest_plan("model", "*"))),
        ("validate", {
            let reading = press(choose(Purpose::Validate), [Key::Enter]);
            let findings = vec![findings(true); 6].concat();
            let name = hardware.disks[0].name.clone();
            after(reading, [Event::Validated(name, findings)])
        }),
    ]
}

fn afterwards() -> Vec<(&'static str, State)> {
    let working = after(
        begun(),
        [
            progress(Stage::Prepare, 0, 0),
            progress(Stage::System, 40, 1),
            progress(Stage::System, 130, 2),
            progress(Stage::Data, 187, 3),
        ],
    );
    let repair = press(disk(hardware(), Purpose::RepairBoot, 0), [Key::Enter]);
    let repair = press(repair, typing("yz7p"));
    let repair = press(repair, [Key::Enter]);
    let done = |report| after(begun(), [Event::Finished(Ok(report))]);
    let long = press(done(long_report()), [Key::Down, Key::Down]);
    let validating = press(disk(hardware(), Purpose::Validate, 0), [Key::Enter]);
    let validated = |bad| {
        let event = Event::Validated("sda".to_owned(), findings(bad));
        after(validating.clone(), [event])
    };
    let done_words = press(done(report(Task::Install)), typing("p"));
    vec![
        ("progress-begun", begun()),
        ("progress", working.clone()),
        ("progress-silent", after(working, vec![Event::Second; 12])),
        (
            "progress-repair-boot",
            after(repair, [progress(Stage::System, 200, 1)]),
        ),
        ("recovery", encryption::recovery()),
        ("recovery-wrong", encryption::question()),
        ("done", done(report(Task::Install))),
        ("done-keep-data", done(report(Task::KeepData))),
        ("done-with-warnings", done(long_report())),
        ("done-with-warnings-scrolled", long),
        (
            "done-exported",
            after(
                press(done(report(Task::Install)), typing("e")),
                [exported()],
            ),
        ),
        ("exit-installed", done_words),
        ("validate-reading", validating.clone()),
        ("validate", validated(false)),
        ("validate-bad", validated(true)),
    ]
}

fn without_anybody() -> Vec<(&'static str, State)> {
    let follow = |hardware, text: &str| {
        let found = Event::Answers(Ok(plan_of(text)));
        after(welcome(hardware), [found])
    };
    let found = |hardware| follow(hardware, ANSWERS);
    let mut other = hardware();
    other.disks.remove(0);
    let done = after(found(hardware()), vec![Event::Second; 10]);
    let done = after(done, [Event::Finished(Ok(report(Task::Install)))]);
    let refused = after(follow(hardware(), AGAIN), vec![Event::Second; 13]);
    let replace = format!("ignore_requirements = true\n{AGAIN}replace_installation = true\n");
    vec![
        ("unattended", found(hardware())),
        ("unattended-waiting", found(other)),
        ("unattended-busy", found(busy(many_disks()))),
        ("unattended-change", follow(hardware(), CHANGE)),
        ("unattended-replacing", follow(lacking_memory(), &replace)),
        ("unattended-done", done),
        ("error-installed", refused.clone()),
        (
            "error-installed-refused",
            after(
                refused,
                [key_event('s'), Event::Starting(Err(not_started()))],
            ),
        ),
        (
            "welcome-passed-over",
            after(found(hardware()), [key_event(' ')]),
        ),
        (
            "welcome-almost",
            after(
                welcome(hardware()),
                [Event::NoAnswers(Some(of_other_label()))],
            ),
        ),
    ]
}

/// Where the firmware takes keys, and what comes of it.
fn secure_boot() -> Vec<(&'static str, State)> {
    let setup = |has_others| in_setup_mode(Standing::Wanted, has_others);
    let install = |hardware| press(disk(hardware, Purpose::Install, 0), [Key::Enter; 2]);
    let begun = in_setup_mode(Standing::Begun, false);
    let begun = press(disk(begun, Purpose::RepairBoot, 0), [Key::Enter]);
    let confirm = press(install(setup(true)), [Key::Down, Key::Enter]);
    let done = press(press(confirm.clone(), typing("321a")), [Key::Enter]);
    let mut report = report(Task::Install);
    report.notes.push(
        "The firmware has the keys of this medium now: from the next start on, Secure Boot is on and lets nothing \
         start but what they have signed."
            .to_owned(),
    );
    let answers = format!("secure_boot = \"enroll\"\n{ANSWERS}");
    let found = Event::Answers(Ok(plan_of(&answers)));
    vec![
        ("welcome-setup-mode", welcome(setup(false))),
        ("secureboot", install(setup(true))),
        (
            "secureboot-chosen",
            press(install(setup(false)), [Key::Down; 3]),
        ),
        ("secureboot-begun", begun),
        ("confirm-enroll", confirm),
        ("done-enrolled", after(done, [Event::Finished(Ok(report))])),
        ("unattended-enroll", after(welcome(setup(false)), [found])),
    ]
}

fn key_event(letter: char) -> Event {
    Event::Key(Key::Char(letter))
}

fn errors() -> Vec<(&'static str, State)> {
    let scan = after(State::start().0, [Event::Scanned(Err(problem()))]);
    let failed = after(
        begun(),
        [
            progress(Stage::Data, 187, 3),
            Event::Finished(Err(failure())),
        ],
    );
    let mut moved = hardware();
    moved.disks[0].wwn = None;
    let began = press(disk(moved.clone(), Purpose::Install, 0), [Key::Enter; 2]);
    let began = press(press(began, typing("321a")), [Key::Enter]);
    "sdz".clone_into(&mut moved.disks[0].name);
    moved.disks[0].sequence = 99;
    "elsewhere".clone_into(&mut moved.disks[0].place);
    let events = [Event::Finished(Err(failure())), Event::Scanned(Ok(moved))];
    let again = press(after(began, events), typing("r"));
    let problems = refused().problems;
    let many = Refused {
        problems: vec![problems; 5].concat(),
        ..refused()
    };
    let refused = after(welcome(hardware()), [Event::Answers(Err(refused()))]);
    let many = after(welcome(hardware()), [Event::Answers(Err(many))]);
    let many = press(many, [Key::Down]);
    vec![
        ("error", scan.clone()),
        (
            "error-exported",
            after(press(scan, typing("e")), [exported()]),
        ),
        ("error-install", failed.clone()),
        ("confirm-again", again),
        (
            "error-install-exported",
            after(press(failed, typing("e")), [exported()]),
        ),
        ("error-answers", refused),
        ("error-answers-many", many),
    ]
}
