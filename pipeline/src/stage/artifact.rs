//! Stages delivered artifacts as files.

use super::encode::Target;
use crate::reader;
use archive_connectors::{Error, ErrorKind, LocalArtifact, Result, error::local, sink::StagedFile};
use archive_formats::{FileFormat, Sha256, digest::DigestWriter, encode::EncodedFile, gzip::GzipWriter};
use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
};

/// Bytes copied per step.
const BLOCK: usize = 256 * 1024;

/// Stages a file for each artifact: the delivered bytes, compressed unless they are gzip already. Each file is read
/// back. Fails if an artifact differs from the delivered bytes, or cannot be recovered from the file.
pub async fn stage(artifacts: Vec<LocalArtifact>, target: &Target) -> Result<Vec<StagedFile>> {
    if artifacts.is_empty() {
        return Err(Error::new(ErrorKind::Configuration, "the source has no artifacts")
            .with_hint("leave artifact out of --format"));
    }
    let target = target.clone();
    let work = tokio::task::spawn_blocking(move || {
        artifacts.iter().enumerate().map(|(part, artifact)| stage_one(artifact, part, &target)).collect()
    });
    work.await.map_err(|error| Error::new(ErrorKind::Internal, "an artifact's copy stopped").with_source(error))?
}

fn stage_one(artifact: &LocalArtifact, part: usize, target: &Target) -> Result<StagedFile> {
    let source = File::open(&artifact.path).map_err(local("open an artifact", &artifact.path))?;
    let (file, local_path) = target.stage(FileFormat::Artifact, artifact.kind.extension(), part)?.into_parts();
    let failed = |error| target.sink.staging_error("copy an artifact", &local_path, error);
    let (delivered, stored) = copy(source, artifact.gzip, file).map_err(failed)?;
    if delivered != (artifact.bytes, artifact.sha256) {
        return Err(Error::new(ErrorKind::Local, "an artifact is not what was delivered any more")
            .with_context("path", artifact.path.display())
            .with_hint("check the disk of the state folder, then run again; nothing was committed"));
    }
    let unpacked = File::open(&local_path).ok().and_then(|file| reader::unpacked(file).ok());
    if unpacked.is_none_or(|content| !artifact.gzip && content != artifact.sha256) {
        return Err(Error::new(ErrorKind::Local, "an artifact cannot be read back from its staged file")
            .with_context("path", local_path.display())
            .with_hint("check the disk of this path, then run again; nothing was committed"));
    }
    let (bytes, sha256) = stored;
    let whole = EncodedFile { rows: artifact.rows, bytes, sha256, first: None, last: None, ranges: None };
    let file = target.data_file(FileFormat::Artifact, artifact.kind.extension(), part, whole);
    StagedFile::new(local_path, file)
}

/// Size and digest.
type Measured = (u64, Sha256);

/// Compresses an artifact, unless it is `gzip`. Measures what was read, and what was written.
fn copy(source: File, gzip: bool, target: File) -> io::Result<(Measured, Measured)> {
    let (source, file) = (BufReader::with_capacity(BLOCK, source), BufWriter::new(target));
    if gzip { copy_as_it_is(source, file) } else { pack(source, file) }
}

fn copy_as_it_is(source: impl Read, file: impl Write) -> io::Result<(Measured, Measured)> {
    let (mut file, bytes, sha256) = copy_through(source, file)?;
    file.flush()?;
    Ok(((bytes, sha256), (bytes, sha256)))
}

fn pack(source: impl Read, file: impl Write) -> io::Result<(Measured, Measured)> {
    let (gzip, bytes, sha256) = copy_through(source, GzipWriter::new(file))?;
    Ok(((bytes, sha256), gzip.finish()?))
}

fn copy_through<W: Write>(mut source: impl Read, sink: W) -> io::Result<(W, u64, Sha256)> {
    let mut sink = DigestWriter::new(sink);
    io::copy(&mut source, &mut sink)?;
    Ok(sink.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::encode::tests::directory_sink;
    use archive_formats::{ArtifactKind, encode::parquet::Label};
    use flate2::read::MultiGzDecoder;
    use tempfile::TempDir;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut gzip = GzipWriter::new(&mut file);
        gzip.write_all(content).unwrap();
        gzip.finish().unwrap();
        file
    }

    /// Stages artifacts, each given by its delivered bytes and its bytes on disk.
    async fn staged(artifacts: &[(&[u8], &[u8], bool)]) -> (TempDir, Result<Vec<StagedFile>>) {
        let folder = tempfile::tempdir().unwrap();
        let artifact = |(number, (delivered, found, gzip)): (usize, &(&[u8], &[u8], bool))| {
            let path = folder.path().join(format!("delivered-{number}"));
            std::fs::write(&path, found).unwrap();
            let (bytes, sha256) = (delivered.len() as u64, Sha256::digest(delivered));
            LocalArtifact { path, kind: ArtifactKind::JsonLines, gzip: *gzip, rows: 7, bytes, sha256 }
        };
        let artifacts = artifacts.iter().enumerate().map(artifact).collect();
        let (dataset, month) = ("events".parse().unwrap(), "2025-03".parse().unwrap());
        let target = Target {
            label: Label { archive: String::new(), dataset, month },
            formats: [FileFormat::Artifact].into(),
            keep_rejects: false,
            part_size: 1,
            plain_encodings: false,
            sink: directory_sink(folder.path()),
            folder: folder.path().to_owned(),
        };
        let staged = stage(artifacts, &target).await;
        (folder, staged)
    }

    #[tokio::test]
    async fn compresses_delivered_bytes_once() {
        let (plain, gzip) = (b"{}\n".repeat(9), packed(b"{}\n"));
        let (_folder, files) = staged(&[(&plain, &plain, false), (&gzip, &gzip, true)]).await;
        for (number, (file, content)) in files.unwrap().iter().zip([&plain[..], b"{}\n"]).enumerate() {
            let bytes = std::fs::read(&file.local).unwrap();
            let mut unpacked = Vec::new();
            MultiGzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, content);
            let short = Sha256::digest(&bytes).short();
            assert_eq!(file.file.path, format!("events/artifact/month=2025-03/part-{number:05}-{short}.jsonl.gz"));
            assert_eq!((file.file.rows, file.file.bytes), (7, bytes.len() as u64));
        }
    }

    #[tokio::test]
    async fn rejects_an_artifact_that_changed_on_disk() {
        let gzip = packed(b"{}\n");
        let cases: [(&[u8], &[u8], bool); 4] =
            [(b"{}\n", b"{ }\n", false), (b"{}\n", b"[]\n", false), (&gzip, b"{}\n", true), (b"{}\n", b"{}\n", true)];
        for case in cases {
            let (_folder, files) = staged(&[case]).await;
            assert_eq!(files.unwrap_err().kind(), ErrorKind::Local, "{case:?}");
        }
    }

    #[tokio::test]
    async fn rejects_a_source_without_artifacts() {
        assert_eq!(staged(&[]).await.1.unwrap_err().kind(), ErrorKind::Configuration);
    }
}
