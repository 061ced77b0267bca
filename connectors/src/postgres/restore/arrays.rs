//! Arrays of several dimensions, which the archive has as JSON.

/// Makes [`LITERAL`]: the JSON of an array in, the server's own text of it out. Temporary, and so gone with the session.
/// Every value is quoted, which any type can read.
pub(super) const CREATE: &str = r#"set local check_function_bodies = off;
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
pub(super) const LITERAL: &str = "pg_temp.kt_archive_array";
