//! The indexes of a restored database, by the extension amcheck.

use super::{config::Server, connect::connect, connection::Session, failure::failure};
use crate::Result;

/// The B-tree indexes of all but the system's schemas that can be checked.
const INDEXES: &str = "select i.indexrelid, i.indexrelid::regclass::text \
    from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid \
    join pg_catalog.pg_am a on a.oid = c.relam join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    where a.amname = 'btree' and c.relkind = 'i' and c.relpersistence = 'p' and i.indisready and i.indisvalid \
    and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') order by 2";

/// Compares every index of the database of `server` with its table, and returns what is wrong, each as a short sentence; `None`
/// where the server has no amcheck. Creates the extension: the database must be one that is dropped afterwards.
pub async fn index_differences(server: &Server) -> Result<Option<Vec<String>>> {
    let connection = connect(server, &Session::WRITING).await?;
    let client = connection.client();
    let failed = |error| failure("check the indexes", error);
    let available = "select from pg_catalog.pg_available_extensions where name = 'amcheck'";
    if client.query_opt(available, &[]).await.map_err(failed)?.is_none() {
        return Ok(None);
    }
    let create = "create schema kt_archive_amcheck; create extension if not exists amcheck schema kt_archive_amcheck";
    client.batch_execute(create).await.map_err(failed)?;
    let schema = "select extnamespace::regnamespace::text from pg_catalog.pg_extension where extname = 'amcheck'";
    let schema = client.query_one(schema, &[]).await.map_err(failed)?.get::<_, String>(0);
    let check = format!("select {schema}.bt_index_check($1::oid::regclass, true)");
    let mut differences = Vec::new();
    for row in client.query(INDEXES, &[]).await.map_err(failed)? {
        let (index, name) = (row.get::<_, u32>(0), row.get::<_, String>(1));
        match client.query(&check, &[&index]).await {
            Ok(_) => {}
            Err(error) => match error.as_db_error() {
                Some(found) => differences.push(format!("index {name}: {}", found.message())),
                None => return Err(failed(error)),
            },
        }
    }
    connection.close().await;
    Ok(Some(differences))
}
