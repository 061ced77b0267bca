//! Finds what seems to be a secret in text: private keys, and tokens by their known prefixes.

use crate::address::contains_secret;

/// A token that begins with one of these, followed by at least so many letters, digits, hyphens and underscores.
const TOKENS: &[(&[&str], usize, &str)] = &[
    (&["kt_ak_", "kt_gk_", "kt_live_"], 12, "a token of Keeptrusts"),
    (&["github_pat_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"], 20, "a token of GitHub"),
    (&["glpat-"], 20, "a token of GitLab"),
    (&["AKIA", "ASIA"], 16, "an access key of AWS"),
    (&["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-"], 10, "a token of Slack"),
    (&["AIza"], 35, "an API key of Google"),
];

/// API keys such as `sk-…`, whose prefix begins words too: they hold a digit.
const MODEL_KEY: (&str, usize, &str) = ("sk-", 20, "an API key of a model provider");

/// A line that seems to hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeemingSecret {
    /// The number of the line, from 1.
    pub(super) line: u64,
    /// What it seems to be.
    pub(super) kind: &'static str,
}

/// The first line of `content` that seems to hold a secret.
pub(super) fn find_secret(content: &[u8]) -> Option<SeemingSecret> {
    let mut lines = (1..).zip(content.split(|byte| *byte == b'\n'));
    lines.find_map(|(line, text)| secret_in(text).map(|kind| SeemingSecret { line, kind }))
}

/// The kind of secret that a line seems to hold.
pub(super) fn secret_in(line: &[u8]) -> Option<&'static str> {
    let line = String::from_utf8_lossy(line);
    if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") {
        return Some("a private key");
    }
    line.split(|letter: char| !is_part(letter) && letter != '.').find_map(token)
}

/// The kind of secret that a word of a command seems to hold: also by the name that it is given, as in `--password=x`, and as a
/// part of an address.
pub(super) fn secret_in_word(word: &str) -> Option<&'static str> {
    const NAMES: [&str; 5] = ["password", "passwd", "token", "secret", "api-key"];
    let (name, _) = word.split_once('=').unwrap_or((word, ""));
    let name = name.trim_start_matches('-').to_ascii_lowercase().replace('_', "-");
    let is_named = NAMES.iter().any(|secret| name.ends_with(secret)) && (word.contains('=') || word.starts_with('-'));
    if is_named {
        return Some("a password or a token");
    }
    if contains_secret(word) {
        return Some("an address with a user, a password or a token");
    }
    secret_in(word.as_bytes())
}

/// Whether `word` is a token. Words have no other characters than tokens and dots.
fn token(word: &str) -> Option<&'static str> {
    if is_web_token(word) {
        return Some("a JSON web token");
    }
    word.split('.').find_map(|word| {
        let follows = |prefix: &str, length: usize| word.strip_prefix(prefix).filter(|rest| rest.len() >= length);
        let known =
            TOKENS.iter().find(|(prefixes, length, _)| prefixes.iter().any(|it| follows(it, *length).is_some()));
        let (prefix, length, kind) = MODEL_KEY;
        let model = follows(prefix, length).filter(|rest| rest.contains(|letter: char| letter.is_ascii_digit()));
        known.map(|(_, _, kind)| *kind).or(model.map(|_| kind))
    })
}

/// Three parts of base64, of which the first two are objects of JSON.
fn is_web_token(word: &str) -> bool {
    match word.split('.').collect::<Vec<_>>()[..] {
        [header, claims, signature] => header.starts_with("eyJ") && claims.starts_with("eyJ") && signature.len() >= 16,
        _ => false,
    }
}

const fn is_part(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_by_line_and_kind() {
        let web = format!("eyJ{0}.eyJ{0}.{0}", "abcDEF123-_xyzab");
        for (secret, kind) in [
            ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key"),
            ("-----BEGIN PGP PRIVATE KEY BLOCK-----", "a private key"),
            ("kt_live_4f9a8b7c6d5e4f3a", "a token of Keeptrusts"),
            ("kt_ak_4f9a8b7c6d5e", "a token of Keeptrusts"),
            ("ghp_0123456789abcdefghijABCDEFGHIJ456789", "a token of GitHub"),
            ("github_pat_11ABCDEFG0_abcdefghijklmnop", "a token of GitHub"),
            ("glpat-abcdefghij0123456789", "a token of GitLab"),
            ("AKIAIOSFODNN7EXAMPLE", "an access key of AWS"),
            ("xoxb-123456789012-abcdef", "a token of Slack"),
            ("AIzaSyA0123456789abcdefghijklmnopqrstuv", "an API key of Google"),
            ("sk-proj-abcdefghij0123456789", "an API key of a model provider"),
            (&web, "a JSON web token"),
        ] {
            for line in [secret.to_owned(), format!("key: \"{secret}\""), format!("https://u:{secret}@host/x")] {
                let content = format!("name: prod\n\n{line}\nother: x\n");
                assert_eq!(find_secret(content.as_bytes()), Some(SeemingSecret { line: 3, kind }), "{line}");
            }
        }
    }

    #[test]
    fn names_and_references_are_no_secrets() {
        for line in [
            "token: ${KEEPTRUSTS_API_TOKEN}",
            "token: kt_live_...",
            "prefix: ghp_",
            "task-runner-of-the-nightly-batch-2025",
            "sk-learn-pipelines-are-fine-here",
            "-----BEGIN CERTIFICATE-----",
            "AKIA is a prefix",
            "eyJhbGciOi",
            "file.with.eyJdots",
            "sha: 9c1185a5c5e9fc54612808977ee8f548b2258d31",
        ] {
            assert_eq!(find_secret(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_searched_too() {
        assert!(find_secret(b"\xff\xfe\n\x00kt_live_4f9a8b7c6d5e4f3a\xff").is_some_and(|found| found.line == 2));
    }
}
