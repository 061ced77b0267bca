//! The rights that a dump needs, checked before anything long is done.

use super::{
    super::{connection::Connection, failure::lost},
    relations::{Relation, Relations, printed},
};
use crate::{Error, ErrorKind, Result};
use std::collections::BTreeSet;

/// Names that an error lists at most.
const LISTED: usize = 5;

/// The first version with the role `pg_read_all_data`.
const READ_ALL_DATA: u32 = 140_000;

/// The first version with `has_largeobject_privilege`.
const LARGE_OBJECT_PRIVILEGE: u32 = 180_000;

/// Whether the role may read the large object `m`, by the rules of the server.
const MAY_READ: &str = "\
    current_setting('lo_compat_privileges') = 'on'
    or (select rolsuper from pg_roles where rolname = current_user)
    or exists (select from aclexplode(coalesce(m.lomacl, acldefault('L', m.lomowner))) a
                where a.privilege_type = 'SELECT' and (a.grantee = 0 or pg_has_role(a.grantee, 'usage')))";

/// Fails with [`ErrorKind::Unauthorized`] unless the role of `holder` may read all tables, sequences and large objects.
pub(super) async fn check(holder: &Connection, relations: &Relations) -> Result<()> {
    let role = holder.client().query_one("select current_user::text", &[]).await;
    let role = role.map_err(|error| lost("read the role's name", error))?.get::<_, String>(0);
    let objects = unreadable_objects(holder).await?;
    let unreadable = relations.all().filter(|relation| !relation.is_readable).collect::<Vec<_>>();
    let policed = relations.all().filter(|relation| relation.has_policies).collect::<Vec<_>>();
    let printed_role = printed(&role);
    let mut error = Error::new(ErrorKind::Unauthorized, "the role may not read all that a dump holds");
    error = error.with_context("role", &role);
    let mut grants = Vec::new();
    if !unreadable.is_empty() {
        error = error.with_context("no right to read", listed(unreadable.iter().map(|relation| relation.printed())));
        grants.push(grant_read(holder.version().0, &printed_role, &unreadable));
    }
    if !policed.is_empty() {
        let names = policed.iter().map(|relation| relation.printed());
        error = error.with_context("rows hidden by row-level security", listed(names));
        grants.push(format!("alter role {printed_role} bypassrls"));
    }
    if !objects.is_empty() {
        error = error.with_context("large objects of other owners", listed(objects.iter().map(u32::to_string)));
        let some = objects.iter().take(LISTED).map(u32::to_string).collect::<Vec<_>>().join(", ");
        let rest = if objects.len() > LISTED { " (and so on)" } else { "" };
        grants.push(format!("grant select on large object {some} to {printed_role}{rest}, or connect as their owner"));
    }
    if grants.is_empty() {
        return Ok(());
    }
    Err(error.with_hint(format!("as a superuser: {}", grants.join("; "))))
}

/// Large objects that the role may not read, in part if there are many.
async fn unreadable_objects(holder: &Connection) -> Result<Vec<u32>> {
    let may_read = match holder.version().0 {
        LARGE_OBJECT_PRIVILEGE.. => "has_largeobject_privilege(m.oid, 'select')",
        _ => MAY_READ,
    };
    let query = format!("select m.oid from pg_largeobject_metadata m where not ({may_read}) order by m.oid limit 1000");
    let rows = holder.client().query(&query, &[]).await;
    let rows = rows.map_err(|error| lost("list the large objects", error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn grant_read(version: u32, role: &str, unreadable: &[&Relation]) -> String {
    if version >= READ_ALL_DATA {
        return format!("grant pg_read_all_data to {role}");
    }
    let schemas = unreadable.iter().map(|relation| relation.schema()).collect::<BTreeSet<_>>();
    let schemas = schemas.into_iter().collect::<Vec<_>>().join(", ");
    format!(
        "grant usage on schema {schemas} to {role}; grant select on all tables in schema {schemas} to {role}; \
         grant select on all sequences in schema {schemas} to {role}"
    )
}

/// Some of the names, and how many there are besides.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let others = names.len().saturating_sub(LISTED);
    let some = names.take(LISTED).collect::<Vec<_>>().join(", ");
    if others == 0 { some } else { format!("{some} and {others} more") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let names = |count: usize| (0..count).map(|number| number.to_string());
        assert_eq!(listed(names(5)), "0, 1, 2, 3, 4");
        assert_eq!(listed(names(7)), "0, 1, 2, 3, 4 and 2 more");
    }
}
