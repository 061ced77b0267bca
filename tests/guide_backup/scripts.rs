//! The commands of the guide, as it prints them. Short: they are run by the tests.

/// `backup-keeptrusts-db.sh`.
pub(super) const BACKUP: &str = r#"set -euo pipefail

BACKUP_DIR="/var/backups/keeptrusts"
TIMESTAMP=$(date +%Y%m%d_%H%M%S)
DB_HOST="db.internal"
DB_NAME="keeptrusts"
DB_USER="keeptrusts"
RETENTION_DAYS=30

mkdir -p "$BACKUP_DIR"

# Custom format — supports parallel restore
pg_dump -h "$DB_HOST" -U "$DB_USER" -d "$DB_NAME" \
--format=custom \
--compress=9 \
--file="$BACKUP_DIR/keeptrusts_${TIMESTAMP}.dump"

# Verify backup
pg_restore --list "$BACKUP_DIR/keeptrusts_${TIMESTAMP}.dump" > /dev/null 2>&1
echo "Backup verified: keeptrusts_${TIMESTAMP}.dump"

# Prune old backups
find "$BACKUP_DIR" -name "keeptrusts_*.dump" -mtime +"$RETENTION_DAYS" -delete
"#;

/// The command of that script that verifies a dump: here the one that `ls` lists first.
pub(super) const LIST: &str =
    r#"pg_restore --list "$(ls -t /var/backups/keeptrusts/keeptrusts_*.dump | head -1)" > /dev/null 2>&1"#;

/// `verify-backup.sh`, the monthly drill.
pub(super) const VERIFY: &str = r#"set -euo pipefail

LATEST_BACKUP=$(ls -t /var/backups/keeptrusts/keeptrusts_*.dump | head -1)

# Restore to a temporary database
createdb -h db.internal -U keeptrusts keeptrusts_verify
pg_restore -h db.internal -U keeptrusts -d keeptrusts_verify "$LATEST_BACKUP"

# Run basic integrity checks
psql -h db.internal -U keeptrusts -d keeptrusts_verify -c \
"SELECT count(*) FROM events; SELECT count(*) FROM configurations;"

# Clean up
dropdb -h db.internal -U keeptrusts keeptrusts_verify

echo "Backup verification passed: $LATEST_BACKUP"
"#;

/// The restore over the database, of the dump that the shell variable `DUMP` names.
pub(super) const RESTORE: &str = r#"# Stop the API server first
systemctl stop keeptrusts-api

# Restore from custom-format dump
pg_restore -h db.internal -U keeptrusts -d keeptrusts \
--clean --if-exists \
"$DUMP"
RESTORED=$?

# Restart API — migrations auto-apply
systemctl start keeptrusts-api
exit $RESTORED
"#;
