//! Files of one pattern may have other columns over the years; a month has one schema.

use super::Desk;
use crate::support::archive::Row;

#[track_caller]
fn row(desk: &Desk, month: &str, id: &str) -> Row {
    desk.archive().rows(month).into_iter().find(|row| row["id"] == id).unwrap()
}

fn csv(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

#[test]
fn columns_of_one_month_are_united_by_name_and_what_is_missing_is_null() {
    let desk = Desk::new(&[
        ("1.csv", csv("id,timestamp,decision\na,2025-03-01T10:00:00Z,allowed\n")),
        ("2.csv", csv("cost_usd,timestamp,id\n0.5,2025-03-02T10:00:00Z,b\n0.25,2025-04-02T10:00:00Z,c\n")),
        ("3.csv", csv("id,timestamp,region\nd,2025-04-03T10:00:00Z,eu\n")),
    ]);
    desk.backfill("*.csv", "2025-03", "2025-04").expect(0);
    desk.archive().check();
    let columns = |month: &str| {
        let manifest = desk.archive().month(month);
        let columns = manifest["schema"]["columns"].as_array().unwrap().clone();
        columns.iter().map(|column| column["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(columns("2025-03"), ["id", "timestamp", "decision", "cost_usd"]);
    assert_eq!(columns("2025-04"), ["cost_usd", "timestamp", "id", "region"]);
    let (first, second) = (row(&desk, "2025-03", "a"), row(&desk, "2025-03", "b"));
    assert_eq!((first["decision"].as_str(), first["cost_usd"].as_str()), ("allowed", ""));
    assert_eq!((second["decision"].as_str(), second["cost_usd"].as_str()), ("", "0.5"));
    assert_eq!(row(&desk, "2025-04", "d")["region"], "eu");
}

#[test]
fn a_month_whose_files_call_their_ids_differently_is_refused_and_others_are_not() {
    let desk = Desk::new(&[
        ("1.csv", csv("id,timestamp\na,2025-03-01T10:00:00Z\nb,2025-04-01T10:00:00Z\n")),
        ("2.csv", csv("event_id,timestamp\nc,2025-04-02T10:00:00Z\n")),
    ]);
    let outcome = desk.backfill("*.csv", "2025-03", "2025-04").expect(3);
    assert!(outcome.output().contains("1.csv, 2.csv") && outcome.output().contains("--id-column"));
    assert_eq!(desk.archive().months(), ["2025-03"]);
}

#[test]
fn the_names_of_the_key_columns_can_be_given() {
    let desk = Desk::new(&[("events.csv", csv("ref,seen,timestamp\na,2025-03-01T10:00:00Z,2025-04-01T10:00:00Z\n"))]);
    let source = ["--source", "exports/events.csv", "--id-column", "ref", "--time-column", "seen"];
    desk.host.run(&[&["run", "--month", "2025-03"], source.as_slice()].concat()).expect(0);
    assert_eq!(desk.archive().month("2025-03")["schema"]["time"], "seen");
    desk.run("events.csv", "2025-05").expect(6);
}
