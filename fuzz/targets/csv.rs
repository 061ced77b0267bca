//! CSV artifacts. The first two bytes cut the input, the rest is the artifact.

#![no_main]

use archive_formats::{
    EventBatch, Reject,
    catalogue::KeyColumns,
    decode::{
        TimeIndex,
        csv::{ArchivedLayout, CsvError, CsvLayout, CsvSplitter},
    },
};
use archive_fuzz::{Cut, after_line, check_times, csv_chunks, encoded_csv, equal, joined, line_feeds};
use arrow_array::{Array as _, cast::AsArray as _};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((cut, artifact)) = Cut::take(data) else { return };
    // A chunk has the whole header, as those of the program have.
    let Ok((_, header)) = CsvLayout::from_header(artifact, &KeyColumns::default()) else {
        // The error may differ: a chunk may end before the header, after empty lines.
        assert!(decode(artifact, cut).is_err() && decode(artifact, Cut::WHOLE).is_err(), "there is no header");
        return;
    };
    let cut = Cut { chunk: cut.chunk + header, ..cut };
    if let Some(all) = equal(decode(artifact, cut), decode(artifact, Cut::WHOLE)) {
        check(artifact, &all);
    }
});

#[derive(Debug)]
struct All {
    layout: CsvLayout,
    batches: Vec<EventBatch>,
    rejects: Vec<Reject>,
    times: TimeIndex,
    rows: u64,
    lines: u64,
}

impl PartialEq for All {
    fn eq(&self, other: &Self) -> bool {
        joined(&self.batches) == joined(&other.batches)
            && self.rejects == other.rejects
            && self.times == other.times
            && (self.rows, self.lines) == (other.rows, other.lines)
    }
}

fn decode(artifact: &[u8], cut: Cut) -> Result<All, CsvError> {
    let chunks = csv_chunks(CsvSplitter::new(cut.chunk), artifact, cut.block)?;
    let (layout, header) = CsvLayout::from_header(chunks.first().map_or(&[], Vec::as_slice), &KeyColumns::default())?;
    let (mut batches, mut rejects, mut times) = (Vec::new(), Vec::new(), TimeIndex::default());
    let (mut rows, mut lines) = (0, line_feeds(&artifact[..header]));
    for (index, chunk) in chunks.iter().enumerate() {
        let records = &chunk[if index == 0 { header } else { 0 }..];
        let decoded = layout.decode(records);
        times.merge(&layout.index_times(records));
        rejects.extend(decoded.rejects.into_iter().map(|reject| Reject { line: reject.line + lines, ..reject }));
        (rows, lines) = (rows + decoded.rows, lines + decoded.lines);
        batches.extend(decoded.batch);
    }
    Ok(All { layout, batches, rejects, times, rows, lines })
}

fn check(artifact: &[u8], all: &All) {
    assert_eq!(all.lines, line_feeds(artifact));
    let events = all.batches.iter().map(EventBatch::len).sum::<usize>();
    assert_eq!((events + all.rejects.len()) as u64, all.rows, "every row is an event or a reject");
    for reject in &all.rejects {
        assert!(after_line(artifact, reject.line).starts_with(&reject.row), "{reject}");
    }
    let of_rejects = all.rejects.iter().filter_map(|reject| all.layout.time_of(&reject.row));
    check_times(&all.times, all.rows, &all.batches, of_rejects);
    check_archived(all);
    if all.rejects.is_empty() && !artifact.contains(&b'\r') {
        check_independently(artifact, all);
    }
}

/// What the archive writes for the events has the same events, and is written again as it is.
fn check_archived(all: &All) {
    let Some(events) = joined(&all.batches) else { return };
    let text = encoded_csv(&all.batches);
    let (layout, header) = ArchivedLayout::from_header(&text, all.layout.schema()).expect("the header of the encoder");
    let again = layout.decode(&text[header..]).expect("records of the encoder").expect("events");
    assert_eq!(again.records().columns(), events.columns());
    assert_eq!(encoded_csv([&again]), text);
}

/// The csv crate reads the same texts.
fn check_independently(artifact: &[u8], all: &All) {
    let mut reader = csv::ReaderBuilder::new().has_headers(true).from_reader(artifact);
    let records = reader.byte_records().map(|record| record.expect("rows of one length")).collect::<Vec<_>>();
    assert_eq!(records.len() as u64, all.rows);
    let mut records = records.iter();
    for batch in &all.batches {
        for row in 0..batch.len() {
            let record = records.next().expect("as many records");
            for (index, array) in batch.records().columns().iter().enumerate() {
                let Some(texts) = array.as_string_opt::<i32>() else { continue };
                let text = texts.is_valid(row).then(|| texts.value(row).as_bytes());
                assert_eq!(text, Some(&record[index]).filter(|text| !text.is_empty()));
            }
        }
    }
}
