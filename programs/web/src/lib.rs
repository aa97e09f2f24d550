//! Answers GET and HEAD over HTTP/1.1, one request a connection, within fixed bounds: how long a
//! head may be, how long a client may take, and how many may come at once. Knows nothing of what
//! it answers.

mod request;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use request::{MAX_HEAD, Rejected, Request, end_of_head, parse};

/// How many connections are answered at a time; more are told to come back.
const MOST_CONNECTIONS: usize = 32;
/// How long a client may take for its request, and as long again for taking the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait after the system refused a connection, so that this does not turn into a spin.
const PAUSE: Duration = Duration::from_millis(100);
/// A thread here reads a head and writes an answer.
const STACK: usize = 128 * 1024;

/// Knows the answers.
pub trait Answer: Send + Sync + 'static {
    /// Answers a GET of `path`, which begins with a slash and has no query.
    fn answer(&self, path: &str) -> Reply;
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Reply {
    /// An answer of any type.
    pub fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type,
            body,
        }
    }

    /// A line of text.
    pub fn text(status: u16, line: &str) -> Self {
        let body = format!("{line}\n").into_bytes();
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// The reply as it goes over the line (RFC 9112, section 6); without the body for HEAD.
    fn bytes(&self, head_only: bool) -> Vec<u8> {
        let reason = reason(self.status);
        let allow = match self.status {
            405 => "Allow: GET, HEAD\r\n",
            503 => "Retry-After: 5\r\n",
            _ => "",
        };
        let mut bytes = format!(
            "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{allow}\
             Cache-Control: no-store\r\nConnection: close\r\n\r\n",
            self.status,
            self.content_type,
            self.body.len()
        )
        .into_bytes();
        if !head_only {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// RFC 9110, section 15.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Bad Request",
    }
}

/// Listens on the first of `addresses` that the system gives. Fails with what it said of the last.
pub fn listen(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    TcpListener::bind(addresses)
}

/// Answers connections in threads of its own, as long as the program runs. Fails if the first
/// thread cannot be started.
pub fn serve(listener: TcpListener, answers: Arc<dyn Answer>) -> io::Result<()> {
    let accept = move || {
        let connections = Arc::new(());
        loop {
            let Ok((stream, _)) = listener.accept() else {
                thread::sleep(PAUSE);
                continue;
            };
            let connection = Arc::clone(&connections);
            if Arc::strong_count(&connections) > MOST_CONNECTIONS + 1 {
                refuse(&stream);
                continue;
            }
            let answers = Arc::clone(&answers);
            let handle = move || {
                let _ = converse(&stream, answers.as_ref(), PATIENCE);
                drop(connection);
            };
            // Without memory for a thread the connection is closed, and the next one may work.
            let _ = thread::Builder::new().stack_size(STACK).spawn(handle);
        }
    };
    thread::Builder::new().name("http".into()).spawn(accept)?;
    Ok(())
}

/// Says that there are too many, without waiting for anything.
fn refuse(mut stream: &TcpStream) {
    let reply = Reply::text(503, "There are too many connections.");
    if stream.set_nonblocking(true).is_ok() {
        let _ = stream.write(&reply.bytes(false));
    }
}

/// Reads one request and answers it.
fn converse(mut stream: &TcpStream, answers: &dyn Answer, patience: Duration) -> io::Result<()> {
    let mut head = Vec::new();
    let outcome = match read_head(stream, &mut head, patience)? {
        Ok(()) => parse(&head),
        Err(rejected) => Err(rejected),
    };
    let (reply, head_only) = match outcome {
        Ok(Request { head_only, path }) => (answers.answer(path), head_only),
        Err(Rejected(status)) => (Reply::text(status, reason(status)), false),
    };
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(&reply.bytes(head_only))?;
    stream.shutdown(Shutdown::Write)?;
    // A connection that is closed with bytes unread is reset, and the answer lost with it.
    stream.set_read_timeout(Some(PAUSE))?;
    let mut rest = [0; 1024];
    for _ in 0..64 {
        if !matches!(stream.read(&mut rest), Ok(1..)) {
            break;
        }
    }
    Ok(())
}

/// Reads up to the end of a head, which `head` then ends with.
fn read_head(
    mut stream: &TcpStream,
    head: &mut Vec<u8>,
    patience: Duration,
) -> io::Result<Result<(), Rejected>> {
    let deadline = Instant::now() + patience;
    let mut buffer = [0; 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Err(Rejected(408)));
        }
        stream.set_read_timeout(Some(left))?;
        let count = match stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) => match error.kind() {
                // The deadline decides, at the head of the loop.
                ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => continue,
                _ => return Err(error),
            },
        };
        head.extend_from_slice(&buffer[..count]);
        if let Some(end) = end_of_head(head) {
            head.truncate(end);
            return Ok(if end > MAX_HEAD {
                Err(Rejected(431))
            } else {
                Ok(())
            });
        }
        if head.len() > MAX_HEAD {
            return Ok(Err(Rejected(431)));
        }
    }
}

#[cfg(test)]
mod tests;
