//! `unlock` and `lock` on machines whose data are encrypted, with programs that only look like cryptsetup's.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use appliance::data::{CheckResult, DataState, Encryption};
use support::Machine;
use support::encrypted::Person;
use uuid::Uuid;

const HERE: Uuid = Uuid::from_u128(1);
/// Sealed to the signature of the system alone, as an installer leaves it …
const SEALED: &str = r#""0":{"type":"systemd-recovery","keyslots":["0"]},
    "1":{"type":"systemd-tpm2","keyslots":["1"],"tpm2-pcrs":[]}"#;
/// … and bound to a machine, which was started so.
const BOUND: &str = r#""0":{"type":"systemd-recovery","keyslots":["0"]},
    "1":{"type":"systemd-tpm2","keyslots":["1"],"tpm2-pcrs":[7,12]},
    "2":{"type":"measured-when-sealed","keyslots":[],"pcrs":{"7":"ZEROES","12":"ZEROES"},"events":[]}"#;
const WORDS: &str =
    "letter advice cage absurd amount doctor acoustic avoid letter advice cage above";
const PROMPT: &str = "Passphrase or recovery key: ";

/// A machine with an encrypted partition, and somebody at its serial console.
fn machine(tokens: &str) -> (Machine, Person) {
    let machine = Machine::new();
    machine.disk("sda", HERE, 512, &["EXAMPLE_DATA"]);
    machine.booted_from(HERE);
    let tokens = tokens.replace("ZEROES", &"00".repeat(32));
    machine.encrypted("sda2", &tokens, &[WORDS, "correct horse"]);
    let person = machine.person("ttyS0");
    (machine, person)
}

/// A program that waits for somebody, and for nobody any more when a test has failed.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn unlock(machine: &Machine) -> Program {
    Program(machine.appliance("unlock").spawn().unwrap())
}

fn ends(mut program: Program) {
    assert!(program.0.wait().unwrap().success());
}

/// What the programs were called for.
fn calls(machine: &Machine) -> Vec<String> {
    let calls = machine.read("calls");
    calls
        .lines()
        .map(|line| line.replace(&machine.path("").display().to_string(), "/"))
        .collect()
}

fn encryption(machine: &Machine) -> Encryption {
    machine.check();
    DataState::read(machine.root()).partitions[0].encrypted
}

#[test]
fn the_tpm_opens_the_data_and_the_first_start_binds_them_to_the_machine() {
    let (machine, _person) = machine(SEALED);
    machine.tpm(&[(7, 0xAA), (11, 0), (12, 0)], true);
    machine.write("tpm.sda2", "");
    ends(unlock(&machine));
    assert_eq!(
        calls(&machine),
        [
            "attach data sda2",
            "enroll --unlock-tpm2-device --tpm2-pcrs=7+12 by ''",
            "cryptsetup token import --json-file=- /dev/sda2"
        ]
    );
    let token: serde_json::Value = serde_json::from_str(&machine.read("token")).unwrap();
    assert_eq!(token["type"], "measured-when-sealed");
    assert_eq!(token["pcrs"]["7"], "aa".repeat(32));
    let signature = machine.read("run/systemd/tpm2-pcr-signature.json");
    assert_eq!(signature, machine.read(".extra/tpm2-pcr-signature.json"));
    // TPM2_PCR_Event of PCR 11.
    let measured = fs::read(machine.path("dev/tpmrm0")).unwrap();
    assert_eq!(
        measured[..14],
        [0x80, 2, 0, 0, 0, 41, 0, 0, 1, 0x3C, 0, 0, 0, 11]
    );
    assert!(measured.ends_with(b"\0\x0cleave-initrd"));

    assert_eq!(encryption(&machine), Encryption::Tpm);
    let link = fs::read_link(machine.path("run/example/data-device")).unwrap();
    assert_eq!(link.to_str(), Some("/dev/mapper/data"));
    let call = "e2fsck -p /dev/mapper/data".to_owned();
    assert_eq!(calls(&machine)[3], call);
    assert!(machine.appliance("lock").status().unwrap().success());
    assert_eq!(calls(&machine)[4], "cryptsetup close data");
    assert!(!machine.path("dev/mapper/data").exists());
}

#[test]
fn data_that_are_bound_are_opened_and_nothing_more() {
    let (machine, _person) = machine(BOUND);
    machine.tpm(&[(7, 0), (11, 0), (12, 0)], true);
    machine.write("tpm.sda2", "");
    ends(unlock(&machine));
    assert_eq!(calls(&machine), ["attach data sda2"]);
}

#[test]
fn a_binding_that_fails_is_told_and_keeps_nobody_from_the_data() {
    let (machine, _person) = machine(SEALED);
    machine.tpm(&[(7, 0), (11, 0), (12, 0)], true);
    machine.write("tpm.sda2", "");
    machine.write("enroll", "The TPM is full.\n");
    ends(unlock(&machine));
    assert_eq!(encryption(&machine), Encryption::Tpm);
    let state = DataState::read(machine.root());
    assert_eq!(
        state.warning.unwrap().message,
        "EXAMPLE_DATA could not be bound to this computer. systemd-cryptenroll: The TPM is full."
    );
    assert_eq!(state.partitions[0].result, CheckResult::Clean);
}

#[test]
fn the_reason_is_told_the_words_open_the_data_and_they_are_bound_again() {
    let (machine, mut person) = machine(BOUND);
    machine.tpm(&[(7, 0), (11, 0), (12, 1)], true);
    let program = unlock(&machine);
    let told = person.sees(PROMPT);
    let reason =
        "The TPM does not open the data. PCR 12 changed: the kernel was given another command line";
    assert!(told.contains(reason), "{told}");
    person
        .types("letter advise cage absurd amount doctor acoustic avoid letter advice cage above\r");
    person.sees("example: Word 2 is no word that a recovery key has.");
    person.sees(PROMPT);
    let short = "LETT advi cage absu amou doct acou avoi lett advi cage abov";
    person.types(&format!("{short}\r\n"));
    let told = person.sees("Bind the data to this computer again? [Y/n] ");
    assert!(!told.contains("lett"), "{told}");
    assert!(
        told.contains(&"*".repeat(40)) && told.contains("Secure Boot off"),
        "{told}"
    );
    person.types("\r");
    person.sees("The data are bound to this computer.");
    person.sees("The data are open.");
    ends(program);
    let all = calls(&machine);
    assert_eq!(
        all[all.len() - 4..],
        [
            "cryptsetup open --type=luks2 --key-file=- /dev/sda2 data".to_owned(),
            format!("enroll --unlock-key-file --tpm2-pcrs= by '{WORDS}'"),
            format!("enroll --unlock-key-file --tpm2-pcrs=7+12 by '{WORDS}'"),
            "cryptsetup token import --json-file=- --token-id=2 --token-replace /dev/sda2"
                .to_owned()
        ]
    );
    assert_eq!(encryption(&machine), Encryption::Recovery);
    let log = machine.read("run/example/appliance.log");
    assert!(!log.contains("advise") && !log.contains("LETT"), "{log}");
}

#[test]
fn whoever_answers_first_on_any_console_is_heard_and_nothing_is_bound_unasked() {
    let (machine, mut person) = machine(BOUND);
    machine.write("sys/class/tty/console/active", "tty0 ttyS0\n");
    machine.tpm(&[(7, 1), (11, 0), (12, 0)], true);
    let mut screen = machine.person("tty1");
    let program = unlock(&machine);
    person.sees(PROMPT);
    person.types("corr");
    person.sees("****");
    let page = screen.sees(PROMPT);
    assert!(
        page.contains("Service     not started: the data are closed"),
        "{page}"
    );
    screen.types("correct horse\r");
    screen.sees("Bind the data to this computer again? [Y/n] ");
    person.sees("(This is answered at tty1.) ");
    person.types("y\r");
    screen.types("n\r");
    person.sees("The data are open.");
    ends(program);
    assert!(
        calls(&machine)
            .iter()
            .all(|call| !call.starts_with("enroll"))
    );
    assert_eq!(encryption(&machine), Encryption::Passphrase);
}

#[test]
fn data_without_a_key_in_a_tpm_wait_for_their_passphrase_and_nothing_else() {
    let (machine, mut person) = machine("");
    let program = unlock(&machine);
    let told = person.sees(PROMPT);
    assert!(told.contains("The data open by a passphrase."), "{told}");
    person.types("\r");
    person.types("wrong horse\r");
    person.sees("example: That is neither the passphrase nor the recovery key.");
    person.sees(PROMPT);
    person.types("correct horse\r");
    person.sees("The data are open.");
    ends(program);
    assert_eq!(encryption(&machine), Encryption::Passphrase);
    assert!(
        calls(&machine)
            .iter()
            .all(|call| call.starts_with("cryptsetup open") || call.starts_with("e2fsck"))
    );
}

#[test]
fn a_machine_that_is_to_end_does_not_wait_for_anybody() {
    let (machine, mut person) = machine(BOUND);
    machine.program(
        "sbin/acpid",
        "#!/bin/sh\necho \"acpid $1\" >>\"${0%/sbin/*}/calls\"\nexec sleep 600\n",
    );
    let program = unlock(&machine);
    let told = person.sees(PROMPT);
    assert!(told.contains("This computer shows no TPM"), "{told}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while calls(&machine).is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    // As when the power button was pressed.
    machine.write("proc/1/status", "ShdPnd:\t0000000000000800\n");
    ends(program);
    assert_eq!(calls(&machine), ["acpid -f"]);
    assert_eq!(encryption(&machine), Encryption::Closed);
    let state = DataState::read(machine.root());
    assert_eq!(state.partitions[0].result, CheckResult::Closed);
    let message = state.problem(&[]).unwrap().message;
    let expected =
        "EXAMPLE_DATA on sda2 is encrypted, and was not opened. This computer shows no TPM";
    assert!(message.starts_with(expected), "{message}");
    assert!(fs::read_link(machine.path("run/example/data-device")).is_err());
}

#[test]
fn data_that_are_not_encrypted_are_left_alone() {
    let machine = Machine::new();
    machine.disk("sda", HERE, 512, &["EXAMPLE_DATA"]);
    machine.write("dev/sda2", "a file system");
    machine.booted_from(HERE);
    ends(unlock(&machine));
    assert_eq!(encryption(&machine), Encryption::No);
    assert_eq!(calls(&machine), ["e2fsck -p /dev/sda2"]);
    assert!(machine.appliance("lock").status().unwrap().success());
}
