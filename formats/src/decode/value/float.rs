//! Floating-point numbers, in the spelling that an archive has for each.

use crate::{decode::fault::Fault, encode::write_float};
use std::{
    fmt::{Display, LowerExp},
    str::FromStr,
};

/// Reads the shortest digits that stand for a number. Other digits would leave the archive in other bytes than they
/// came in.
pub(in crate::decode) fn parse<F>(text: &[u8]) -> Result<F, Fault>
where
    F: Copy + FromStr + Display + LowerExp + Into<f64>,
{
    let value = std::str::from_utf8(text).ok().and_then(|text| text.parse::<F>().ok());
    let value = value.ok_or(Fault::Spelling("a floating-point number"))?;
    let mut spelled = Vec::with_capacity(text.len());
    match write_float(value, &mut spelled) {
        Ok(()) if spelled == text => Ok(value),
        _ => Err(Fault::Spelling("a floating-point number")),
    }
}

/// Whether the text of a number is none that JSON knows.
pub(in crate::decode) fn is_beyond_json(text: &[u8]) -> bool {
    matches!(text, b"NaN" | b"Infinity" | b"-Infinity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_one_spelling() {
        for (text, value) in [("0.1", 0.1), ("-0", -0.0), ("1e300", 1e300), ("-2.5e-7", -2.5e-7), ("5e-324", 5e-324)] {
            assert_eq!(parse::<f64>(text.as_bytes()).map(f64::to_bits), Ok(f64::to_bits(value)), "{text}");
        }
        assert_eq!(parse::<f64>(b"-Infinity"), Ok(f64::NEG_INFINITY));
        assert_eq!(parse::<f64>(b"NaN").map(f64::to_bits), Ok(f64::NAN.to_bits()));
        assert_eq!(parse::<f32>(b"0.1"), Ok(0.1));
        let texts =
            "|0.10|.1|1.|+1|1.0|01|1E300|1e+300|10e299|nan|-NaN|inf|infinity|+Infinity|1e400|0.1f|0x1p3|1_0|0.00001e1";
        for text in texts.split('|') {
            assert_eq!(parse::<f64>(text.as_bytes()), Err(Fault::Spelling("a floating-point number")), "{text}");
        }
        assert!(parse::<f32>(b"0.10000000149011612").is_err(), "digits of the wider type");
    }
}
