//! Connection URLs of PostgreSQL, with variables of libpq in the lines after them.

#![no_main]

use archive_connectors::{ErrorKind, postgres::Server};
use libfuzzer_sys::fuzz_target;
use std::collections::HashMap;

/// In no input: libFuzzer does not find so many letters by itself, and none is in the seeds.
const CANARY: &str = "canary-of-the-password";

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let (url, variables) = text.split_once('\n').unwrap_or((text, ""));
    let mut variables = variables.lines().filter_map(|line| line.split_once('=')).collect::<HashMap<_, _>>();
    // A variable of a process has no zero byte.
    variables.retain(|_, value| !value.contains('\0'));
    variables.insert("PGPASSWORD", CANARY);
    variables.insert("USER", "somebody");
    variables.insert("HOME", "/nowhere");
    let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    match Server::new(url, &variable) {
        Ok(server) => {
            check(&server);
            let again = Server::new(url, &variable).expect("the same answer");
            assert_eq!(format!("{again:?}"), format!("{server:?}"));
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            assert!(!format!("{error:?}{}", error.hint()).contains(CANARY), "{error:?}");
        }
    }
    check_password(url, &variable);
});

/// The printed URL has neither password nor parameters, and means the same server.
fn check(server: &Server) {
    assert!(!format!("{server:?}").contains(CANARY), "{server:?}");
    let url = server.url();
    assert!(url.starts_with("postgres://") && url.is_ascii(), "{url}");
    assert!(!url.contains(['?', '@', '#', ' ']), "{url}");
    assert!(!url.chars().any(char::is_control), "{url:?}");
    let user = |name: &str| (name == "USER").then(|| "somebody".to_owned());
    let again = Server::new(url, &user).expect("a printed URL can be parsed");
    assert_eq!(again.url(), url);
}

/// A password in the URL is refused wherever it is, and not repeated.
fn check_password(url: &str, variable: &dyn Fn(&str) -> Option<String>) {
    let Some(rest) = url.strip_prefix("postgres://") else { return };
    let separator = if rest.contains('?') { '&' } else { '?' };
    let urls = [format!("postgres://u:{CANARY}@{rest}"), format!("{url}{separator}password={CANARY}")];
    for url in urls {
        if let Ok(server) = Server::new(&url, variable) {
            panic!("{url} was accepted as {server:?}");
        }
        let error = Server::new(&url, variable).expect_err("a password");
        assert!(!format!("{error:?}{error}{}", error.hint()).contains(CANARY), "{error:?}");
    }
}
