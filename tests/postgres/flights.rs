//! Real events in a real database: a year of flights.

use super::Desk;
use crate::support::foreign::{flight_sums, flights};
use serde_json::json;

/// In UTC, the last flights of the year are in the next one.
const MONTHS: usize = 13;

const TABLE: &str = "
    create table events (
        id bigint primary key, year integer, month integer, day integer, dep_time integer, sched_dep_time integer,
        dep_delay smallint, arr_time integer, sched_arr_time integer, arr_delay numeric(6,1), carrier char(2), flight integer,
        tailnum varchar(8), origin text, dest text, air_time real, distance double precision, hour integer, minute integer,
        time_hour timestamptz not null);";

#[test]
fn a_year_of_flights_is_what_the_package_ships() {
    let desk = Desk::new(TABLE);
    let file = desk.host.path("flights.csv");
    std::fs::write(&file, flights()).unwrap();
    desk.database.sql(&format!(
        "\\copy events from '{}' csv header\ncreate index on events (time_hour); analyze events;",
        file.display()
    ));
    let flags = ["--time-column", "time_hour", "--rename", "month=month_of_departure", "--format", "parquet"];
    desk.backfill("2013-01", "2014-01", &flags).expect(0);
    let archive = desk.archive();
    archive.check();
    assert_eq!(archive.months().len(), MONTHS);
    let (shipped, archived) = flight_sums(&archive);
    assert_eq!(shipped.as_object().unwrap().len(), MONTHS);
    assert_eq!(shipped["2013-01"]["flights"], json!(26_865), "{shipped}");
    assert_eq!(archived, shipped);
    desk.host.run(&["verify", "--json"]).expect(0);
}
