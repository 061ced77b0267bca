//! Times of day, as an archive spells them.

use super::calendar::two;
use crate::decode::fault::Fault;

/// The microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// Microseconds since midnight. The end of a day is a time of its own, 24:00.
pub(in crate::decode) fn parse(text: &[u8]) -> Result<i64, Fault> {
    micros(text).ok_or(Fault::Spelling("a time of day"))
}

pub(super) fn micros(text: &[u8]) -> Option<i64> {
    let [h, h0, b':', m, m0, b':', s, s0, b'.', a, a0, b, b0, c, c0] = text else { return None };
    let part = |tens: &u8, ones: &u8, max| two(*tens, *ones, max).ok();
    let seconds = (part(h, h0, 24)? * 60 + part(m, m0, 59)?) * 60 + part(s, s0, 59)?;
    let fraction = (part(a, a0, 99)? * 100 + part(b, b0, 99)?) * 100 + part(c, c0, 99)?;
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
