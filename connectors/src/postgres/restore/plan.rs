//! The statements that take the archive's columns into a table, and out of it again as the archive has them.

use super::table::{quote, unsupported};
use crate::{
    Error, ErrorKind, Result,
    postgres::{catalogue::Columns, types::Form},
};
use archive_formats::{Column, Schema, encode::copy::server_type};
use std::collections::HashMap;

/// How the columns of a month go into a table.
#[derive(Debug)]
pub(super) struct Plan {
    schema: Schema,
    types: Vec<String>,
    /// Makes the table that takes the rows as they come.
    pub(super) stage: String,
    /// Moves them on.
    pub(super) insert: String,
    /// Whether that needs [`LITERAL`].
    pub(super) has_arrays_as_json: bool,
}

/// Takes the rows as they come.
pub(super) const STAGING: &str = "pg_temp.kt_archive_staging";

/// A column on its way.
struct Step {
    /// Its definition in the staging table.
    staged: String,
    /// What goes into the table, as an expression over the staging table.
    written: String,
    /// What comes out of it.
    taken: String,
    /// Its type in the table.
    own: String,
}

impl Plan {
    /// How the columns of `schema` go into the ones that were `found` in `table`, none of the `generated` ones being
    /// written; and the columns as they are to be asked for, in the order of the archive and in its types.
    pub(super) fn new(table: &str, schema: &Schema, found: Columns, generated: &[String]) -> Result<(Self, Columns)> {
        let targets = found.schema.columns().iter().zip(&found.expressions).zip(&found.forms);
        let targets = targets.map(|((column, expression), form)| (column.name.as_str(), (column, expression, *form)));
        let targets = targets.collect::<HashMap<_, _>>();
        let step = |(number, column): (usize, &Column)| {
            let (target, expression, form) = targets.get(column.name.as_str()).ok_or_else(|| vanished(column))?;
            Step::new(number, column, target, expression, *form)
        };
        let steps = schema.columns().iter().enumerate().map(step).collect::<Result<Vec<_>>>()?;
        let written = schema.columns().iter().zip(&steps).filter(|(column, _)| !generated.contains(&column.name));
        let (names, values): (Vec<_>, Vec<_>) =
            written.map(|(column, step)| (quote(&column.name), step.written.as_str())).unzip();
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

    /// The columns that the table gives back. What must not be missing may be, until it was compared.
    pub(super) fn schema(&self) -> Schema {
        self.schema.with_nullable_values()
    }

    /// The type of each column in the table.
    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        self.types.iter().map(String::as_str)
    }
}

impl Step {
    /// The way of `column` into `target` and, by `expression`, which makes `form` of it, out of it again.
    fn new(number: usize, column: &Column, target: &Column, expression: &str, form: Form) -> Result<Self> {
        let plain = server_type(&column.kind).ok_or_else(|| unsupported(column))?;
        let own = target.source_type.clone().unwrap_or_else(|| plain.clone());
        let is_same = target.kind == column.kind;
        let staged = format!("c{number}");
        let written = match form {
            _ if own == plain => staged.clone(),
            Form::Json if is_same => format!("{}({staged})::{own}", LITERAL),
            _ => format!("{staged}::{own}"),
        };
        let taken = if is_same { expression.to_owned() } else { format!("{}::{plain}", quote(&column.name)) };
        Ok(Self { staged: format!("{staged} {plain}"), written, taken, own })
    }
}

fn vanished(column: &Column) -> Error {
    Error::new(ErrorKind::Internal, "a column of the table vanished").with_context("column", &column.name)
}

/// Makes [`LITERAL`]: the JSON of an array in, the server's own text of it out. Temporary, and so gone with the session.
/// Every value is quoted, which any type can read.
pub(super) const CREATE_LITERAL: &str = r#"set local check_function_bodies = off;
create or replace function pg_temp.kt_archive_array(json) returns text language sql immutable as $$
  select case pg_catalog.json_typeof($1)
    when 'array' then '{' || coalesce((
        select pg_catalog.string_agg(pg_temp.kt_archive_array(each.element), ',' order by each.number)
        from pg_catalog.json_array_elements($1) with ordinality as each(element, number)), '') || '}'
    when 'null' then 'NULL'
    else '"' || pg_catalog.replace(pg_catalog.replace($1 #>> '{}', '\', '\\'), '"', '\"') || '"'
  end
$$"#;

/// The function.
const LITERAL: &str = "pg_temp.kt_archive_array";

#[cfg(test)]
mod tests {
    use super::*;
    use archive_formats::ColumnType;

    fn column(name: &str, kind: &str, source_type: &str) -> Column {
        let kind = kind.parse::<ColumnType>().unwrap();
        Column { name: name.to_owned(), kind, source_type: Some(source_type.to_owned()), nullable: true }
    }

    /// What goes in and what comes out of a target of this type and archived type, for a column that is `kind` here.
    fn step(kind: &str, (own, target, form): (&str, &str, Form)) -> (String, String) {
        let expression = form.expression("c");
        let step = Step::new(0, &column("c", kind, "any"), &column("c", target, own), &expression, form).unwrap();
        (step.written, step.taken)
    }

    #[test]
    fn values_are_cast_into_the_table_and_come_out_as_they_would_be_archived() {
        let pair = |written: &str, taken: &str| (written.to_owned(), taken.to_owned());
        assert_eq!(step("int64", ("bigint", "int64", Form::Own)), pair("c0", "c"));
        assert_eq!(step("text", ("interval", "text", Form::Text)), pair("c0::interval", "c::text"));
        assert_eq!(step("json", ("jsonb", "json", Form::Own)), pair("c0::jsonb", "c"));
        let array = pair("pg_temp.kt_archive_array(c0)::integer[]", "pg_catalog.array_to_json(c)::text");
        assert_eq!(step("json", ("integer[]", "json", Form::Json)), array);
    }

    #[test]
    fn what_has_another_type_in_the_table_comes_out_in_that_of_the_archive() {
        let pair = |written: &str, taken: &str| (written.to_owned(), taken.to_owned());
        assert_eq!(step("text", ("uuid", "uuid", Form::Own)), pair("c0::uuid", "\"c\"::text"));
        assert_eq!(step("int16", ("bigint", "int64", Form::Own)), pair("c0::bigint", "\"c\"::smallint"));
        let numeric = step("decimal(18,8)", ("numeric", "text", Form::Text));
        assert_eq!(numeric, pair("c0::numeric", "\"c\"::numeric(18,8)"));
    }

    #[test]
    fn columns_are_matched_by_name_and_those_that_the_table_computes_are_not_written() {
        let columns = vec![column("id", "int64", "bigint"), column("a \"b\"", "text", "text")];
        let time = column("t", "timestamp(us,UTC)", "timestamp with time zone");
        let schema = Schema::new([columns.clone(), vec![time.clone()]].concat(), "id", "t").unwrap();
        let table = Schema::new([vec![time], columns].concat(), "id", "t").unwrap();
        let found = Columns {
            expressions: vec!["t".to_owned(), "id".to_owned(), "\"a \"\"b\"\"\"".to_owned()],
            forms: vec![Form::Own; 3],
            schema: table,
            time: "t".to_owned(),
            time_number: 1,
            time_has_zone: true,
            org: None,
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
