//! Times of day, as an archive spells them.

use super::calendar::two;
use crate::decode::fault::Fault;

/// The microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// Microseconds since midnight. The end of a day is a time of its own, 24:00.
pub(in crate::decode) fn parse(text: &[u8]) -> Result<i64, Fault> {
    micros(text).ok_or(Fault::Spelling("a time of day"))
}

/// Microseconds since midnight, `HH:MM:SS.ffffff`.
pub(super) fn micros(text: &[u8]) -> Option<i64> {
    let text: &[u8; 15] = text.try_into().ok()?;
    let [_, _, b':', _, _, b':', _, _, b'.', ..] = text else { return None };
    let part = |at: usize, max| two(text[at], text[at + 1], max).ok();
    let seconds = (part(0, 24)? * 60 + part(3, 59)?) * 60 + part(6, 59)?;
    let fraction = (part(9, 99)? * 100 + part(11, 99)?) * 100 + part(13, 99)?;
    let micros = seconds * 1_000_000 + fraction;
    (micros <= DAY).then_some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_two_ends() {
        for (text, micros) in [("00:00:00.000000", 0), ("23:59:59.999999", DAY - 1), ("24:00:00.000000", DAY)] {
            assert_eq!(parse(text.as_bytes()), Ok(micros));
        }
        assert_eq!(parse(b"11:30:00.250001"), Ok((11 * 60 + 30) * 60_000_000 + 250_001));
    }

    #[test]
    fn no_other_spelling_is_a_time() {
        let texts = "|24:00:00.000001|25:00:00.000000|11:60:00.000000|11:30:60.000000|11:30:00|11:30:00.25|\
                     11:30:00.2500000|1:30:00.250000|11:30:00.250000Z|11.30.00.250000|11:30:00,250000|+1:30:00.250000";
        for text in texts.split('|') {
            assert_eq!(parse(text.as_bytes()), Err(Fault::Spelling("a time of day")), "{text}");
        }
    }
}
