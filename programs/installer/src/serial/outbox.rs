//! What still has to go out on a line that may be slow or stuck: the screen that is being sent, lines of the
//! log, and the newest screen. Bounded, and never cuts a screen or a line in the middle.

use std::collections::VecDeque;
use std::io::{self, Write};

use super::ansi;

/// How many lines of the log wait at most; the oldest are dropped for more.
const MOST_LINES: usize = 500;

/// Bytes on their way out.
#[derive(Debug, Default)]
pub struct Outbox {
    sending: Vec<u8>,
    sent: usize,
    lines: VecDeque<Vec<u8>>,
    newest: Option<Vec<u8>>,
    /// What was logged last, which each screen shows.
    logged: Option<String>,
    /// Whether a screen is shown, and not text that scrolls.
    has_screen: bool,
}

impl Outbox {
    /// Puts in a whole screen. One that waits and was not begun is dropped for it.
    pub fn put_screen(&mut self, screen: &[u8]) {
        let mut bytes = screen.to_vec();
        if let Some(line) = &self.logged {
            bytes.extend(ansi::encode_log(line));
        }
        self.has_screen = !screen.is_empty();
        self.newest = Some(bytes);
    }

    /// Puts in text that stays until the next screen.
    pub fn put_text(&mut self, text: &[u8]) {
        self.has_screen = false;
        self.newest = Some(text.to_vec());
    }

    /// Puts in a line of the log: on the screen in its place, else below what was written last.
    pub fn put_line(&mut self, line: &str) {
        if self.lines.len() == MOST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(if self.has_screen {
            ansi::encode_log(line)
        } else {
            format!("{line}\r\n").into_bytes()
        });
        self.logged = Some(line.to_owned());
    }

    /// Whether everything is out.
    pub fn is_empty(&self) -> bool {
        self.sent == self.sending.len() && self.lines.is_empty() && self.newest.is_none()
    }

    /// Writes as much as the line takes now. Fails only when the line is gone.
    pub fn send(&mut self, mut line: impl Write) -> io::Result<()> {
        loop {
            while self.sent < self.sending.len() {
                match line.write(&self.sending[self.sent..]) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => self.sent += count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            let next = self.lines.pop_front().or_else(|| self.newest.take());
            let Some(next) = next else {
                return Ok(());
            };
            self.sending = next;
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that takes `room` bytes and then blocks.
    struct Line {
        room: usize,
        got: Vec<u8>,
    }

    impl Write for &mut Line {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room).min(2);
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.room -= count;
            self.got.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_line_gets_whole_screens_and_skips_old_ones() {
        let mut outbox = Outbox::default();
        let mut line = Line {
            room: 3,
            got: Vec::new(),
        };
        assert!(outbox.is_empty());
        outbox.put_screen(b"first");
        outbox.send(&mut line).unwrap();
        assert_eq!(line.got, b"fir");
        outbox.put_screen(b"second");
        outbox.put_screen(b"third");
        outbox.send(&mut line).unwrap();
        assert!(!outbox.is_empty());
        line.room = 100;
        outbox.send(&mut line).unwrap();
        assert_eq!(line.got, b"firstthird");
        assert!(outbox.is_empty());
    }

    #[test]
    fn lines_of_the_log_are_whole_and_the_newest_stays_on_the_screen() {
        let mut outbox = Outbox::default();
        let mut line = Line {
            room: 6,
            got: Vec::new(),
        };
        outbox.put_line("early");
        outbox.put_screen(b"SCREEN");
        outbox.send(&mut line).unwrap();
        line.room = 3;
        outbox.send(&mut line).unwrap();
        outbox.put_line("one");
        outbox.put_line("two");
        outbox.put_screen(b"NEXT");
        line.room = 1000;
        outbox.send(&mut line).unwrap();
        outbox.put_text(b"text\r\n");
        outbox.send(&mut line).unwrap();
        outbox.put_line("below");
        outbox.send(&mut line).unwrap();
        let [early, one, two] =
            ["early", "one", "two"].map(|it| String::from_utf8(ansi::encode_log(it)).unwrap());
        let got = String::from_utf8(line.got).unwrap();
        assert_eq!(
            got,
            format!("early\r\nSCREEN{early}{one}{two}NEXT{two}text\r\nbelow\r\n")
        );
        for number in 0..=MOST_LINES {
            outbox.put_line(&number.to_string());
        }
        assert_eq!(outbox.lines.len(), MOST_LINES);
        assert_eq!(outbox.lines[0], b"1\r\n");
    }

    #[test]
    fn a_line_that_is_gone_is_reported() {
        let mut outbox = Outbox::default();
        outbox.put_screen(b"x");
        let error = outbox.send(&mut [][..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
