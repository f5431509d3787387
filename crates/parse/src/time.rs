//! Times of records: text to microseconds since 1970 UTC, floored, never through a float.
//!
//! | form | sample | spec |
//! |---|---|---|
//! | epoch | `1521911720.629574`, `1.5219117e9` | decimal text, exact |
//! | RFC 3339 | `2018-03-24T17:15:20.613421Z` | RFC 3339 §5.6; also a blank for `T`, `+0000`, `+00`, no zone at all |
//! | year-less | `Dec 10 06:55:46` | RFC 3164 §4.1.2 |
//! | CLF | `17/May/2015:10:05:03 +0000` | Apache `mod_log_config` `%t` |
//! | strftime | by a pattern of the job | jiff's `strtime` |
//!
//! Only the years 0001 to 9999 are times. A leap second (`:60`) is the second that follows it, as in
//! POSIX time. A civil time that a zone has twice is the earlier one; one that it skips is moved on by
//! the length of the gap. Zones come from the tz database that is compiled in, not the machine's.

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// 0001-01-01T00:00:00Z, microseconds since 1970 UTC.
pub const MIN_US: i64 = -62_135_596_800_000_000;
/// The last microsecond of the year 9999, UTC.
pub const MAX_US: i64 = 253_402_300_799_999_999;

const US_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Where civil times without an offset lie.
#[derive(Debug, Clone, Default)]
pub enum Zone {
    /// UTC.
    #[default]
    Utc,
    /// A zone of the tz database.
    Named(TimeZone),
}

impl Zone {
    /// Finds a zone by its IANA name, such as `Europe/Berlin`; `None` where there is none.
    pub fn find(name: &str) -> Option<Self> {
        TimeZoneDatabase::bundled().get(name).ok().map(Self::Named)
    }

    /// Names of zones that look like `name`, for messages.
    pub fn names() -> Vec<String> {
        TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect()
    }
}

/// Unit of an epoch time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
}

/// Reads an epoch time; `None` where it is no decimal number or outside the years 0001 to 9999.
pub fn epoch(text: &str, unit: Unit) -> Option<i64> {
    let scale = match unit {
        Unit::Seconds => 6,
        Unit::Milliseconds => 3,
        Unit::Microseconds => 0,
    };
    in_range(decimal(text, scale)?)
}

/// Reads decimal text (`-12`, `1.5e3`, `.5`) times ten to the power of `scale`, floored; `None`
/// where it is no number or does not fit.
pub fn decimal(text: &str, scale: u32) -> Option<i64> {
    plain_decimal(text.as_bytes(), scale).or_else(|| any_decimal(text, scale))
}

/// Digits with at most one dot among them, few enough not to overflow: nearly all that logs hold.
fn plain_decimal(bytes: &[u8], scale: u32) -> Option<i64> {
    const POWERS: [i64; 7] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];
    if bytes.len() > 18 {
        return None;
    }
    let (value, whole) = digits(bytes, 0);
    let (value, kept) = match bytes.get(whole..)? {
        [] if whole > 0 => (value, 0),
        [b'.', fraction @ ..] if bytes.len() > 1 => {
            let (kept, floored) = fraction.split_at(fraction.len().min(scale as usize));
            let (value, read) = digits(kept, value);
            if read < kept.len() || !floored.iter().all(u8::is_ascii_digit) {
                return None;
            }
            (value, read)
        }
        _ => return None,
    };
    value.checked_mul(*POWERS.get((scale as usize).checked_sub(kept)?)?)
}

/// Appends the digits that `bytes` begins with to those of `value`; gives their number too. There must be
/// few enough not to overflow.
#[inline]
fn digits(bytes: &[u8], mut value: i64) -> (i64, usize) {
    let mut read = 0;
    if let Some(eight) = bytes.first_chunk().and_then(eight_digits) {
        (value, read) = (value.wrapping_mul(100_000_000).wrapping_add(eight), 8);
    }
    while let Some(byte @ b'0'..=b'9') = bytes.get(read) {
        value = value.wrapping_mul(10).wrapping_add(i64::from(byte - b'0'));
        read += 1;
    }
    (value, read)
}

/// Number of eight digits: neighbours are joined to pairs, pairs to fours, fours to the whole.
#[inline]
fn eight_digits(bytes: &[u8; 8]) -> Option<i64> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let digits = u64::from_le_bytes(*bytes) ^ (ONES * 0x30);
    if (digits.wrapping_add(ONES * 0x76) | digits) & (ONES * 0x80) != 0 {
        return None;
    }
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    i64::try_from(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF).ok()
}

#[inline(never)]
fn any_decimal(text: &str, scale: u32) -> Option<i64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (whole, fraction) = match memchr::memchr(b'.', digits) {
        Some(dot) => (digits.get(..dot)?, digits.get(dot + 1..)?),
        None => (digits, &[][..]),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // digits before this place (counted over whole then fraction) are kept, those after it floored
    let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let mut value: i64 = 0;
    let mut rest_is_zero = true;
    let mut place: i64 = 0;
    for &digit in whole.iter().chain(fraction) {
        if !digit.is_ascii_digit() {
            return None;
        }
        if place < kept {
            value = value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
        } else {
            rest_is_zero &= digit == b'0';
        }
        place += 1;
    }
    if value != 0 && kept > place {
        value = value.checked_mul(10_i64.checked_pow(u32::try_from(kept - place).ok()?)?)?;
    }
    Some(match (negative, rest_is_zero) {
        (false, _) => value,
        (true, true) => -value,
        (true, false) => -value - 1,
    })
}

/// Reads an RFC 3339 time, with the liberties named above; a time without an offset lies in `zone`.
pub fn rfc3339(text: &str, zone: &Zone) -> Option<i64> {
    let (time, rest) = civil_prefix(text.as_bytes())?;
    match rest {
        [] => time.at_zone(zone),
        [b'Z' | b'z'] => time.at_offset(0),
        [b' ', rest @ ..] => time.at_offset(offset_seconds(rest)?),
        rest => time.at_offset(offset_seconds(rest)?),
    }
}

/// Reads a time by a strftime pattern; without an offset or zone it lies in `zone`.
pub fn by_pattern(text: &str, pattern: &str, zone: &Zone) -> Option<i64> {
    let parsed = jiff::fmt::strtime::parse(pattern, text).ok()?;
    if let Ok(at) = parsed.to_timestamp() {
        return in_range(at.as_microsecond());
    }
    Civil::of(parsed.to_datetime().ok()?)?.at_zone(zone)
}

/// Reads the `%t` of Apache without its brackets: `17/May/2015:10:05:03 +0000`.
pub fn clf(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let &[d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':', ref clock @ ..] = bytes else {
        return None;
    };
    let month = month_number(&[m1, m2, m3])?;
    let (clock, rest) = clock.split_at_checked(8)?;
    let mut civil = clock_of(clock)?;
    civil.year = number(&[y1, y2, y3, y4])?;
    civil.month = month;
    civil.day = number(&[d1, d2])?;
    let [b' ', offset @ ..] = rest else { return None };
    civil.at_offset(offset_seconds(offset)?)
}

/// A time of the calendar without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Civil {
    /// Year, 0 where the text has none.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: i64,
    /// Day of the month, 1 to 31.
    pub day: i64,
    /// Seconds since midnight, 0 to 86400 (a leap second).
    pub second_of_day: i64,
    /// Microseconds within the second, 0 to 999999.
    pub microsecond: i64,
}

impl Civil {
    /// Reads `Dec 10 06:55:46` (day padded by a blank or zero, a year in front of the clock or
    /// behind it, a fraction of a second) from the beginning of `text`; gives what follows too.
    pub fn month_first(text: &str) -> Option<(Self, &str)> {
        let &[m1, m2, m3, b' ', ref rest @ ..] = text.as_bytes() else { return None };
        let month = month_number(&[m1, m2, m3])?;
        let (day, rest) = leading_number(rest.strip_prefix(b" ").unwrap_or(rest), 2)?;
        let rest = rest.strip_prefix(b" ")?;
        let (year, rest) = match leading_number(rest, 4) {
            Some((year, after)) if year > 999 => (year, after.strip_prefix(b" ")?),
            _ => (0, rest),
        };
        let (clock, rest) = rest.split_at_checked(8)?;
        let mut civil = Self { year, month, day, ..clock_of(clock)? };
        let (microsecond, rest) = fraction(rest);
        civil.microsecond = microsecond;
        let used = text.len() - rest.len();
        Some((civil, text.get(used..)?))
    }

    /// Reads an RFC 3339 date and clock, with or without an offset, from the beginning of `text` up
    /// to the first blank after the clock; gives the time and what follows.
    pub fn iso_prefix<'a>(text: &'a str, zone: &Zone) -> Option<(i64, &'a str)> {
        let end = text.find(' ').unwrap_or(text.len());
        let (stamp, rest) = text.split_at_checked(end)?;
        stamp.as_bytes().get(10).filter(|byte| matches!(byte, b'T' | b't'))?;
        Some((rfc3339(stamp, zone)?, rest))
    }

    fn of(time: DateTime) -> Option<Self> {
        Some(Self {
            year: time.year().into(),
            month: time.month().into(),
            day: time.day().into(),
            second_of_day: i64::from(time.hour()) * 3600
                + i64::from(time.minute()) * 60
                + i64::from(time.second()),
            microsecond: i64::from(time.subsec_nanosecond()) / 1000,
        })
    }

    /// The instant, `offset_seconds` east of UTC.
    pub fn at_offset(self, offset_seconds: i64) -> Option<i64> {
        let days = self.days()?;
        let seconds = days * SECONDS_PER_DAY + self.second_of_day - offset_seconds;
        in_range(seconds * US_PER_SECOND + self.microsecond)
    }

    /// The instant in a zone.
    pub fn at_zone(self, zone: &Zone) -> Option<i64> {
        let Zone::Named(zone) = zone else { return self.at_offset(0) };
        self.days()?;
        // a leap second is beyond what a civil time can hold: added after
        let (clock, leap) = if self.second_of_day % 60 == 0 && self.second_of_day == SECONDS_PER_DAY {
            (SECONDS_PER_DAY - 1, 1)
        } else {
            (self.second_of_day, 0)
        };
        let civil = DateTime::new(
            i16::try_from(self.year).ok()?,
            i8::try_from(self.month).ok()?,
            i8::try_from(self.day).ok()?,
            i8::try_from(clock / 3600).ok()?,
            i8::try_from(clock / 60 % 60).ok()?,
            i8::try_from(clock % 60).ok()?,
            i32::try_from(self.microsecond * 1000).ok()?,
        )
        .ok()?;
        let at = zone.to_timestamp(civil).ok()?;
        in_range(at.as_microsecond() + leap * US_PER_SECOND)
    }

    /// The instant of a time without a year: in the latest year that puts it before `before_us`.
    pub fn in_period(self, before_us: i64, zone: &Zone) -> Option<i64> {
        let last = year_of(before_us) + 1;
        // eight years on, 29 February has been; 1900 and its like need no more than that
        (last - 9..=last)
            .rev()
            .filter_map(|year| Self { year, ..self }.at_zone(zone))
            .find(|&at| at < before_us)
    }

    /// Whether the day is in the calendar of some year.
    pub fn is_a_day(self) -> bool {
        Self { year: 2000, ..self }.days().is_some()
    }

    /// Days since 1970-01-01; `None` where the calendar has no such day.
    fn days(self) -> Option<i64> {
        let Self { year, month, day, .. } = self;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + i64::from(leap),
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=9999).contains(&year) || !(1..=length).contains(&day) {
            return None;
        }
        // the year is taken to begin in March, so that the leap day is its last
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let day_of_year = (153 * month + 2) / 5 + day - 1;
        let era_days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        Some(era_days + day_of_year - 719_468)
    }
}

/// Civil year of an instant, UTC.
fn year_of(at_us: i64) -> i64 {
    let at = at_us.clamp(MIN_US, MAX_US);
    let days = at.div_euclid(US_PER_SECOND * SECONDS_PER_DAY);
    // never late, and early by a few years at most
    let guess = 1970 + days.div_euclid(366).min(days.div_euclid(365));
    let first_day = |year| Civil { year, month: 1, day: 1, ..Civil::default() }.days();
    (guess.max(1)..).find(|&year| first_day(year + 1).is_none_or(|day| day > days)).unwrap_or(guess)
}

fn in_range(at_us: i64) -> Option<i64> {
    (MIN_US..=MAX_US).contains(&at_us).then_some(at_us)
}

/// Date and clock of an RFC 3339 time, and what follows.
fn civil_prefix(bytes: &[u8]) -> Option<(Civil, &[u8])> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ', ref rest @ ..] = bytes else {
        return None;
    };
    let (clock, rest) = rest.split_at_checked(8)?;
    let (microsecond, rest) = fraction(rest);
    let civil = Civil {
        year: number(&[y1, y2, y3, y4])?,
        month: number(&[m1, m2])?,
        day: number(&[d1, d2])?,
        microsecond,
        ..clock_of(clock)?
    };
    Some((civil, rest))
}

/// `06:55:46`.
fn clock_of(bytes: &[u8]) -> Option<Civil> {
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = bytes else { return None };
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(Civil { second_of_day: hour * 3600 + minute * 60 + second, ..Civil::default() })
}

/// A fraction of a second at the beginning of `bytes`, microseconds, floored; and what follows.
fn fraction(bytes: &[u8]) -> (i64, &[u8]) {
    let [b'.' | b',', digits @ ..] = bytes else { return (0, bytes) };
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return (0, bytes);
    }
    let (digits, rest) = digits.split_at(length);
    let six = digits.iter().copied().chain(std::iter::repeat(b'0')).take(6);
    (six.fold(0, |value, digit| value * 10 + i64::from(digit - b'0')), rest)
}

/// Seconds east of UTC of `Z`, `+02`, `+0200`, `+02:00`.
fn offset_seconds(bytes: &[u8]) -> Option<i64> {
    let (sign, rest) = match bytes {
        [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match *rest {
        [h1, h2] => (number(&[h1, h2])?, 0),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => (number(&[h1, h2])?, number(&[m1, m2])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A number of digits only.
fn number(digits: &[u8]) -> Option<i64> {
    digits
        .iter()
        .try_fold(0_i64, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))
}

/// A number of at most `width` digits at the beginning, and what follows.
fn leading_number(bytes: &[u8], width: usize) -> Option<(i64, &[u8])> {
    let length = bytes.iter().take(width).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at(length);
    Some((number(digits).filter(|_| length > 0)?, rest))
}

fn month_number(name: &[u8; 3]) -> Option<i64> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    (1..).zip(MONTHS).find_map(|(number, month)| name.eq_ignore_ascii_case(month).then_some(number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn epochs_are_exact_and_floored() {
        let seconds = |text| epoch(text, Unit::Seconds);
        assert_eq!(seconds("1521911720.629574"), Some(1_521_911_720_629_574));
        assert_eq!(seconds("1575414001.21375"), Some(1_575_414_001_213_750));
        assert_eq!(seconds("1767225599.9999999"), Some(1_767_225_599_999_999));
        assert_eq!(seconds("-0.0000001"), Some(-1));
        assert_eq!(seconds("-1.5"), Some(-1_500_000));
        assert_eq!(seconds("1.5219117e9"), Some(1_521_911_700_000_000));
        assert_eq!(seconds("15219117E+2"), Some(1_521_911_700_000_000));
        assert_eq!(seconds("0e999999999"), Some(0));
        assert_eq!(seconds("1e-999999999"), Some(0));
        assert_eq!(epoch("1521911720629", Unit::Milliseconds), Some(1_521_911_720_629_000));
        assert_eq!(epoch("1521911720629574.9", Unit::Microseconds), Some(1_521_911_720_629_574));
        for bad in
            ["", "-", ".", "1.2.3", "1e", "e5", "nan", "inf", "1_0", "0x1", " 1", "1e99", "253402300800"]
        {
            assert_eq!(seconds(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn rfc3339_and_its_liberties() {
        let utc = |text| rfc3339(text, &Zone::Utc);
        let at = Some(1_521_911_720_613_421);
        for text in [
            "2018-03-24T17:15:20.613421Z",
            "2018-03-24t17:15:20.6134219z",
            "2018-03-24 17:15:20.613421",
            "2018-03-24T19:15:20.613421+02:00",
            "2018-03-24T17:15:20.613421+0000",
            "2018-03-24T16:15:20,613421-01",
            "2018-03-24 17:15:20.613421 +00:00",
        ] {
            assert_eq!(utc(text), at, "{text:?}");
        }
        assert_eq!(utc("2016-12-31T23:59:60Z"), utc("2017-01-01T00:00:00Z"));
        assert_eq!(utc("0001-01-01T00:00:00Z"), Some(MIN_US));
        assert_eq!(utc("9999-12-31T23:59:59.999999Z"), Some(MAX_US));
        for bad in [
            "2018-02-29T00:00:00Z",
            "2018-03-24",
            "2018-03-24T24:00:00Z",
            "2018-13-01T00:00:00Z",
            "2018-03-24T17:15:20.Z",
            "2018-03-24T17:15:20+2",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "",
        ] {
            assert_eq!(utc(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn zones_come_from_the_bundled_database() {
        let berlin = Zone::find("Europe/Berlin").unwrap();
        assert_eq!(rfc3339("2018-07-01 12:00:00", &berlin), rfc3339("2018-07-01T10:00:00Z", &Zone::Utc));
        // twice: the earlier; skipped: moved on
        assert_eq!(rfc3339("2018-10-28 02:30:00", &berlin), rfc3339("2018-10-28T00:30:00Z", &Zone::Utc));
        assert_eq!(rfc3339("2018-03-25 02:30:00", &berlin), rfc3339("2018-03-25T01:30:00Z", &Zone::Utc));
        assert!(Zone::find("Europe/Atlantis").is_none());
    }

    #[test]
    fn a_year_is_found_from_the_period() {
        let day = |text| rfc3339(text, &Zone::Utc).unwrap();
        let civil = |text| Civil::month_first(text).unwrap().0;
        let before = day("2016-01-15T00:00:00Z");
        assert_eq!(
            civil("Dec 10 06:55:46 x").in_period(before, &Zone::Utc),
            Some(day("2015-12-10T06:55:46Z"))
        );
        assert_eq!(
            civil("Jan  3 06:55:46 x").in_period(before, &Zone::Utc),
            Some(day("2016-01-03T06:55:46Z"))
        );
        assert_eq!(
            civil("Feb 29 00:00:00 x").in_period(before, &Zone::Utc),
            Some(day("2012-02-29T00:00:00Z"))
        );
        assert_eq!(civil("Feb 30 00:00:00 x").in_period(before, &Zone::Utc), None);
        assert_eq!(
            Civil::month_first("Dec 10 2019 06:55:46.5: x").map(|(c, rest)| (c.year, c.microsecond, rest)),
            Some((2019, 500_000, ": x"))
        );
        assert_eq!(Civil::month_first("Dec 10 6:55:46"), None);
    }

    #[test]
    fn clf_and_patterns() {
        assert_eq!(clf("17/May/2015:10:05:03 +0200"), rfc3339("2015-05-17T08:05:03Z", &Zone::Utc));
        assert_eq!(clf("17/May/2015:10:05:03"), None);
        assert_eq!(clf("31/Feb/2026:00:00:00 +0000"), None);
        let utc = Zone::Utc;
        assert_eq!(
            by_pattern("24.03.2018 17:15:20", "%d.%m.%Y %H:%M:%S", &utc),
            rfc3339("2018-03-24T17:15:20Z", &utc)
        );
        assert_eq!(
            by_pattern("24.03.2018 17:15:20 +0100", "%d.%m.%Y %H:%M:%S %z", &utc),
            rfc3339("2018-03-24T16:15:20Z", &utc)
        );
        assert_eq!(by_pattern("nothing", "%d.%m.%Y", &utc), None);
    }

    proptest! {
        #[test]
        fn plain_decimals_are_decimals(text in r"[0-9]{0,12}\.?[0-9]{0,9}", scale in 0_u32..7) {
            if let Some(value) = plain_decimal(text.as_bytes(), scale) {
                prop_assert_eq!(any_decimal(&text, scale), Some(value));
            }
        }

        #[test]
        fn our_calendar_is_jiffs(at_us in MIN_US..=MAX_US) {
            let at = jiff::Timestamp::from_microsecond(at_us).unwrap();
            let civil = jiff::tz::Offset::UTC.to_datetime(at);
            prop_assert_eq!(Civil::of(civil).unwrap().at_offset(0), Some(at_us));
            prop_assert_eq!(rfc3339(&at.to_string(), &Zone::Utc), Some(at_us));
            prop_assert_eq!(year_of(at_us), i64::from(civil.year()));
        }

        #[test]
        fn text_never_panics(text in "[-+0-9eE.:TZ /A-Za-z]{0,40}", any in ".{0,40}") {
            for text in [&text, &any] {
                let _ = (epoch(text, Unit::Seconds), rfc3339(text, &Zone::Utc), clf(text), Civil::month_first(text));
            }
        }
    }
}
