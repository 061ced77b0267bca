//! `postgres://user@host:port,host:port/database?keyword=value&…`.

use super::{
    escape::decode,
    keywords::{self, Keyword},
    refused,
};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// What the URL `text` says, parameters after the authority and the path that they may stand in for.
pub(super) fn parse(text: &str) -> Result<BTreeMap<Keyword, String>> {
    let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    let rest = rest.ok_or_else(|| {
        refused("the source's address is not of the form postgres://host/database")
            .with_hint("for example postgres://archive@db.example/keeptrusts?sslmode=verify-full")
    })?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, places) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains(':') {
        return Err(password());
    }
    let (names, ports) = split_places(places)?;
    let mut settings = BTreeMap::new();
    settings.insert("user", decode(user)?);
    settings.insert("host", decode(&names)?);
    settings.insert("port", ports);
    settings.insert("dbname", decode(database)?);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (keyword, value) = read_parameter(parameter)?;
        settings.insert(keyword, value);
    }
    Ok(settings)
}

/// The names and the ports of a list of places, each as the list that `host=` and `port=` take.
fn split_places(places: &str) -> Result<(String, String)> {
    let places = places.split(',').map(split_place).collect::<Result<Vec<_>>>()?;
    let (names, ports): (Vec<_>, Vec<_>) = places.into_iter().unzip();
    let nothing_said = ports.iter().all(|port| port.is_empty());
    Ok((names.join(","), if nothing_said { String::new() } else { ports.join(",") }))
}

/// The name and the port of `place`; an address of IPv6 stands in brackets.
fn split_place(place: &str) -> Result<(&str, &str)> {
    let Some(bracketed) = place.strip_prefix('[') else { return Ok(place.split_once(':').unwrap_or((place, ""))) };
    let broken = || refused("an address in brackets is followed by something other than a port");
    let (name, rest) = bracketed.split_once(']').ok_or_else(broken)?;
    let port = if rest.is_empty() { "" } else { rest.strip_prefix(':').ok_or_else(broken)? };
    Ok((name, port))
}

fn read_parameter(parameter: &str) -> Result<(Keyword, String)> {
    let (name, value) = parameter.split_once('=').ok_or_else(|| {
        refused("the source's address has a parameter without a value").with_hint("write keyword=value")
    })?;
    match decode(name)?.as_str() {
        "password" | "sslpassword" => Err(password()),
        // What JDBC calls it, and libpq reads.
        "ssl" if value == "true" => Ok(("sslmode", "require".to_owned())),
        name => Ok((keywords::find(name)?, decode(value)?)),
    }
}

fn password() -> Error {
    refused("the source's address holds a password, which everybody on this host could read")
        .with_hint("put the password into PGPASSWORD or into the password file (~/.pgpass)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(Keyword, String)> {
        parse(text).unwrap().into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    #[track_caller]
    fn assert_reads(text: &str, wanted: &[(Keyword, &str)]) {
        let wanted = wanted.iter().map(|(keyword, value)| (*keyword, (*value).to_owned())).collect::<Vec<_>>();
        assert_eq!(read(text), wanted, "{text}");
    }

    #[test]
    fn every_part_may_be_missing() {
        assert_reads("postgres://", &[]);
        assert_reads("postgresql:///", &[]);
        assert_reads("postgres://db", &[("host", "db")]);
        assert_reads("postgres://kt@", &[("user", "kt")]);
        assert_reads("postgres:///events", &[("dbname", "events")]);
        assert_reads("postgres://:5433", &[("port", "5433")]);
        assert_reads("postgres://?host=db", &[("host", "db")]);
    }

    #[test]
    fn several_hosts_keep_their_ports() {
        assert_reads("postgres://a:1,b:2/d", &[("dbname", "d"), ("host", "a,b"), ("port", "1,2")]);
        assert_reads("postgres://a,b:2", &[("host", "a,b"), ("port", ",2")]);
        assert_reads("postgres://[::1]:1,[fe80::2]", &[("host", "::1,fe80::2"), ("port", "1,")]);
    }

    #[test]
    fn what_is_encoded_is_decoded_once() {
        let wanted = [("dbname", "a/b"), ("host", "/run/pg"), ("user", "k@t:")];
        assert_reads("postgres://k%40t%3A@%2Frun%2Fpg/a%2Fb", &wanted);
        assert_reads("postgres://?options=-c%20a=%2525", &[("options", "-c a=%25")]);
    }

    #[test]
    fn parameters_beat_the_parts_before_them() {
        assert_reads(
            "postgres://db/a?host=%2Ftmp&dbname=b&ssl=true",
            &[("dbname", "b"), ("host", "/tmp"), ("sslmode", "require")],
        );
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let urls = ["postgres://kt:canary@db", "postgres://db?password=canary", "postgres://db?sslpassword=canary"];
        for text in urls.into_iter().chain(["postgres://kt:can@ary@db", "postgres://db?pass%77ord=canary"]) {
            let error = parse(text).unwrap_err();
            assert!(error.hint().unwrap().contains("PGPASSWORD"), "{error}");
            assert!(!format!("{error:?}").contains("can"), "{error:?}");
        }
    }

    #[test]
    fn an_unknown_parameter_is_answered_with_the_known_ones() {
        let error = parse("postgres://db?ssl_mode=canary").unwrap_err();
        assert!(error.to_string().contains("ssl_mode"), "{error}");
        assert!(error.hint().unwrap().contains("sslmode, sslrootcert"), "{:?}", error.hint());
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }

    #[test]
    fn what_is_no_url_of_postgres_is_refused() {
        for text in
            ["", "postgres:", "https://db/events", "postgres://[::1", "postgres://[::1]5432", "postgres://d?host"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
