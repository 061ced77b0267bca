//! Numbers as text, in the fewest digits that parse to the same value.

use std::{
    fmt::{Display, LowerExp},
    io::{self, Write},
};

/// Appends a floating-point number, with `NaN`, `Infinity` and `-Infinity` as in PostgreSQL.
pub(crate) fn write_float<F>(value: F, out: &mut Vec<u8>) -> io::Result<()>
where
    F: Copy + Display + LowerExp + Into<f64>,
{
    let wide: f64 = value.into();
    match wide.abs() {
        size if size.is_nan() => out.write_all(b"NaN"),
        size if size.is_infinite() => out.write_all(if wide < 0.0 { b"-Infinity" } else { b"Infinity" }),
        // Outside of this range, most digits without an exponent are zeros.
        size if size == 0.0 || (1e-5..1e16).contains(&size) => write!(out, "{value}"),
        _ => write!(out, "{value:e}"),
    }
}

/// Appends the decimal `value` / 10^`scale`, with or without trailing zeros.
pub(super) fn write_decimal(value: i128, scale: u8, trim_zeros: bool, out: &mut Vec<u8>) -> io::Result<()> {
    let unit = 10_u128.pow(scale.into());
    let size = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    write!(out, "{sign}{}", size / unit)?;
    let (mut decimals, mut length) = (size % unit, usize::from(scale));
    if trim_zeros {
        while length > 0 && decimals % 10 == 0 {
            (decimals, length) = (decimals / 10, length - 1);
        }
    }
    if length > 0 { write!(out, ".{decimals:0length$}") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(value: i128, scale: u8, trim_zeros: bool) -> String {
        let mut out = Vec::new();
        write_decimal(value, scale, trim_zeros, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn float<F: Copy + Display + LowerExp + Into<f64>>(value: F) -> String {
        let mut out = Vec::new();
        write_float(value, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_keep_or_lose_trailing_zeros() {
        assert_eq!(decimal(2_500_000_000_000_000, 18, true), "0.0025");
        assert_eq!(decimal(3_000, 3, true), "3");
        assert_eq!(decimal(3_000, 3, false), "3.000");
        assert_eq!(decimal(-5, 2, false), "-0.05");
        assert_eq!(decimal(-120, 0, true), "-120");
        assert_eq!(decimal(0, 18, true), "0");
        assert_eq!(decimal(1 - 10_i128.pow(38), 38, false), format!("-0.{}", "9".repeat(38)));
    }

    #[test]
    fn floats_are_short() {
        let floats = [
            (1.0, "1"),
            (0.1, "0.1"),
            (-0.0, "-0"),
            (1e300, "1e300"),
            (-2.5e-7, "-2.5e-7"),
            (1e15, "1000000000000000"),
        ];
        for (value, text) in floats {
            assert_eq!(float(value), text);
        }
        assert_eq!(float(0.1_f32), "0.1");
        assert_eq!((float(f64::NAN), float(f64::NEG_INFINITY)), ("NaN".to_owned(), "-Infinity".to_owned()));
    }

    proptest! {
        #[test]
        fn floats_round_trip(double: f64, single: f32) {
            prop_assert_eq!(float(double).parse::<f64>().unwrap().to_bits(), double.to_bits());
            prop_assert_eq!(float(single).parse::<f32>().unwrap().to_bits(), single.to_bits());
        }
    }
}
