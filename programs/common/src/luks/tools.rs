//! The programs: how they are started, given secrets, and what they say.

use std::io::{Error, ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::problem::Problem;
use crate::secret::Secret;

/// Makes, opens and closes.
pub(super) const CRYPTSETUP: &str = "usr/sbin/cryptsetup";
/// Adds keys of a TPM, and takes them away.
pub(super) const ENROLL: &str = "usr/bin/systemd-cryptenroll";
/// Opens by a TPM.
pub(super) const UNLOCK: &str = "usr/bin/systemd-cryptsetup";

/// How a program ended.
pub(super) struct Said {
    program: String,
    /// Its exit status; none if a signal ended it.
    pub(super) code: Option<i32>,
    /// Its last line on standard error.
    line: String,
}

impl Said {
    /// That it succeeded; else what it said.
    pub(super) fn success(self) -> Result<(), Problem> {
        let Self {
            program,
            code,
            line,
        } = self;
        let ended = match code {
            Some(0) => return Ok(()),
            Some(code) => format!("{program} ended with {code}"),
            None => format!("{program} was ended by a signal"),
        };
        let reason = if line.is_empty() {
            ended
        } else {
            format!("{program}: {line}")
        };
        Err(Problem::new(
            reason,
            "Try again; if it happens again, export the logs.",
        ))
    }
}

/// Runs `program` of the system below `root`: `arguments`, then `names`; its standard input is `secrets`, one behind
/// the other. Fails if it cannot be run.
pub(super) fn run(
    root: &Path,
    program: &str,
    arguments: &[&str],
    names: &[&Path],
    secrets: &[&Secret],
) -> Result<Said, Problem> {
    let broken = |error: Error| {
        Problem::new(
            format!("/{program} cannot be run: {error}."),
            "The medium or the image is damaged: write it again, or build it again.",
        )
    };
    let output = talk(root, program, arguments, names, secrets).map_err(broken)?;
    let said = String::from_utf8_lossy(&output.stderr);
    for line in said.lines() {
        tracing::info!(program, line, "said");
    }
    Ok(Said {
        program: program.rsplit('/').next().unwrap_or(program).to_owned(),
        code: output.status.code(),
        line: said.lines().last().unwrap_or_default().trim().to_owned(),
    })
}

/// Where Debian has libraries, and systemd its own: those of the system below `root`, wherever that lies.
fn libraries(root: &Path) -> String {
    let folder = root.join("usr/lib/x86_64-linux-gnu");
    let folder = folder.display();
    format!("{folder}:{folder}/systemd")
}

fn talk(
    root: &Path,
    program: &str,
    arguments: &[&str],
    names: &[&Path],
    secrets: &[&Secret],
) -> Result<Output, Error> {
    let mut child = Command::new(root.join(program))
        .args(arguments)
        .args(names)
        .env_clear()
        // There is no udev: libdevmapper is to make device nodes itself, and to wait for nobody.
        .env("DM_DISABLE_UDEV", "1")
        .env("LD_LIBRARY_PATH", libraries(root))
        // systemd's own code goes through the header's tokens; cryptsetup's plugin for that is not there.
        .env("SYSTEMD_CRYPTSETUP_USE_TOKEN_MODULE", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        for secret in secrets {
            match input.write_all(secret.reveal().as_bytes()) {
                // It ended before it read that: it says why.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                other => other?,
            }
        }
    }
    child.wait_with_output()
}
