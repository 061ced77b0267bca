//! The statements that write the archive's columns to a table, and read them back in the archive's types.

use super::table::unsupported;
use crate::{
    Error, ErrorKind, Result,
    postgres::{catalogue::Columns, quote::identifier, types::Form},
};
use archive_formats::{Column, ColumnType, Schema, encode::copy::server_type};
use std::collections::HashMap;

/// How the columns of a month are written to a table.
#[derive(Debug)]
pub(super) struct Plan {
    schema: Schema,
    types: Vec<String>,
    /// Creates the staging table.
    pub(super) stage: String,
    /// Inserts the staged rows into the table.
    pub(super) insert: String,
    /// Whether `insert` calls the function of [`CREATE_LITERAL`].
    pub(super) has_arrays_as_json: bool,
}

/// The temporary table that has the archive's types.
pub(super) const STAGING: &str = "pg_temp.kt_archive_staging";

/// A column's way into the table and back.
struct ColumnPlan {
    /// Its definition in the staging table.
    staged: String,
    /// The expression over the staging table that is written to the table.
    written: String,
    /// The expression over the table that is read back.
    taken: String,
    /// Its type in the table.
    own: String,
}

impl Plan {
    /// Plans writing the columns of `schema` to the columns `found` in `table`, except the `generated` ones. Also returns the
    /// columns to read back, in the archive's order and types.
    pub(super) fn new(table: &str, schema: &Schema, found: Columns, generated: &[String]) -> Result<(Self, Columns)> {
        let targets = found.schema.columns().iter().zip(&found.expressions).zip(&found.forms);
        let targets = targets.map(|((column, expression), form)| (column.name.as_str(), (column, expression, *form)));
        let targets = targets.collect::<HashMap<_, _>>();
        let step = |(number, column): (usize, &Column)| {
            let (target, expression, form) = targets.get(column.name.as_str()).ok_or_else(|| missing(column))?;
            ColumnPlan::new(number, column, target, expression, *form)
        };
        let steps = schema.columns().iter().enumerate().map(step).collect::<Result<Vec<_>>>()?;
        let written = schema.columns().iter().zip(&steps).filter(|(column, _)| !generated.contains(&column.name));
        let (names, values): (Vec<_>, Vec<_>) =
            written.map(|(column, step)| (identifier(&column.name), step.written.as_str())).unzip();
        let staged = steps.iter().map(|step| step.staged.as_str()).collect::<Vec<_>>().join(", ");
        let (names, values) = (names.join(", "), values.join(", "));
        let plan = Self {
            schema: schema.clone(),
            stage: format!("create temporary table {STAGING} ({staged}) on commit drop"),
            insert: format!("insert into {table} ({names}) overriding system value select {values} from {STAGING}"),
            has_arrays_as_json: values.contains(LITERAL),
            types: steps.iter().map(|step| step.own.clone()).collect(),
        };
        let expressions = steps.into_iter().map(|step| step.taken).collect();
        Ok((plan, Columns { schema: schema.clone(), expressions, ..found }))
    }

    /// The columns that are read back, all nullable but the keys, so that the comparison reports missing values.
    pub(super) fn schema(&self) -> Schema {
        self.schema.with_nullable_values()
    }

    /// The type of each column in the table.
    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        self.types.iter().map(String::as_str)
    }
}

impl ColumnPlan {
    /// Plans `column`, which is written to `target` and selected from it in `form` by `expression`.
    fn new(number: usize, column: &Column, target: &Column, expression: &str, form: Form) -> Result<Self> {
        let plain = server_type(&column.kind).ok_or_else(|| unsupported(column))?;
        let own = target.source_type.clone().unwrap_or_else(|| plain.clone());
        let is_same = target.kind == column.kind;
        let staged = format!("c{number}");
        let is_array_as_json = matches!(form, Form::Json | Form::TextsAsJson);
        // JSON that was archived as text.
        let is_json_text = is_array_as_json && column.kind == ColumnType::Text && target.kind == ColumnType::Json;
        let written = match form {
            _ if own == plain => staged.clone(),
            _ if is_json_text => format!("{LITERAL}({staged}::json)::{own}"),
            _ if is_array_as_json && is_same => format!("{LITERAL}({staged})::{own}"),
            _ => format!("{staged}::{own}"),
        };
        let taken = match time_text(column, target) {
            _ if is_same || is_json_text => expression.to_owned(),
            Some(text) => text,
            None => format!("{}::{plain}", identifier(&column.name)),
        };
        Ok(Self { staged: format!("{staged} {plain}"), written, taken, own })
    }
}

/// The expression that selects a time of day, or a list of them, as the text under which it was archived; `None` for other
/// columns. The server's own text leaves out zeros at the end.
fn time_text(column: &Column, target: &Column) -> Option<String> {
    let text = |time: &str| format!("pg_catalog.to_char({time}::interval, 'HH24:MI:SS.US')");
    let name = identifier(&column.name);
    let list_of = |element| ColumnType::List(Box::new(element));
    if column.kind == ColumnType::Text && target.kind == ColumnType::Time {
        return Some(text(&name));
    }
    let is_list = column.kind == list_of(ColumnType::Text) && target.kind == list_of(ColumnType::Time);
    is_list.then(|| {
        let texts =
            format!("select {} from pg_catalog.unnest({name}) with ordinality as s(t, n) order by n", text("t"));
        format!("case when pg_catalog.num_nulls({name}) = 0 then array({texts}) end")
    })
}

fn missing(column: &Column) -> Error {
    Error::new(ErrorKind::Internal, "a column of the table is missing").with_context("column", &column.name)
}

/// Creates [`LITERAL`], which turns the JSON of an array of several dimensions into the server's array literal. It quotes every
/// value, which any type can parse, and is dropped with the session.
pub(super) const CREATE_LITERAL: &str = r#"set local check_function_bodies = off;
create or replace function pg_temp.kt_archive_array(json) returns text language sql immutable
  set search_path = pg_catalog, pg_temp as $$
  select case pg_catalog.json_typeof($1)
    when 'array' then '{' || coalesce((
        select pg_catalog.string_agg(pg_temp.kt_archive_array(each.element), ',' order by each.number)
        from pg_catalog.json_array_elements($1) with ordinality as each(element, number)), '') || '}'
    when 'null' then 'NULL'
    else '"' || pg_catalog.replace(pg_catalog.replace($1 #>> '{}', '\', '\\'), '"', '\"') || '"'
  end
$$"#;

const LITERAL: &str = "pg_temp.kt_archive_array";

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, kind: &str, source_type: &str) -> Column {
        let kind = kind.parse::<ColumnType>().unwrap();
        Column { name: name.to_owned(), kind, source_type: Some(source_type.to_owned()), nullable: true }
    }

    /// The expressions that write and read back a column of type `kind`, for a target of this type, archived type and form.
    fn step(kind: &str, (own, target, form): (&str, &str, Form)) -> (String, String) {
        let expression = form.expression("c");
        let step = ColumnPlan::new(0, &column("c", kind, "any"), &column("c", target, own), &expression, form).unwrap();
        (step.written, step.taken)
    }

    #[test]
    fn values_are_cast_into_the_table_and_read_back_as_archived() {
        let pair = |written: &str, taken: &str| (written.to_owned(), taken.to_owned());
        assert_eq!(step("int64", ("bigint", "int64", Form::Own)), pair("c0", "c"));
        let printed = pair("c0::interval", "case when pg_catalog.num_nulls(c) = 0 then pg_catalog.format('%s', c) end");
        let form = Form::Text;
        assert_eq!(step("text", ("interval", "text", form)), printed);
        assert_eq!(step("json", ("jsonb", "json", Form::Own)), pair("c0::jsonb", "c"));
        let array = pair("pg_temp.kt_archive_array(c0)::integer[]", "pg_catalog.array_to_json(c)::text");
        assert_eq!(step("json", ("integer[]", "json", Form::Json)), array);
    }

    #[test]
    fn other_types_are_read_back_as_the_archives_type() {
        let pair = |written: &str, taken: &str| (written.to_owned(), taken.to_owned());
        assert_eq!(step("text", ("uuid", "uuid", Form::Own)), pair("c0::uuid", "\"c\"::text"));
        assert_eq!(step("int16", ("bigint", "int64", Form::Own)), pair("c0::bigint", "\"c\"::smallint"));
        let form = Form::Text;
        let numeric = step("decimal(18,8)", ("numeric", "text", form));
        assert_eq!(numeric, pair("c0::numeric", "\"c\"::numeric(18,8)"));
    }

    #[test]
    fn columns_are_matched_by_name_and_generated_ones_are_not_written() {
        let columns = vec![column("id", "int64", "bigint"), column("a \"b\"", "text", "text")];
        let time = column("t", "timestamp(us,UTC)", "timestamp with time zone");
        let schema = Schema::new([columns.clone(), vec![time.clone()]].concat(), "id", "t").unwrap();
        let table = Schema::new([vec![time], columns].concat(), "id", "t").unwrap();
        let found = Columns {
            expressions: vec!["t".to_owned(), "id".to_owned(), "\"a \"\"b\"\"\"".to_owned()],
            forms: vec![Form::Own; 3],
            schema: table,
            id_number: 0,
            time: "t".to_owned(),
            time_number: 1,
            time_has_zone: true,
            org: None,
            org_has_own_equality: false,
        };
        let (plan, columns) = Plan::new("s.events", &schema, found, &["t".to_owned()]).unwrap();
        let expected = "insert into s.events (\"id\", \"a \"\"b\"\"\") overriding system value \
                        select c0, c1 from pg_temp.kt_archive_staging";
        assert_eq!(plan.insert, expected);
        assert_eq!(columns.expressions, ["id", "\"a \"\"b\"\"\"", "t"]);
        assert!(plan.stage.contains("(c0 bigint, c1 text, c2 timestamp with time zone)"), "{}", plan.stage);
        assert!(!plan.has_arrays_as_json);
    }
}
