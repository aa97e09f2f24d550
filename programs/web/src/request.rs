//! Reads the head of an HTTP/1.x request (RFC 9112, sections 2 to 5), as much of it as a server of
//! two fixed pages needs, and rejects the rest.

/// The longest head: request line and fields.
pub(super) const MAX_HEAD: usize = 8192;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    /// Whether only the head of the answer is wanted.
    pub(super) head_only: bool,
    /// The path, without a query.
    pub(super) path: &'a str,
}

/// Why a request is rejected: the status code of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rejected(pub(super) u16);

/// Where the head ends in `bytes`, after its empty line, if that has been received.
pub(super) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|it| it == b"\r\n\r\n")?;
    Some(at + 4)
}

/// Parses a head, with its empty line.
pub(super) fn parse(head: &[u8]) -> Result<Request<'_>, Rejected> {
    let text = std::str::from_utf8(head).map_err(|_| Rejected(400))?;
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Rejected(400));
    };
    let minor = match version.as_bytes() {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            minor @ b'0'..=b'9',
        ] => *minor,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            return Err(Rejected(505));
        }
        _ => return Err(Rejected(400)),
    };
    let mut hosts = 0;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(Rejected(400))?;
        if name.is_empty() || !name.bytes().all(is_token) || value.bytes().any(is_control) {
            return Err(Rejected(400));
        }
        hosts += u32::from(name.eq_ignore_ascii_case("host"));
    }
    // RFC 9112, section 3.2: HTTP/1.1 wants exactly one.
    if hosts > 1 || (hosts == 0 && minor > b'0') {
        return Err(Rejected(400));
    }
    let head_only = match method {
        "GET" => false,
        "HEAD" => true,
        _ if !method.is_empty() && method.bytes().all(is_token) => return Err(Rejected(405)),
        _ => return Err(Rejected(400)),
    };
    Ok(Request {
        head_only,
        path: path(target)?,
    })
}

/// The path of a request target in origin form or absolute form (RFC 9112, section 3.2).
fn path(target: &str) -> Result<&str, Rejected> {
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Rejected(400));
    }
    let rest = match target.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => {
            rest.find('/').map_or("/", |at| &rest[at..])
        }
        _ => target,
    };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    path.starts_with('/').then_some(path).ok_or(Rejected(400))
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_clients_send() {
        let rows = [
            ("GET /status HTTP/1.1\r\nHost: x\r\n\r\n", false, "/status"),
            ("HEAD / HTTP/1.0\r\n\r\n", true, "/"),
            (
                "GET /status?x=/ HTTP/1.1\r\nhost:x\r\nA-b: \tc\r\n\r\n",
                false,
                "/status",
            ),
            (
                "GET http://x:8080/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
                false,
                "/healthz",
            ),
            ("GET HTTP://x HTTP/1.1\r\nHost: x\r\n\r\n", false, "/"),
        ];
        for (text, head_only, path) in rows {
            assert_eq!(
                parse(text.as_bytes()),
                Ok(Request { head_only, path }),
                "{text}"
            );
            assert_eq!(end_of_head(text.as_bytes()), Some(text.len()));
            assert_eq!(end_of_head(&text.as_bytes()[..text.len() - 1]), None);
        }
    }

    #[test]
    fn rejects_everything_else_with_the_right_code() {
        let rows = [
            ("POST /status HTTP/1.1\r\nHost: x\r\n\r\n", 405),
            ("get / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
            ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: x\ny\r\n\r\n", 400),
            ("GET status HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400),
            ("GET / http/1.1\r\nHost: x\r\n\r\n", 400),
            ("GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            ("\r\n\r\n", 400),
            ("GET /\r\n\r\n", 400),
        ];
        for (text, code) in rows {
            assert_eq!(parse(text.as_bytes()), Err(Rejected(code)), "{text:?}");
        }
        assert_eq!(parse(b"GET /\xff HTTP/1.0\r\n\r\n"), Err(Rejected(400)));
    }
}
