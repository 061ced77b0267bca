//! Reads CSV files of an archive.

use super::{BLOCK, ReadError, undecodable};
use archive_formats::{
    EventBatch, Schema,
    decode::csv::{ArchivedLayout, CsvError, CsvSplitter},
    gzip::{GzipFile, GzipStream, Member, Members},
    pool::InOrder,
};
use std::{
    fs::File,
    io::{BufReader, Read as _},
    sync::Arc,
};

/// The events of a CSV file. Members are unpacked and decoded side by side; of a file without their lengths, which is
/// unpacked in one go, the chunks.
pub(super) struct CsvEvents {
    file: CsvFile,
    layout: Arc<ArchivedLayout>,
    /// Whether the header was found.
    started: bool,
    batches: InOrder<Result<Option<EventBatch>, ReadError>>,
}

enum CsvFile {
    Members(Members<BufReader<File>>),
    Stream(Box<CsvStream>),
    Ended,
}

/// Whole records.
enum Records {
    Packed(Member),
    Text(Vec<u8>),
}

impl CsvEvents {
    /// Reads `file` from its beginning.
    pub(super) fn new(file: File, schema: &Arc<Schema>) -> Result<Self, ReadError> {
        let file = match GzipFile::open(BufReader::with_capacity(BLOCK, file)).map_err(undecodable)? {
            GzipFile::Members(members) => CsvFile::Members(members),
            GzipFile::Stream(text) => CsvFile::Stream(Box::new(CsvStream::new(*text))),
        };
        let layout = Arc::new(ArchivedLayout::new(schema)?);
        Ok(Self { file, layout, started: false, batches: InOrder::default() })
    }

    pub(super) fn next_batch(&mut self) -> Result<Option<EventBatch>, ReadError> {
        loop {
            while !self.batches.is_full(BLOCK)
                && let Some(records) = self.file.next()
            {
                self.start(records);
            }
            match self.batches.next() {
                None => return Ok(None),
                Some(Ok(None)) => {}
                Some(Ok(batch)) => return Ok(batch),
                Some(Err(error)) => {
                    (self.file, self.batches) = (CsvFile::Ended, InOrder::default());
                    return Err(error);
                }
            }
        }
    }

    /// Starts the decoding of the next records. An error follows the records before it.
    fn start(&mut self, records: Result<Records, ReadError>) {
        let bytes = match &records {
            Ok(Records::Packed(member)) => member.text_bytes(),
            Ok(Records::Text(text)) => text.len(),
            Err(_) => 0,
        };
        let layout = Arc::clone(&self.layout);
        let has_header = !std::mem::replace(&mut self.started, true);
        self.batches.start(bytes, move || {
            let text = match records? {
                Records::Packed(member) => member.unpack().map_err(undecodable)?,
                Records::Text(text) => text,
            };
            let header = if has_header { layout.header(&text)? } else { 0 };
            Ok(layout.decode(&text[header..])?)
        });
    }
}

impl CsvFile {
    /// The next records; `None` after the last ones or an error.
    fn next(&mut self) -> Option<Result<Records, ReadError>> {
        let next = match self {
            Self::Members(members) => {
                members.next().transpose().map_err(undecodable).map(|next| next.map(Records::Packed))
            }
            Self::Stream(text) => text.next_chunk().map(|next| next.map(Records::Text)),
            Self::Ended => Ok(None),
        };
        if !matches!(next, Ok(Some(_))) {
            *self = Self::Ended;
        }
        next.transpose()
    }
}

/// The text of a file whose members are not known.
struct CsvStream {
    /// `None` after the end.
    text: Option<GzipStream<BufReader<File>>>,
    splitter: CsvSplitter,
    block: Vec<u8>,
}

impl CsvStream {
    fn new(text: GzipStream<BufReader<File>>) -> Self {
        Self { text: Some(text), splitter: CsvSplitter::of_archive(BLOCK), block: vec![0; BLOCK] }
    }

    /// The next chunk of whole records.
    fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        loop {
            if let Some(chunk) = self.splitter.next_chunk() {
                return Ok(Some(chunk));
            }
            let Some(text) = &mut self.text else { return Ok(None) };
            match text.read(&mut self.block).map_err(undecodable)? {
                0 => {
                    self.text = None;
                    return Ok(std::mem::replace(&mut self.splitter, CsvSplitter::of_archive(BLOCK)).finish()?);
                }
                count => self.splitter.push(&self.block[..count])?,
            }
        }
    }
}

impl From<CsvError> for ReadError {
    fn from(error: CsvError) -> Self {
        match error {
            CsvError::Header(_) | CsvError::Schema(_) | CsvError::OtherColumns => Self::Schema,
            error => undecodable(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::EventReader, *};
    use archive_formats::{
        FileFormat,
        catalogue::{KeyColumns, text_schema},
        gzip::GzipWriter,
    };
    use std::io::{Seek as _, Write as _};

    fn member(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = GzipWriter::new(&mut bytes);
        writer.write_all(text.as_bytes()).unwrap();
        writer.finish().unwrap();
        bytes
    }

    /// The number of events of a CSV file with these bytes.
    fn events(bytes: &[u8]) -> Result<usize, ReadError> {
        batches(bytes)?.map(|batch| Ok(batch?.len())).sum()
    }

    fn batches(bytes: &[u8]) -> Result<EventReader, ReadError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        let schema = Arc::new(text_schema(&["id", "timestamp"], &KeyColumns::default()).unwrap());
        EventReader::new(file, FileFormat::Csv, None, &schema, None)
    }

    fn event(id: impl std::fmt::Display) -> String {
        format!("{id},2025-03-01T00:00:00.000000Z\n")
    }

    /// As earlier versions wrote it.
    fn without_length(text: &str) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn csv_after_the_first_gzip_member_is_not_ignored() {
        let first = member(&format!("id,timestamp\n{}", event("a")));
        assert_eq!(events(&first).unwrap(), 1);
        assert_eq!(events(&[first.clone(), member(&event("b"))].concat()).unwrap(), 2);
        for rest in [&b"x"[..], &[0; 512], &member("not a record\n")] {
            assert!(matches!(events(&[&first, rest].concat()), Err(ReadError::Damaged(_))), "{rest:?}");
        }
    }

    #[test]
    fn members_are_decoded_in_their_order() {
        let header = member("id,timestamp\n");
        let members = (0..500).map(|number| member(&event(number))).collect::<Vec<_>>();
        let file = [header, members.concat()].concat();
        let ids = batches(&file).unwrap().map(|batch| batch.unwrap().ids().bytes(0).to_vec());
        let expected = (0..500).map(|number| number.to_string().into_bytes());
        assert!(ids.eq(expected));
    }

    #[test]
    fn files_of_one_member_are_read_as_before() {
        let text = (0..100_000).map(event).collect::<String>();
        assert_eq!(events(&without_length(&format!("id,timestamp\n{text}"))).unwrap(), 100_000);
        assert!(matches!(events(&without_length(&format!("id,timestamp\n{text}x\n"))), Err(ReadError::Damaged(_))));
        assert!(matches!(events(&without_length(&text)), Err(ReadError::Schema)));
    }

    #[test]
    fn a_member_ends_with_a_whole_record() {
        let text = ["id,timestamp\n", &event("a"), &event("b")].concat();
        for cut in 1..text.len() {
            let (first, second) = text.split_at(cut);
            let read = events(&[member(first), member(second)].concat());
            assert_eq!(read.is_ok(), first.ends_with('\n'), "{cut}: {read:?}");
        }
    }

    #[test]
    fn nothing_follows_a_damaged_member() {
        let mut file = [member(&format!("id,timestamp\n{}", event("a"))), member(&event("b")), member(&event("c"))];
        let end = file[1].len() - 8;
        file[1][end] ^= 1;
        let mut batches = batches(&file.concat()).unwrap();
        assert!(batches.next().unwrap().is_ok());
        assert!(matches!(batches.next(), Some(Err(ReadError::Damaged(_)))));
        assert!(batches.next().is_none());
    }
}
