//! What identifies a server and a database, for the manifest. Short: one query answers most of it.

use super::super::{config::Server, connection::Connection, failure::lost};
use crate::Result;
use archive_formats::backup_manifest::{DatabaseSource, Locale};
use std::collections::BTreeMap;

/// The superuser that `initdb` makes has the number 10. Version 15 has the locale of ICU in `daticulocale`, and version 17 that of any provider in `datlocale`.
const DATABASE: &str = "\
select d.datname::text, pg_encoding_to_char(d.encoding)::text, d.datcollate::text, d.datctype::text,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'), pg_database_size(d.oid),
       (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text,
       (select rolname::text from pg_roles where oid = 10)
  from pg_database d where d.datname = current_database()";

const EXTENSIONS: &str = "select extname::text, extversion from pg_extension";

const MAY_READ_CONTROL: &str = "select has_function_privilege('pg_control_system()', 'execute')";

const SYSTEM_IDENTIFIER: &str = "select system_identifier::text from pg_control_system()";

/// The server and the database of the session `holder`, which has the exported snapshot `name`.
pub(super) async fn source(holder: &Connection, server: &Server, name: &str) -> Result<DatabaseSource> {
    let client = holder.client();
    let failed = |error| lost("read the database's properties", error);
    let database = client.query_one(DATABASE, &[]).await.map_err(failed)?;
    let extensions = client.query(EXTENSIONS, &[]).await.map_err(failed)?;
    let may_read_control = client.query_one(MAY_READ_CONTROL, &[]).await.map_err(failed)?.get(0);
    let control = if may_read_control { client.query_opt(SYSTEM_IDENTIFIER, &[]).await.map_err(failed)? } else { None };
    Ok(DatabaseSource {
        url: Some(server.url().to_owned()),
        database: database.get(0),
        server_version: holder.version().1.to_owned(),
        system_identifier: control.map(|row| row.get(0)),
        superuser: database.get(7),
        lsn: database.get(6),
        snapshot: Some(name.to_owned()),
        encoding: Some(database.get(1)),
        locale: Some(Locale { collate: database.get(2), ctype: database.get(3), provided: database.get(4) }),
        extensions: extensions.iter().map(|row| (row.get(0), row.get(1))).collect::<BTreeMap<_, _>>(),
        bytes: u64::try_from(database.get::<_, i64>(5)).ok(),
    })
}
