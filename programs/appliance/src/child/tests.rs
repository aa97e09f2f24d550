//! Programs that end, talk without end, or do not want to stop.

use super::*;

fn shell(script: &str) -> Supervised {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Supervised::new(command, Instant::now())
}

/// Looks until something happens.
fn next(program: &mut Supervised, lines: &mut Vec<String>) -> Change {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if let Some(change) = program.look(Instant::now(), lines) {
            return change;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("nothing happened");
}

#[test]
fn pauses_double_up_to_a_bound_and_begin_anew_after_a_good_run() {
    let mut backoff = Backoff::default();
    let pauses: Vec<_> = (0..7)
        .map(|_| backoff.next(Duration::ZERO).as_secs())
        .collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(backoff.next(GOOD_RUN), FIRST_PAUSE);
    assert_eq!(backoff.next(Duration::ZERO), FIRST_PAUSE * 2);
}

#[test]
fn what_it_says_is_read_to_the_last_word_and_it_is_started_again() {
    let mut lines = Vec::new();
    let mut program = shell("echo one; echo two >&2; printf three; exit 7");
    assert_eq!(next(&mut program, &mut lines), Change::Started);
    let Change::Ended(status, pause) = next(&mut program, &mut lines) else {
        panic!("not ended");
    };
    assert_eq!(describe(status), "ended with 7");
    assert_eq!(pause, FIRST_PAUSE);
    assert_eq!(lines, ["one", "two", "three"]);
    assert!(!program.is_running());
    let later = Instant::now() + pause;
    assert_eq!(program.look(later, &mut lines), Some(Change::Started));
}

#[test]
fn what_cannot_be_started_is_tried_again() {
    let mut program = Supervised::new(Command::new("/nowhere/x"), Instant::now());
    let change = program.look(Instant::now(), &mut Vec::new()).unwrap();
    let Change::NotStarted(reason, pause) = change else {
        panic!("{change:?}");
    };
    assert!(reason.starts_with("No such file"), "{reason}");
    assert_eq!(pause, FIRST_PAUSE);
    assert_eq!(program.look(Instant::now(), &mut Vec::new()), None);
}

#[test]
fn lines_without_end_are_cut() {
    let mut lines = Vec::new();
    let mut program = shell("head -c 10000 /dev/zero | tr '\\0' x");
    next(&mut program, &mut lines);
    next(&mut program, &mut lines);
    let lengths: Vec<_> = lines.iter().map(String::len).collect();
    assert_eq!(
        lengths,
        [LONGEST_LINE, LONGEST_LINE, 10_000 - 2 * LONGEST_LINE]
    );
}

#[test]
fn a_program_that_closes_its_output_runs_on_and_is_not_read_any_more() {
    let mut lines = Vec::new();
    let mut program = shell("echo last; exec >&- 2>&-; read line");
    let (mut input, writer) = io::pipe().unwrap();
    program.command.stdin(input.try_clone().unwrap());
    assert_eq!(next(&mut program, &mut lines), Change::Started);
    let deadline = Instant::now() + Duration::from_secs(20);
    while program.output().is_some() && Instant::now() < deadline {
        assert_eq!(program.look(Instant::now(), &mut lines), None);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(program.output().is_none() && program.is_running());
    assert_eq!(lines, ["last"]);
    drop(writer);
    let change = next(&mut program, &mut lines);
    assert!(matches!(change, Change::Ended(..)), "{change:?}");
    assert_eq!(input.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_program_that_is_forgotten_ends() {
    let mut program = shell("trap '' TERM; while :; do sleep 0.01; done");
    next(&mut program, &mut Vec::new());
    let pid = Pid::from_child(&program.running.as_ref().unwrap().child);
    drop(program);
    let error = rustix::process::test_kill_process(pid).unwrap_err();
    assert_eq!(error, rustix::io::Errno::SRCH);
}

#[test]
fn it_is_asked_to_stop_and_then_made_to() {
    let mut lines = Vec::new();
    let mut polite =
        shell("trap 'echo bye; printf bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
    let mut stubborn = shell("trap '' TERM; echo ready; while :; do sleep 0.01; done");
    for program in [&mut polite, &mut stubborn] {
        next(program, &mut lines);
        while lines.last().is_none_or(|it| it != "ready") {
            program.read(&mut lines);
        }
        lines.clear();
    }
    polite.stop(Duration::from_secs(20), &mut lines);
    assert_eq!(lines, ["bye", "bye"]);
    let started = Instant::now();
    stubborn.stop(Duration::from_millis(50), &mut lines);
    assert!(started.elapsed() < Duration::from_secs(10));
}
