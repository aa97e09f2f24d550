//! `appliance time SERVER`: keeps the clock right. Asks the server by SNTP (RFC 4330), sets
//! the clock where it is far off, and has the kernel slew it where it is near, so that time does
//! not jump while the service runs. BusyBox as Debian builds it has no NTP client.

use std::io::{self, Error};
use std::net::{ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec, clock_settime};

/// The port of NTP.
const PORT: u16 = 123;
/// Bytes of a message without authentication.
const MESSAGE: usize = 48;
/// Version 4, mode 3 (client).
const CLIENT: u8 = 0x23;
/// Seconds from 1900, where NTP begins, to 1970.
const EPOCH: i128 = 2_208_988_800;
/// A second in nanoseconds.
const SECOND: i128 = 1_000_000_000;
/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often to ask, as long as it works. Servers ask for no less than 15 seconds (RFC 4330).
const INTERVAL: Duration = Duration::from_secs(512);
/// The kernel slews by 0.5 ms a second; half a second takes it some 17 minutes.
const MOST_SLEWED: i128 = SECOND / 2;

/// Asks `server` for ever. Fails if it does not answer, or if the clock cannot be set.
pub fn run(root: &Path, server: &str) -> io::Result<()> {
    loop {
        let offset = ask(&(server, PORT))?;
        println!("{server}: the clock is {} us off", offset / 1000);
        correct(root, offset)?;
        std::thread::sleep(INTERVAL);
    }
}

/// Asks for the time once, and returns how far the clock here is behind, in nanoseconds.
fn ask(server: &impl ToSocketAddrs) -> io::Result<i128> {
    let mut last = Error::other("it has no address");
    for address in server.to_socket_addrs()? {
        let any = if address.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let outcome = UdpSocket::bind(any).and_then(|socket| {
            socket.connect(address)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            let sent = now();
            socket.send(&request(sent))?;
            let mut reply = [0; MESSAGE];
            let length = socket.recv(&mut reply)?;
            offset(&reply[..length], sent, now()).map_err(Error::other)
        });
        match outcome {
            Ok(offset) => return Ok(offset),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// RFC 4330, section 5: only mode, version and the time of sending are filled in.
fn request(sent: i128) -> [u8; MESSAGE] {
    let mut message = [0; MESSAGE];
    message[0] = CLIENT;
    message[40..].copy_from_slice(&to_ntp(sent).to_be_bytes());
    message
}

/// Reads a reply: RFC 4330, section 5, with its checks. Times are in nanoseconds since 1970.
fn offset(reply: &[u8], sent: i128, received: i128) -> Result<i128, &'static str> {
    let stamp = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&reply[at..at + 8]);
        u64::from_be_bytes(bytes)
    };
    if reply.len() < MESSAGE || reply[0] & 7 != 4 {
        return Err("its answer is none of NTP");
    }
    if stamp(24) != to_ntp(sent) {
        return Err("its answer is to another question");
    }
    let is_silent = stamp(32) == 0 || stamp(40) == 0;
    if reply[0] >> 6 == 3 || !(1..=15).contains(&reply[1]) || is_silent {
        return Err("it does not know the time itself");
    }
    let (arrived, answered) = (from_ntp(stamp(32)), from_ntp(stamp(40)));
    Ok(i128::midpoint(arrived - sent, answered - received))
}

/// RFC 4330, section 3: seconds since 1900 and their fraction, in 32 bits each.
fn to_ntp(time: i128) -> u64 {
    let fixed = ((time + EPOCH * SECOND) << 32) / SECOND;
    // The era is dropped: that is how it is written.
    u64::try_from(fixed & i128::from(u64::MAX)).unwrap_or_default()
}

/// With the first bit unset, it is the era that began in 2036.
fn from_ntp(stamp: u64) -> i128 {
    let era = i128::from(stamp >> 63 == 0) << 64;
    (((i128::from(stamp) + era) * SECOND) >> 32) - EPOCH * SECOND
}

fn now() -> i128 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |it| i128::try_from(it.as_nanos()).unwrap_or_default())
}

/// Moves the clock by `offset` nanoseconds, at once or bit by bit.
fn correct(root: &Path, offset: i128) -> io::Result<()> {
    if offset.abs() > MOST_SLEWED {
        let time = now() + offset;
        let part = |it: i128| i64::try_from(it).unwrap_or_default();
        let time = Timespec {
            tv_sec: part(time.div_euclid(SECOND)),
            tv_nsec: part(time.rem_euclid(SECOND)),
        };
        return Ok(clock_settime(ClockId::Realtime, time)?);
    }
    let slewed = Command::new(root.join("sbin/adjtimex"))
        .args(["-q", "-o", &(offset / 1000).to_string()])
        .stdout(Stdio::null())
        .status()?;
    if slewed.success() {
        Ok(())
    } else {
        Err(Error::other("adjtimex failed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01 00:00:00.5 UTC.
    const TIME: i128 = 1_767_225_600 * SECOND + SECOND / 2;

    fn reply(sent: i128, arrived: i128, answered: i128) -> Vec<u8> {
        let mut reply = vec![0x24, 2, 6, 0xe9];
        reply.resize(24, 0);
        for time in [sent, arrived, answered] {
            reply.extend(to_ntp(time).to_be_bytes());
        }
        reply
    }

    #[test]
    fn stamps_are_those_of_the_specification_in_both_eras() {
        assert_eq!(to_ntp(0), 2_208_988_800 << 32);
        assert_eq!(to_ntp(SECOND / 2) & 0xffff_ffff, 0x8000_0000);
        // 2036-02-07 06:28:16 UTC, where the era ends.
        let turn = 2_085_978_496 * SECOND;
        assert_eq!(to_ntp(turn), 0);
        for time in [0, TIME, turn - SECOND, turn, turn + TIME / 4] {
            assert!((from_ntp(to_ntp(time)) - time).abs() <= 1, "{time}");
        }
    }

    #[test]
    fn the_way_of_the_messages_is_taken_out() {
        let ahead = 3 * SECOND;
        let (way, work) = (SECOND / 10, SECOND / 100);
        let arrived = TIME + way + ahead;
        let bytes = reply(TIME, arrived, arrived + work);
        let found = offset(&bytes, TIME, TIME + 2 * way + work).unwrap();
        assert!((found - ahead).abs() <= 2, "{found}");
    }

    #[test]
    fn answers_that_say_nothing_are_refused() {
        let good = reply(TIME, TIME, TIME);
        assert!(offset(&good, TIME, TIME).is_ok());
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            offset(&bytes, TIME, TIME)
        };
        assert_eq!(with(0, 0x23), Err("its answer is none of NTP"));
        assert_eq!(with(0, 0xe4), Err("it does not know the time itself"));
        assert_eq!(with(1, 0), Err("it does not know the time itself"));
        assert_eq!(with(1, 16), Err("it does not know the time itself"));
        assert_eq!(with(31, 1), Err("its answer is to another question"));
        assert_eq!(
            offset(&good[..47], TIME, TIME),
            Err("its answer is none of NTP")
        );
        for at in [32, 40] {
            let mut silent = good.clone();
            silent[at..at + 8].fill(0);
            assert_eq!(
                offset(&silent, TIME, TIME),
                Err("it does not know the time itself")
            );
        }
    }

    #[test]
    fn a_server_is_asked_over_the_network() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let answer = std::thread::spawn(move || {
            let mut message = [0; 64];
            let (length, client) = server.recv_from(&mut message).unwrap();
            assert_eq!((length, message[0]), (MESSAGE, CLIENT));
            let mut bytes = reply(0, now() + 9 * SECOND, now() + 9 * SECOND);
            bytes[24..32].copy_from_slice(&message[40..48]);
            server.send_to(&bytes, client).unwrap();
        });
        let offset = ask(&address).unwrap();
        answer.join().unwrap();
        assert!((offset - 9 * SECOND).abs() < 4 * SECOND, "{offset}");
    }
}
