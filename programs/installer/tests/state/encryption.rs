//! Encrypted data: how they are chosen, and how the recovery key is shown once.

use installer::install::{Encryption, Protection};
use installer::state::{Effect, Event, Field, Key, Page, State, next};

use crate::support::states::encryption::{
    PASSPHRASE, WORDS, chosen, confirm, mistyped, question, recovery, sealing,
};
use crate::support::states::{hardware, press, typing};

fn form(state: &State) -> (Protection, Vec<Field>) {
    match state {
        State::Settings(choices) => (choices.form.protection, choices.form.shown()),
        other => panic!("{}", other.name()),
    }
}

fn message(state: &State, field: Field) -> Option<String> {
    match state {
        State::Settings(choices) => choices.form.messages[field as usize].clone(),
        other => panic!("{}", other.name()),
    }
}

#[test]
fn arrows_choose_and_a_passphrase_is_asked_for_where_one_is_needed() {
    let none = vec![
        Field::HostName,
        Field::NodeName,
        Field::DataPartitions,
        Field::Encryption,
    ];
    let asked = [
        none.clone(),
        vec![Field::Passphrase, Field::PassphraseAgain],
    ]
    .concat();
    for (presses, protection, fields) in [
        (0, Protection::None, &none),
        (1, Protection::Tpm, &none),
        (2, Protection::Passphrase, &asked),
        (3, Protection::TpmAndPassphrase, &asked),
        (4, Protection::None, &none),
    ] {
        let state = chosen(sealing(), presses);
        assert_eq!(form(&state), (protection, fields.clone()));
    }
    let left = press(chosen(sealing(), 0), [Key::Left]);
    assert_eq!(form(&left).0, Protection::TpmAndPassphrase);
    // Letters mean nothing there.
    assert_eq!(
        form(&press(left, typing("xyz"))).0,
        Protection::TpmAndPassphrase
    );
}

#[test]
fn what_cannot_be_is_said_at_its_field() {
    let refused = press(chosen(hardware(), 1), [Key::Enter]);
    assert_eq!(
        message(&refused, Field::Encryption).unwrap(),
        "This computer has no TPM 2.0, or its firmware has it switched off."
    );
    let short = press(chosen(sealing(), 2), [Key::Down]);
    let short = press(press(short, typing("too short")), [Key::Enter]);
    assert_eq!(
        message(&short, Field::Passphrase).unwrap(),
        "At least 12 characters are needed."
    );
    assert_eq!(
        message(&mistyped(), Field::PassphraseAgain).unwrap(),
        "This is not the same as above."
    );
}

#[test]
fn what_was_chosen_is_installed_and_nothing_shows_the_passphrase() {
    let state = press(confirm(), typing("321a"));
    let (state, effect) = next(state, Event::Key(Key::Enter));
    let Some(Effect::Install(request)) = effect else {
        panic!("nothing is installed");
    };
    let encryption = Encryption {
        tpm: true,
        passphrase: Some(PASSPHRASE.to_owned().into()),
        recovery: None,
    };
    assert_eq!(request.encryption, Some(encryption));
    for text in [
        format!("{request:?}"),
        format!("{state:?}"),
        format!("{:?}", mistyped()),
    ] {
        assert!(!text.contains("correct"), "{text}");
    }
}

#[test]
fn without_a_choice_nothing_is_encrypted() {
    let state = press(chosen(sealing(), 0), [Key::Enter]);
    let State::Confirm(confirm) = state else {
        panic!("{}", state.name());
    };
    assert_eq!(confirm.encryption, None);
}

#[test]
fn nobody_gets_past_the_recovery_key_without_its_words() {
    let page = |state: &State| match state {
        State::Recovery(recovery) => recovery.page.clone(),
        other => panic!("{}", other.name()),
    };
    for key in [
        Key::Esc,
        Key::Char('r'),
        Key::Char('q'),
        Key::Function(2),
        Key::Other,
    ] {
        assert_eq!(page(&press(recovery(), [key])), Page::Words, "{key:?}");
    }
    let Page::Question { wrong, focus, .. } = page(&question()) else {
        panic!("the words are shown");
    };
    assert_eq!((wrong, focus), (vec![1, 2], 1));
    // Looking again forgets what was typed.
    let again = press(question(), [Key::Esc]);
    assert_eq!(page(&again), Page::Words);
    let again = press(again, [Key::Enter]);
    let right = press(again, typing("advice"));
    let right = press(press(right, [Key::Enter]), typing("ACOU"));
    let right = press(press(right, [Key::Tab]), typing("advi"));
    let done = press(right, [Key::Enter]);
    let State::Done(done) = done else {
        panic!("{}", done.name());
    };
    assert_eq!(done.report.recovery, None, "it is shown once");
}

#[test]
fn nothing_that_is_written_down_has_the_recovery_key() {
    let state = format!("{:?}", recovery());
    for word in WORDS.split(' ') {
        assert!(!state.contains(word), "{word}");
    }
}
