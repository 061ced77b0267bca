//! The roles of a server, as every session may read them. Short: one query.

use super::super::{connection::Connection, failure::lost};
use crate::Result;
use archive_formats::backup_manifest::RoleRecord;

const ROLES: &str = "\
select r.rolname::text,
       array_remove(array[case when rolsuper then 'superuser' end, case when rolinherit then 'inherit' end,
                          case when rolcreaterole then 'createrole' end, case when rolcreatedb then 'createdb' end,
                          case when rolcanlogin then 'login' end, case when rolreplication then 'replication' end,
                          case when rolbypassrls then 'bypassrls' end], null),
       r.rolconnlimit,
       array(select g.rolname || case when m.admin_option then ' with admin option' else '' end
               from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid)
  from pg_roles r where r.rolname !~ '^pg_'";

/// The roles of the server of `connection`, by name, as its snapshot sees them.
pub(super) async fn roles(connection: &Connection) -> Result<Vec<RoleRecord>> {
    let rows = connection.client().query(ROLES, &[]).await.map_err(|error| lost("read the roles", error))?;
    let role = |row: &tokio_postgres::Row| RoleRecord {
        name: row.get(0),
        attributes: row.get::<_, Vec<_>>(1).into_iter().collect(),
        connection_limit: row.get(2),
        member_of: row.get::<_, Vec<_>>(3).into_iter().collect(),
    };
    let mut roles = rows.iter().map(role).collect::<Vec<_>>();
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(roles)
}
