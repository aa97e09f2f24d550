//! What still has to go out on a line that may be slow or stuck: at most the screen that is being
//! sent and the newest one. Bounded, and never cuts a screen in the middle.

use std::io::{self, Write};

/// Bytes on their way out.
#[derive(Debug, Default)]
pub struct Outbox {
    sending: Vec<u8>,
    sent: usize,
    newest: Option<Vec<u8>>,
}

impl Outbox {
    /// Puts in a whole screen. One that waits and was not begun is dropped for it.
    pub fn put(&mut self, screen: Vec<u8>) {
        if self.sent < self.sending.len() {
            self.newest = Some(screen);
        } else {
            self.sending = screen;
            self.sent = 0;
        }
    }

    /// Whether everything is out.
    pub fn is_empty(&self) -> bool {
        self.sent == self.sending.len() && self.newest.is_none()
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
            let Some(newest) = self.newest.take() else {
                return Ok(());
            };
            self.sending = newest;
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
        outbox.put(b"first".to_vec());
        outbox.send(&mut line).unwrap();
        assert_eq!(line.got, b"fir");
        outbox.put(b"second".to_vec());
        outbox.put(b"third".to_vec());
        outbox.send(&mut line).unwrap();
        assert!(!outbox.is_empty());
        line.room = 100;
        outbox.send(&mut line).unwrap();
        assert_eq!(line.got, b"firstthird");
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_line_that_is_gone_is_reported() {
        let mut outbox = Outbox::default();
        outbox.put(b"x".to_vec());
        let error = outbox.send(&mut [][..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
