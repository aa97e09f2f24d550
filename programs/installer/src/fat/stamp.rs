//! When something was written, as FAT has it: §6, "Date and Time Formats".

use std::time::{SystemTime, UNIX_EPOCH};

/// A date and a time, to two seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(super) date: u16,
    pub(super) time: u16,
}

impl Stamp {
    /// The first one that there is: 1980-01-01, midnight.
    pub(crate) const FIRST: Self = Self {
        date: 1 << 5 | 1,
        time: 0,
    };

    /// What the machine's clock says, in UTC; the first one if it is set to a time that FAT has not.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(Self::FIRST, |it| Self::of(it.as_secs()))
    }

    /// `seconds` are since 1970.
    fn of(seconds: u64) -> Self {
        let days = seconds / 86_400;
        // Years that begin in March, so that a leap day is the last one: 719,468 days from one of year
        // 0 to 1970, 146,097 in 400 years.
        let (era, day) = ((days + 719_468) / 146_097, (days + 719_468) % 146_097);
        let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day + 2) / 153;
        let day = day - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let (minutes, second) = (seconds % 86_400 / 60, seconds % 60);
        let date = year.checked_sub(1980).filter(|it| *it < 128);
        let date = date.and_then(|it| u16::try_from(it << 9 | month << 5 | day).ok());
        let time = u16::try_from(((minutes / 60) << 11) | ((minutes % 60) << 5) | (second / 2));
        match (date, time) {
            (Some(date), Ok(time)) => Self { date, time },
            _ => Self::FIRST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        let rows = [
            (0, (1980, 1, 1), (0, 0, 0)),
            (315_532_800, (1980, 1, 1), (0, 0, 0)),
            (951_825_599, (2000, 2, 29), (11, 59, 58)),
            (951_868_800, (2000, 3, 1), (0, 0, 0)),
            (1_798_761_599, (2026, 12, 31), (23, 59, 58)),
            (4_107_542_400, (2100, 3, 1), (0, 0, 0)),
            (u64::MAX, (1980, 1, 1), (0, 0, 0)),
        ];
        for (seconds, (year, month, day), (hour, minute, second)) in rows {
            let expected = Stamp {
                date: (year - 1980) << 9 | month << 5 | day,
                time: (hour << 11) | (minute << 5) | (second / 2),
            };
            assert_eq!(Stamp::of(seconds), expected, "{seconds}");
        }
    }
}
