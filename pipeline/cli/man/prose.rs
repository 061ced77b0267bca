//! The texts of `--help` as manual pages set them.

use clap_mangen::roff::{Roff, bold, roman};

/// Adds `text`: lines that belong together as a paragraph, and indented ones, a term and what it means, as a list.
pub(super) fn render(roff: &mut Roff, text: &str) {
    for block in text.split("\n\n") {
        let mut lines = block.lines().peekable();
        while let Some(line) = lines.next() {
            if let Some((term, meaning)) = row(line) {
                let mut meaning = meaning.to_owned();
                while let Some(more) = lines.next_if(|line| is_continued(line)) {
                    meaning.extend([" ", more.trim()]);
                }
                roff.control("TP", []);
                roff.text([bold(term)]);
                roff.text([roman(meaning)]);
            } else {
                let mut paragraph = line.to_owned();
                while let Some(more) = lines.next_if(|line| !line.starts_with(' ')) {
                    paragraph.extend([" ", more]);
                }
                roff.control("PP", []);
                roff.text([roman(paragraph)]);
            }
        }
    }
}

/// The term of a list and what follows it.
fn row(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?;
    line.split_once("  ").map(|(term, meaning)| (term, meaning.trim()))
}

fn is_continued(line: &str) -> bool {
    line.starts_with("   ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_filled_and_lists_have_terms() {
        let mut roff = Roff::new();
        render(&mut roff, "One\nsentence.\n\nThese:\n  A, B   first\n         line\n  C      second\nEnd.");
        let expected =
            ".PP\nOne sentence.\n.PP\nThese:\n.TP\n\\fBA, B\\fR\nfirst line\n.TP\n\\fBC\\fR\nsecond\n.PP\nEnd.\n";
        assert_eq!(roff.to_roff(), expected);
    }
}
