//! Breaks text between words. A short file of its own: reports of several commands use it, and the terminal's errors.

/// The width of a terminal that is not known, in columns.
pub const WIDTH: usize = 80;

/// `text` in lines of at most `width` columns. The first one begins in column `start`, each other one with `indent`. Words
/// that are longer stay whole, and commands in backticks too: they are to be copied.
pub fn wrap(text: &str, width: usize, start: usize, indent: &str) -> String {
    let (mut wrapped, mut column) = (String::with_capacity(text.len()), start);
    let (mut is_first, mut is_command) = (true, false);
    for (at, word) in words(text) {
        let length = word.chars().count();
        if is_first {
            column += length;
        } else if is_command || column + 1 + unbroken(&text[at..]) <= width {
            wrapped.push(' ');
            column += 1 + length;
        } else {
            wrapped.extend(["\n", indent]);
            column = indent.len() + length;
        }
        wrapped.push_str(word);
        is_first = false;
        is_command ^= word.matches('`').count() % 2 == 1;
    }
    wrapped
}

/// Words with their places in `text`.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    text.split(' ').map(move |word| {
        let at = next;
        next += word.len() + 1;
        (at, word)
    })
}

/// Columns of the word, or of the command, at the start of `text`.
fn unbroken(text: &str) -> usize {
    let mut ticks = 0;
    let whole = text.split(' ').take_while(|word| {
        let goes_on = ticks % 2 == 1 || ticks == 0 && word.as_ptr() == text.as_ptr();
        ticks += word.matches('`').count();
        goes_on
    });
    whole.map(|word| word.chars().count() + 1).sum::<usize>().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("short enough", 12, 0, "  "), "short enough");
        assert_eq!(wrap("short enough", 11, 0, "  "), "short\n  enough");
        assert_eq!(wrap("short enough", 12, 1, "  "), "short\n  enough");
        let text = wrap(&"2024-12 to 2025-01, ".repeat(9), 60, 0, "    ");
        assert!(text.lines().all(|line| line.len() <= 60) && text.lines().skip(1).all(|line| line.starts_with("    ")));
        assert_eq!(text.split_whitespace().count(), 27);
    }

    #[test]
    fn long_words_and_commands_stay_whole() {
        let path = "x".repeat(100);
        assert_eq!(wrap(&format!("a {path} b"), 60, 0, "  "), format!("a\n  {path}\n  b"));
        let command = "`kt-archive backfill --from 2025-01 --to 2025-02`";
        let expected = format!("archive them with\n{command},\nor not");
        assert_eq!(wrap(&format!("archive them with {command}, or not"), 40, 0, ""), expected);
    }
}
