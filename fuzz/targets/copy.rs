//! Rows of a binary COPY: types of columns up to a zero, then messages with their lengths.

#![no_main]

use archive_formats::{
    EventBatch, Reject,
    decode::copy::{CopyError, CopyLayout, CopyRows, Pushed, signature},
    encode::copy::{HEADER, column_with_nul, server_type, write_rows},
};
use archive_fuzz::{joined, take_schema};
use arrow_array::{Array as _, ArrayRef, cast::AsArray as _};
use libfuzzer_sys::fuzz_target;
use std::convert::Infallible;

const IDS: [&str; 6] = ["text", "uuid", "int16", "int32", "int64", "bool"];
const TIMES: [&str; 3] = ["timestamp(us,UTC)", "timestamp(us)", "date"];

/// Longest row.
const LONGEST: usize = 1 << 10;

fuzz_target!(|data: &[u8]| {
    check_signature(data);
    let Some((schema, stream)) = take_schema(data, &IDS, &TIMES) else { return };
    let Ok(layout) = CopyLayout::new(schema.with_nullable_values()) else { return };
    let Some((&group, stream)) = stream.split_first() else { return };
    let messages = messages(stream);
    let whole = decode(&layout, &messages, usize::MAX);
    let groups = decode(&layout, &messages, usize::from(group) + 1);
    match (&whole, &groups) {
        (Ok(whole), Ok(groups)) => {
            assert_eq!(joined(&whole.0), joined(&groups.0));
            // A row with several faults is rejected for one of them: texts of a group are checked together.
            let places =
                |rejects: &[Reject]| rejects.iter().map(|reject| (reject.line, reject.row.clone())).collect::<Vec<_>>();
            assert_eq!(places(&whole.1), places(&groups.1));
        }
        // Several rows may be broken, each in another way.
        (Err(_), Err(_)) => {}
        _ => panic!("{groups:?} in groups, {whole:?} as a whole"),
    }
    let Ok((batches, rejects)) = whole else { return };
    let events = batches.iter().map(EventBatch::len).sum::<usize>();
    assert_eq!(events + rejects.len(), messages.len(), "every row is an event or a reject");
    for reject in &rejects {
        let line = usize::try_from(reject.line).expect("a row of a short input");
        assert_eq!(reject.row, messages[line]);
    }
    for message in &messages {
        check_whole(&layout, message);
    }
    batches.iter().for_each(|batch| check_round_trip(&layout, batch));
});

fn check_signature(data: &[u8]) {
    match signature(data) {
        Ok(length) => {
            assert!(length >= HEADER.len() && length <= data.len() && data.starts_with(&HEADER[..11]));
            assert_eq!(data[11..13], [0, 0], "no critical flags");
        }
        Err(_) => assert!(!data.starts_with(HEADER)),
    }
}

/// Messages after their lengths of two bytes; the rest is one.
fn messages(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk() {
        let (message, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        messages.push(message);
        stream = rest;
    }
    // The end marker ends a COPY.
    let end = messages.iter().position(|message| *message == [0xff, 0xff]).unwrap_or(messages.len());
    messages.truncate(end);
    messages
}

type Rows = (Vec<EventBatch>, Vec<Reject>);

/// Decodes rows in groups.
fn decode(layout: &CopyLayout, messages: &[&[u8]], group: usize) -> Result<Rows, CopyError> {
    let mut rows = CopyRows::new(LONGEST);
    let (mut batches, mut rejects, mut line) = (Vec::new(), Vec::new(), 0);
    for group in messages.chunks(group) {
        for message in group {
            assert_eq!(rows.push(message)?, Pushed::Row);
        }
        let decoded = layout.decode(&rows)?;
        assert_eq!((decoded.rows, decoded.lines), (rows.len() as u64, rows.len() as u64));
        rejects.extend(decoded.rejects.into_iter().map(|reject| Reject { line: reject.line + line, ..reject }));
        batches.extend(decoded.batch);
        line += rows.len() as u64;
        rows.clear();
    }
    assert!(!rows.has_ended());
    assert_eq!(rows.push(&[0xff, 0xff]), Ok(Pushed::End));
    assert_eq!(rows.push(b"row"), Err(CopyError::AfterEnd));
    Ok((batches, rejects))
}

/// A row that is accepted is neither shorter nor longer than its fields.
fn check_whole(layout: &CopyLayout, message: &[u8]) {
    assert!(decode(layout, &[&[message, b"x"].concat()], 1).is_err());
    assert!(decode(layout, &[&message[..message.len() - 1]], 1).is_err());
}

/// What is sent for events to a server is what is decoded from it.
fn check_round_trip(layout: &CopyLayout, batch: &EventBatch) {
    assert!(layout.schema().columns().iter().all(|column| server_type(&column.kind).is_some()));
    // The server does not send texts with U+0000, nor JSON that begins with the version of its binary form.
    let begins_low = |array: &ArrayRef| {
        let texts = array.as_list_opt::<i32>().map_or(array, |lists| lists.values());
        let texts = texts.as_string_opt::<i32>();
        texts.is_some_and(|texts| texts.iter().flatten().any(|text| text.starts_with(|first| first <= '\u{8}')))
    };
    if column_with_nul(batch).is_some() || batch.records().columns().iter().any(begins_low) {
        return;
    }
    let mut messages = Vec::new();
    let copied = write_rows(batch, &mut Vec::new(), |out| {
        messages.push(std::mem::take(out));
        Ok::<_, Infallible>(())
    });
    copied.expect("nothing fails");
    let messages = messages.iter().map(Vec::as_slice).collect::<Vec<_>>();
    let mut rows = CopyRows::new(usize::MAX);
    for message in &messages {
        assert_eq!(rows.push(message), Ok(Pushed::Row));
    }
    let again = layout.decode(&rows).expect("rows of the encoder");
    assert_eq!(again.rejects, []);
    let again = again.batch.expect("events");
    assert_eq!(again.records().num_rows(), batch.records().num_rows());
    for (one, other) in again.records().columns().iter().zip(batch.records().columns()) {
        assert_eq!(one.to_data(), other.to_data());
    }
}
