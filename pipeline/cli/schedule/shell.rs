//! Words for a POSIX shell, also on a line of a crontab.

use super::impossible;
use archive_connectors::Result;

/// `word` as the shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_@+=:,./-".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// `word` for a shell that cron starts. cron ends a command at a `%` that has no backslash before it, and some take the
/// first of two backslashes away: so a backslash has a quote after it, never another one or a `%`.
pub(super) fn cron_quoted(word: &str) -> Result<String> {
    if word.contains(['\n', '\r', '\0']) {
        return Err(impossible(
            "a line of a crontab cannot hold a value with a line end",
            "write the value into a configuration file, and name that with --config",
        ));
    }
    Ok(quoted(&word.replace('\\', BACKSLASH)).replace(BACKSLASH, "\\''").replace('%', "\\%"))
}

/// Stands for a backslash while quotes are put around the others; no argument can hold it.
const BACKSLASH: &str = "\0";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// The words that the shell makes of `line`.
    fn words(line: &str) -> Vec<String> {
        let output = Command::new("sh").args(["-c", &format!("printf '%s\\0' {line}")]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.strip_suffix('\0').unwrap().split('\0').map(str::to_owned).collect()
    }

    /// The command that cron hands to the shell. Implementations differ in what `\\` means.
    fn through_cron(line: &str, halves_backslashes: bool) -> String {
        let (mut command, mut letters) = (String::new(), line.chars().peekable());
        while let Some(letter) = letters.next() {
            match (letter, letters.peek()) {
                ('\\', Some('%')) => command.extend(letters.next()),
                ('\\', Some('\\')) if halves_backslashes => command.extend(letters.next()),
                ('\\', Some(_)) if !halves_backslashes => command.push('\\'),
                ('\\', _) => command.extend([Some('\\'), letters.next()].into_iter().flatten()),
                ('%', _) => panic!("the command ends early: {line}"),
                _ => command.push(letter),
            }
        }
        command
    }

    fn nasty() -> impl Strategy<Value = String> {
        prop_oneof![r#"[\\%'"$` !#&;|<>(){}*?~a-]{0,12}"#, r"[^\x00]{0,12}"]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        #[test]
        fn the_shell_reads_back_every_word(list in prop::collection::vec(nasty(), 1..20)) {
            let line = list.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(words(&line), list);
        }

        #[test]
        fn the_shell_behind_any_cron_reads_back_every_word(list in prop::collection::vec(nasty(), 1..20)) {
            let list = list.into_iter().filter(|word| !word.contains(['\n', '\r'])).collect::<Vec<_>>();
            prop_assume!(!list.is_empty());
            let line = list.iter().map(|word| cron_quoted(word).unwrap()).collect::<Vec<_>>().join(" ");
            for halves_backslashes in [false, true] {
                prop_assert_eq!(&words(&through_cron(&line, halves_backslashes)), &list);
            }
        }
    }

    #[test]
    fn plain_words_stay_plain_and_lines_do_not_end_early() {
        assert_eq!(quoted("--archive=/srv/archive"), "--archive=/srv/archive");
        assert_eq!(quoted(""), "''");
        assert_eq!(cron_quoted("50%").unwrap(), "'50\\%'");
        assert!(cron_quoted("two\nlines").is_err());
    }
}
