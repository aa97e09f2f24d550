//! What platforms call user data: whatever somebody hands to a machine. Here it is an answer file, or nothing
//! that this system follows.

/// What text begins with that is for other programs: cloud-init, "User data formats"; a script.
const FOREIGN: [(&[u8], &str); 9] = [
    (b"#cloud-config", "a #cloud-config"),
    (b"#cloud-boothook", "a #cloud-boothook"),
    (b"#include", "an #include"),
    (b"#part-handler", "a #part-handler"),
    (b"## template:", "a template"),
    (b"#!", "a script"),
    (b"Content-Type:", "a MIME message"),
    (b"MIME-Version:", "a MIME message"),
    (b"\x1f\x8b", "compressed"),
];

/// The answer file in `bytes`, of which `name` says where they come from; `None` if there is nothing but
/// comments, or what is for another program, which is said in the log.
pub(super) fn answer_file(name: &str, bytes: Vec<u8>) -> Option<Vec<u8>> {
    let start = bytes.trim_ascii_start();
    let foreign = FOREIGN.iter().find(|(first, _)| {
        let start = start.get(..first.len());
        start.is_some_and(|it| it.eq_ignore_ascii_case(first))
    });
    if let Some((_, what)) = foreign {
        tracing::info!("user data from {name} is {what}, which this system does not follow");
        return None;
    }
    let mut lines = start.split(|it| *it == b'\n').map(<[u8]>::trim_ascii);
    let says_something = lines.any(|it| !it.is_empty() && !it.starts_with(b"#"));
    says_something.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_others_is_not_followed() {
        let rows: [(&[u8], bool); 12] = [
            (b"version = 1\n", true),
            (b"# ours\nversion = 1\n", true),
            (b"nonsense", true),
            (b"", false),
            (b"\n# nothing\n", false),
            (b"#cloud-config\nversion: 1\n", false),
            (b"\n  #Cloud-Config\nversion: 1\n", false),
            (b"#!/bin/sh\nreboot\n", false),
            (b"Content-type: multipart/mixed\n", false),
            (b"\x1f\x8b\x08", false),
            (b"## template: jinja\n#cloud-config\n", false),
            (b"#include\nhttp://example.org\n", false),
        ];
        for (bytes, expected) in rows {
            let found = answer_file("here", bytes.to_vec());
            assert_eq!(found.as_deref(), expected.then_some(bytes));
        }
    }
}
