//! Commands that run `pg_dump` somewhere else, such as `docker exec -i -e PGPASSWORD postgres`.

use super::super::failure::configuration;
use crate::Result;
use std::str::FromStr;

/// A command that takes a program and its arguments as its last words. Its standard output is that of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandPrefix {
    words: Vec<String>,
}

/// Commands that can allocate a terminal.
const RUNNERS: &[&str] = &[
    "docker",
    "docker-compose",
    "podman",
    "podman-compose",
    "nerdctl",
    "crictl",
    "kubectl",
    "oc",
    "lxc",
    "incus",
    "ssh",
];

/// Letters of their short options that take a value, which is the rest of the word.
const WITH_VALUE: &str = "cefFgGhHlLnopuw";

impl CommandPrefix {
    /// The words of the command.
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

impl FromStr for CommandPrefix {
    type Err = crate::Error;

    /// Splits `text` as a shell does. Refuses a command that would allocate a terminal, which changes the bytes of a dump,
    /// and one that holds a password.
    fn from_str(text: &str) -> Result<Self> {
        let words = shlex::split(text)
            .ok_or_else(|| configuration("the command has a quotation mark or a backslash without its partner"))?;
        if words.first().is_none_or(String::is_empty) {
            return Err(configuration("the command is empty")
                .with_hint("for example 'docker exec -i -e PGPASSWORD keeptrusts-postgres'"));
        }
        if words.iter().any(|word| word.contains("PGPASSWORD=")) {
            return Err(configuration("the command holds a password, which other users of this host could read")
                .with_hint("write -e PGPASSWORD without a value, and set the variable PGPASSWORD"));
        }
        if let Some(word) = terminal_option(&words) {
            return Err(configuration("the command allocates a terminal, which changes the bytes of a dump")
                .with_context("option", word)
                .with_hint("leave -t and --tty out: docker exec -i …"));
        }
        if allocates_unasked(&words) {
            return Err(configuration("docker compose allocates a terminal, which changes the bytes of a dump")
                .with_hint("add -T: docker compose exec -T …"));
        }
        Ok(Self { words })
    }
}

/// The words after the name of a command that can allocate a terminal.
fn runner_words(words: &[String]) -> &[String] {
    let name = |word: &String| word.rsplit('/').next().is_some_and(|name| RUNNERS.contains(&name));
    words.iter().position(name).map_or(&[], |index| &words[index + 1..])
}

/// The option that asks for a terminal.
fn terminal_option(words: &[String]) -> Option<&str> {
    let asks = |word: &&String| match word.strip_prefix("--") {
        Some("tty" | "force-interactive") => true,
        Some(long) => long.strip_prefix("tty=").is_some_and(|value| value != "false"),
        None => flags(word).contains('t'),
    };
    runner_words(words).iter().find(asks).map(String::as_str)
}

/// Whether the words are a `docker compose exec` or `run`, which allocates a terminal by default.
fn allocates_unasked(words: &[String]) -> bool {
    let composes = |word: &String| {
        let name = word.rsplit('/').next().unwrap_or_default();
        matches!(name, "compose" | "docker-compose" | "podman-compose")
    };
    let Some(compose) = words.iter().position(composes) else { return false };
    let rest = &words[compose + 1..];
    let refuses =
        |word: &String| matches!(word.as_str(), "--no-tty" | "--no-TTY" | "--tty=false") || flags(word).contains('T');
    rest.iter().any(|word| word == "exec" || word == "run") && !rest.iter().any(refuses)
}

/// The letters of short options in a word that are flags.
fn flags(word: &str) -> &str {
    let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.starts_with('-')) else { return "" };
    let end = letters.find(|letter| WITH_VALUE.contains(letter)).unwrap_or(letters.len());
    &letters[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn refusal(text: &str) -> String {
        let error = text.parse::<CommandPrefix>().expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        format!("{error}; {}", error.hint())
    }

    #[test]
    fn words_are_split_as_by_a_shell() {
        let prefix = "docker exec -i -e PGPASSWORD 'a b' \"c d\" e\\ f".parse::<CommandPrefix>().unwrap();
        assert_eq!(prefix.words(), ["docker", "exec", "-i", "-e", "PGPASSWORD", "a b", "c d", "e f"]);
        assert!(refusal("docker 'exec").contains("quotation mark"));
        assert!(refusal("  ").contains("keeptrusts-postgres"));
    }

    #[test]
    fn terminals_are_refused() {
        for text in [
            "docker exec -it db",
            "docker exec -t db",
            "docker exec -ti -e PGPASSWORD db",
            "sudo -u ops /usr/bin/docker exec --tty db",
            "docker exec --tty=true db",
            "podman exec -it db",
            "kubectl exec -n prod -it db --",
            "ssh -t host",
            "ssh -tt host",
            "docker compose exec -t db",
        ] {
            assert!(refusal(text).contains("docker exec -i"), "{text}");
        }
        for text in ["docker compose exec db", "docker compose -f x.yml exec -e PGPASSWORD db", "docker-compose run db"]
        {
            assert!(refusal(text).contains("add -T"), "{text}");
        }
    }

    #[test]
    fn pipes_are_accepted() {
        for text in [
            "docker exec -i -e PGPASSWORD keeptrusts-postgres",
            "docker exec --tty=false db",
            "docker exec -upostgres db",
            "docker exec -eTZ=utc -w /tmp db",
            "docker compose exec -T postgres",
            "docker compose -p test exec -iT postgres",
            "docker compose exec --no-tty postgres",
            "kubectl exec -i -c postgres db-0 --",
            "ssh -T host",
            "ssh -oRequestTTY=no host",
            "nsenter -t 4711 -n",
            "sudo -u postgres",
        ] {
            assert!(text.parse::<CommandPrefix>().is_ok(), "{text}");
        }
    }

    #[test]
    fn passwords_are_refused() {
        assert!(refusal("docker exec -e PGPASSWORD=canary db").contains("-e PGPASSWORD without a value"));
    }
}
