//! Instants and dates, which the server counts from 2000-01-01.

const MICROS_1970_TO_2000: i64 = 946_684_800_000_000;
const DAYS_1970_TO_2000: i32 = 10_957;

/// What is too early for the server becomes its -infinity, which no archive holds: a comparison sees it.
pub(super) fn write_timestamp(micros_since_1970: i64, out: &mut Vec<u8>) {
    out.extend(micros_since_1970.saturating_sub(MICROS_1970_TO_2000).to_be_bytes());
}

/// The same for a date.
pub(super) fn write_date(days_since_1970: i32, out: &mut Vec<u8>) {
    out.extend(days_since_1970.saturating_sub(DAYS_1970_TO_2000).to_be_bytes());
}
