//! A Git repository as a bundle of the history of its current commit.

use super::secrets::{SeemingSecret, secret_in};
use crate::backup::spool::SpooledFile;
use archive_connectors::{
    Error, ErrorKind, Result,
    program::{Pipes, Program},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

/// A repository at its current commit.
#[derive(Clone, Debug)]
pub(super) struct Repository {
    /// `git` in its folder.
    git: Program,
    /// The name of its folder.
    pub(super) name: Option<String>,
    /// The commit.
    pub(super) commit: String,
    /// The branch; `None` for a commit of none.
    pub(super) branch: Option<String>,
    /// Whether files differ from the commit, or are in none.
    pub(super) is_dirty: bool,
}

/// A secret that a commit seems to have added.
#[derive(Debug)]
pub(super) struct SecretInHistory {
    pub(super) found: SeemingSecret,
    pub(super) path: String,
    pub(super) commit: String,
}

impl Repository {
    /// Opens the repository of the folder `path`. Of `variables`, `git` sees those that it is found by, and its user's
    /// settings.
    pub(super) async fn open(path: &Path, variables: &BTreeMap<String, String>) -> Result<Self> {
        // What a repository may set to run programs is switched off.
        let options = ["-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "-c", "log.showRoot=true"];
        let git = Program::new("git", "git").argument("-C").argument(path).arguments(options);
        let seen = ["PATH", "HOME", "XDG_CONFIG_HOME"].iter().filter_map(|name| variables.get_key_value(*name));
        let git = seen.fold(git, |git, (name, value)| git.variable(name, value));
        let git = git.variable("LC_ALL", "C").variable("GIT_OPTIONAL_LOCKS", "0").variable("GIT_TERMINAL_PROMPT", "0");
        let commit = text(&git, &["rev-parse", "--verify", "HEAD^{commit}"]).await?;
        if text(&git, &["rev-parse", "--is-shallow-repository"]).await? == "true" {
            return Err(Error::new(ErrorKind::Source, "the repository has a part of its history only")
                .with_context("path", path.display())
                .with_hint("`git fetch --unshallow` fetches the rest"));
        }
        let branch = text(&git, &["rev-parse", "--abbrev-ref", "HEAD"]).await?;
        let is_dirty = !text(&git, &["status", "--porcelain"]).await?.is_empty();
        let name = path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
        Ok(Self {
            git,
            name: name.file_name().and_then(|name| name.to_str()).map(str::to_owned),
            commit,
            branch: Some(branch).filter(|branch| branch != "HEAD"),
            is_dirty,
        })
    }

    /// A bundle of the history, in a file of `folder`.
    pub(super) async fn bundle(&self, folder: &Path) -> Result<SpooledFile> {
        let mut running = self.git.clone().arguments(["bundle", "create", "-", "HEAD"]).start(OUTPUT)?;
        let spooled = SpooledFile::begin(folder)?;
        let spooled = match running.output.take() {
            Some(output) => spooled.append_all(output).await?,
            None => spooled,
        };
        running.finish().await?;
        Ok(spooled)
    }

    /// The first secret, from the newest commit on, that a commit of the history seems to have added to a file.
    pub(super) async fn find_secret(&self) -> Result<Option<SecretInHistory>> {
        /// Longer lines are searched in pieces.
        const LONGEST: u64 = 1 << 20;
        let options = ["--unified=0", "--text", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "-m"];
        let log = self.git.clone().arguments(["log", "--patch", "--format=commit %H"]).arguments(options);
        let mut running = log.arguments(["--src-prefix=a/", "--dst-prefix=b/", "HEAD", "--"]).start(OUTPUT)?;
        let Some(output) = running.output.take() else { return Ok(None) };
        let (mut output, mut place) = (BufReader::new(output), Place::default());
        let mut line = Vec::new();
        while (&mut output).take(LONGEST).read_until(b'\n', &mut line).await.map_err(unreadable)? > 0 {
            if let Some(found) = place.read(&line) {
                running.stop().await;
                return Ok(Some(found));
            }
            line.clear();
        }
        running.finish().await?;
        Ok(None)
    }
}

const OUTPUT: Pipes = Pipes { input: false, output: true };

/// The output of `git`, without the end of its last line.
async fn text(git: &Program, arguments: &[&str]) -> Result<String> {
    const LONGEST: usize = 16 << 20;
    let (output, _) = git.clone().arguments(arguments.iter().copied()).output(LONGEST).await?;
    Ok(String::from_utf8_lossy(&output).trim_end().to_owned())
}

fn unreadable(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Source, "could not read the history of a repository").with_source(error)
}

/// Where a log with patches has come.
#[derive(Debug, Default)]
struct Place {
    commit: String,
    path: String,
    /// The number of the next added line.
    line: u64,
    /// Whether the line before has not ended.
    is_begun: bool,
    /// Whether the current line is one that the commit adds.
    is_added: bool,
}

impl Place {
    /// Takes the next line, or the next piece of a long one, and returns the secret that it seems to add.
    fn read(&mut self, piece: &[u8]) -> Option<SecretInHistory> {
        let is_begun = std::mem::replace(&mut self.is_begun, !piece.ends_with(b"\n"));
        self.is_added = if is_begun { self.is_added } else { piece.starts_with(b"+") };
        if self.is_added
            && let Some(kind) = secret_in(piece)
        {
            let found = SeemingSecret { line: self.line, kind };
            return Some(SecretInHistory { found, path: self.path.clone(), commit: self.commit.clone() });
        }
        let text = String::from_utf8_lossy(piece);
        let text = text.trim_end();
        if is_begun {
            return None;
        }
        if let Some(commit) = text.strip_prefix("commit ") {
            commit.clone_into(&mut self.commit);
        } else if let Some(path) = text.strip_prefix("+++ b/") {
            path.clone_into(&mut self.path);
        } else if let Some(hunk) = text.strip_prefix("@@ -") {
            let start = hunk.split(' ').nth(1).and_then(|added| added.trim_start_matches('+').split(',').next());
            self.line = start.and_then(|start| start.parse().ok()).unwrap_or_default();
        } else if self.is_added {
            self.line += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_lines_have_a_place() {
        let log = "commit abc\n\ndiff --git a/x b/x\n--- a/x\n+++ b/dir/x\n@@ -1 +1,2 @@\n-kt_live_0123456789abcdef\n+a\n+b\n\
                   @@ -9,0 +12,2 @@ f\n+c\n+d kt_live_0123456789abcdef\n";
        let mut place = Place::default();
        let found = log.split_inclusive('\n').find_map(|line| place.read(line.as_bytes())).unwrap();
        assert_eq!((found.found.line, found.path.as_str(), found.commit.as_str()), (13, "dir/x", "abc"));
    }

    #[test]
    fn the_rest_of_a_long_line_is_searched_too() {
        let read = |pieces: &[&str]| {
            let mut place = Place::default();
            pieces.iter().find_map(|piece| place.read(piece.as_bytes())).is_some()
        };
        let token = "x kt_live_0123456789abcdef\n";
        assert!(read(&["+begin ", "middle ", token]));
        assert!(!read(&["-begin ", token]) && !read(&["+begin\n", token]));
        assert!(read(&["+++ b/", token]), "an added line may look like a header");
    }
}
