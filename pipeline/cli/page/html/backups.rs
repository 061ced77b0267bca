//! The state of backups of other tiers.

use super::{scrolled, shown, time};
use archive::{
    backup::{BackupStatus, DatabaseTier, KnownBackup},
    human::{self, size, thousands},
};
use maud::{Markup, html};

pub(super) fn section(backups: &BackupStatus) -> Markup {
    html! {
        section aria-labelledby="backups" {
            h2 id="backups" { "Backups" }
            @for lack in backups.lacks() { p.bad { (shown(&lack)) } }
            @if let Some(tier) = &backups.database { (database(tier)) }
            p { "Place: " code { (shown(&backups.url)) } ". " code { "kt-archive backup drill" } " restores a backup on trial." }
        }
    }
}

fn database(tier: &DatabaseTier) -> Markup {
    let rows = [("Newest", &tier.newest), ("Newest proved", &tier.newest_proved)];
    html! {
        @if tier.newest.is_none() {
            p.bad { "There is no backup of a database." }
        } @else {
            (scrolled("Backups of databases", &html! {
                table {
                    caption { (thousands(tier.backups)) " backups of databases can be restored." }
                    thead { tr {
                        th scope="col" { "Backup" } th scope="col" { "Number" } th scope="col" { "Time" }
                        th scope="col" { "Database" } th scope="col" { "Size" } th scope="col" { "Restore" }
                    } }
                    tbody { @for (name, backup) in rows { (row(name, backup.as_ref())) } }
                }
            }))
        }
    }
}

fn row(name: &str, backup: Option<&KnownBackup>) -> Markup {
    html! {
        tr {
            th scope="row" { (name) }
            @match backup {
                Some(backup) => {
                    td { (thousands(backup.sequence)) }
                    td { (time(backup.taken_at)) }
                    td { (shown(&backup.database)) }
                    td { (size(backup.bytes)) }
                    td { (backup.restore_seconds.map_or_else(|| "not tried".to_owned(), human::time)) }
                }
                None => td colspan="5" { "none: no drill has found a backup equal" },
            }
        }
    }
}
