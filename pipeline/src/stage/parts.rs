//! The files of one format, one after the other.

use super::encode::Target;
use archive_connectors::{Error, ErrorKind, Result, error::local, sink::StagedFile};
use archive_formats::{
    EventBatch, FileFormat, Reject,
    encode::{
        EncodeError, EncodedFile, FileEncoder, csv::CsvEncoder, parquet::ParquetEncoder, rejects::RejectsEncoder,
    },
    key,
    manifest::DataFile,
};
use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
};

/// Makes the encoder of a file.
type Begin<T> = fn(BufWriter<File>, &Target) -> Box<dyn FileEncoder<T>>;

/// The files of one format, of which each is ended at the size of a part.
pub(super) struct Parts<T> {
    format: FileFormat,
    target: Target,
    begin: Begin<T>,
    current: Option<(PathBuf, Box<dyn FileEncoder<T>>)>,
    files: Vec<StagedFile>,
}

impl Parts<EventBatch> {
    /// Events as Parquet.
    pub(super) fn parquet(target: &Target) -> Self {
        Self::new(FileFormat::Parquet, target, |file, target| {
            Box::new(ParquetEncoder::new(file, target.label.clone(), target.part_size))
        })
    }

    /// Events as CSV.
    pub(super) fn csv(target: &Target) -> Self {
        Self::new(FileFormat::Csv, target, |file, _| Box::new(CsvEncoder::new(file)))
    }

    /// In pieces that fit into a part, so that a part is not much larger than it should be.
    pub(super) fn write_pieces(&mut self, batch: &EventBatch) -> Result<()> {
        batch.pieces(self.target.part_size).try_for_each(|piece| self.write(&piece))
    }
}

impl Parts<Reject> {
    /// Rejected rows.
    pub(super) fn rejects(target: &Target) -> Self {
        Self::new(FileFormat::Rejects, target, |file, _| Box::new(RejectsEncoder::new(file)))
    }
}

impl<T> Parts<T> {
    fn new(format: FileFormat, target: &Target, begin: Begin<T>) -> Self {
        Self { format, target: target.clone(), begin, current: None, files: Vec::new() }
    }

    /// Appends `item` to the present file.
    pub(super) fn write(&mut self, item: &T) -> Result<()> {
        let (path, encoder) = match self.current.take() {
            Some(current) => current,
            None => self.open()?,
        };
        let (path, encoder) = self.current.insert((path, encoder));
        encoder.write(item).map_err(failed(path))?;
        if encoder.bytes_written() >= self.target.part_size { self.close() } else { Ok(()) }
    }

    /// Ends the last file.
    pub(super) fn finish(mut self) -> Result<Vec<StagedFile>> {
        self.close()?;
        Ok(self.files)
    }

    fn open(&self) -> Result<(PathBuf, Box<dyn FileEncoder<T>>)> {
        let path = self.target.folder.join(format!("{}-{:05}", self.format, self.files.len()));
        let file = BufWriter::new(File::create(&path).map_err(local("create a staged file", &path))?);
        Ok((path, (self.begin)(file, &self.target)))
    }

    fn close(&mut self) -> Result<()> {
        let Some((local, encoder)) = self.current.take() else { return Ok(()) };
        let whole = encoder.finish().map_err(failed(&local))?;
        let extension = self.format.extension().unwrap_or_default();
        let file = self.target.data_file(self.format, extension, self.files.len(), &whole);
        self.files.push(StagedFile { local, file });
        Ok(())
    }
}

impl Target {
    /// What the manifest says of file number `part` of a format, whose names end in the extension.
    pub(super) fn data_file(&self, format: FileFormat, extension: &str, part: usize, whole: &EncodedFile) -> DataFile {
        let EncodedFile { rows, bytes, sha256, first, last } = *whole;
        let folder = key::month_folder(&self.label.dataset, format, self.label.month);
        DataFile { path: key::data_file(&folder, part, &sha256, extension), format, rows, bytes, sha256, first, last }
    }
}

fn failed(path: &Path) -> impl FnOnce(EncodeError) -> Error {
    let path = path.to_owned();
    move |error| match error {
        EncodeError::Io(error) => local("write a staged file", &path)(error),
        error => Error::new(ErrorKind::Internal, "could not encode events").with_source(error),
    }
}
