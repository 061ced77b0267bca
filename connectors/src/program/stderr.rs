//! What a program prints to its standard error, in bounded memory.

use crate::Secret;
use std::{collections::VecDeque, mem};

/// Lines that are kept from the beginning, and as many from the end.
const KEPT: usize = 40;

/// Bytes that are kept of a line before secrets are replaced, so that none is cut in two.
const RAW: usize = 8192;

/// Characters that are kept of a line after that.
const SHOWN: usize = 1000;

/// The first and the last lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    first: Vec<Vec<u8>>,
    last: VecDeque<Vec<u8>>,
    /// Lines between them.
    left_out: u64,
    /// The line that has no end yet.
    open: Vec<u8>,
}

impl Lines {
    /// Adds bytes as they come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        if let Some(piece) = pieces.next() {
            self.extend(piece);
        }
        for piece in pieces {
            self.end_line();
            self.extend(piece);
        }
    }

    fn extend(&mut self, piece: &[u8]) {
        let room = RAW - self.open.len().min(RAW);
        self.open.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn end_line(&mut self) {
        let line = mem::take(&mut self.open);
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        if self.first.len() < KEPT {
            self.first.push(line);
            return;
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
            self.left_out += 1;
        }
        self.last.push_back(line);
    }

    /// All lines that are kept, without `secrets`.
    pub(super) fn redacted(&mut self, secrets: &[Secret]) -> Vec<String> {
        self.end_line();
        let text = |line: &Vec<u8>| {
            let text = String::from_utf8_lossy(line);
            let text = secrets.iter().fold(text.trim_end().to_owned(), |text, secret| secret.redact(&text));
            text.chars().take(SHOWN).collect::<String>()
        };
        let gap = (self.left_out > 0).then(|| format!("[{} lines left out]", self.left_out));
        self.first.iter().map(text).chain(gap).chain(self.last.iter().map(text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.push(chunk);
        }
        lines.redacted(&[Secret::new("canary".to_owned())])
    }

    #[test]
    fn lines_come_in_pieces() {
        assert_eq!(kept(&[b"a", b"b\n\r\n", b"c\xff\r\nd"]), ["ab", "c\u{fffd}", "d"]);
    }

    #[test]
    fn secrets_are_replaced_before_lines_are_cut() {
        let long = format!("{}canary", "x".repeat(SHOWN - 3));
        let shown = kept(&[long.as_bytes(), b"\npassword=canary"]);
        assert_eq!(shown[0], format!("{}[se", "x".repeat(SHOWN - 3)));
        assert_eq!(shown[1], "password=[secret]");
    }

    #[test]
    fn memory_is_bounded() {
        let mut lines = Lines::default();
        for _ in 0..10_000 {
            lines.push(&[b'x'; 1000]);
        }
        assert!(lines.open.len() <= RAW);
        for number in 0..1000 {
            lines.push(format!("\nline {number}").as_bytes());
        }
        let shown = lines.redacted(&[]);
        assert_eq!(shown.len(), 2 * KEPT + 1);
        assert_eq!((shown[1].as_str(), shown[KEPT].as_str()), ("line 0", "[921 lines left out]"));
        assert_eq!(shown.last().unwrap(), "line 999");
    }
}
