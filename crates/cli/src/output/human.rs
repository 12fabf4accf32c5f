//! Sizes and times for people.

use std::fmt::{self, Display};
use std::time::{Duration, SystemTime};

use jiff::{Timestamp, tz::TimeZone};
use pitstop::Owner;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Something to show that is written by a function, with no text in between.
struct FromFn<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> Display for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

fn from_fn(write: impl Fn(&mut fmt::Formatter<'_>) -> fmt::Result) -> impl Display {
    FromFn(write)
}

/// `312 B`, `4.2 KiB`, `17 MiB`.
pub(crate) fn size(bytes: u64) -> impl Display {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    from_fn(move |f| {
        if bytes < 1024 {
            return write!(f, "{bytes} B");
        }
        let (mut one, mut rounded) = (1, u128::from(bytes));
        for unit in UNITS {
            one *= 1024;
            let tenths = (u128::from(bytes) * 10 + one / 2) / one;
            if tenths < 100 {
                return write!(f, "{}.{} {unit}", tenths / 10, tenths % 10);
            }
            rounded = (u128::from(bytes) + one / 2) / one;
            if rounded < 1024 {
                return write!(f, "{rounded} {unit}");
            }
        }
        write!(f, "{rounded} TiB")
    })
}

/// `3 min`: how long something took or has been.
pub(crate) fn age(age: Duration) -> impl Display {
    let seconds = age.as_secs();
    let (count, unit) = match seconds {
        ..MINUTE => (seconds, "s"),
        MINUTE..HOUR => (seconds / MINUTE, "min"),
        HOUR..DAY => (seconds / HOUR, "h"),
        _ => match seconds / DAY {
            1 => (1, "day"),
            days @ ..60 => (days, "days"),
            days @ ..730 => (days / 30, "months"),
            days => (days / 365, "years"),
        },
    };
    from_fn(move |f| write!(f, "{count} {unit}"))
}

/// `3 min ago`.
pub(crate) fn relative(time: SystemTime, now: SystemTime) -> impl Display {
    from_fn(move |f| match now.duration_since(time) {
        Ok(passed) if passed.as_secs() < 5 => f.write_str("just now"),
        Ok(passed) => write!(f, "{} ago", age(passed)),
        // Clocks differ by a little.
        Err(ahead) if ahead.duration().as_secs() < 5 => f.write_str("just now"),
        Err(ahead) => write!(f, "in {}", age(ahead.duration())),
    })
}

/// When it became the writer.
pub(crate) fn since(owner: &Owner) -> SystemTime {
    let since = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(owner.since));
    since.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// `2026-11-23 12:50:03 +01:00`, in the time of this place.
pub(crate) fn absolute(time: SystemTime) -> impl Display {
    let time = Timestamp::try_from(time).unwrap_or_default().to_zoned_datetime(TimeZone::system());
    time.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        many => format!("{many} {one}s"),
    }
}

/// `3 revisions and 1 file`.
pub(crate) fn revisions_and_files(revisions: usize, files: usize) -> String {
    let revisions = count(revisions, "revision");
    match files {
        0 => revisions,
        files => format!("{revisions} and {}", count(files, "file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_digits_and_the_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (4301, "4.2 KiB"),
            (10_188, "9.9 KiB"),
            (10_239, "10 KiB"),
            (1_048_575, "1.0 MiB"),
            (17 << 20, "17 MiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(size(bytes).to_string(), text, "{bytes}");
        }
    }

    #[test]
    fn times_are_told_as_one_would() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        for (seconds, text) in [
            (0, "just now"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3600, "1 h ago"),
            (DAY, "1 day ago"),
            (59 * DAY, "59 days ago"),
            (60 * DAY, "2 months ago"),
            (800 * DAY, "2 years ago"),
        ] {
            let time = now - Duration::from_secs(seconds);
            assert_eq!(relative(time, now).to_string(), text);
        }
        assert_eq!(relative(now + Duration::from_secs(2), now).to_string(), "just now");
        assert_eq!(relative(now + Duration::from_secs(120), now).to_string(), "in 2 min");
    }
}
