//! PostgreSQL's own programs: `pg_dump`, `pg_dumpall` and `pg_restore`.
//!
//! They are those of the server's major version (`find`), or run behind a command such as `docker exec` (`prefix`), and get
//! the connection by the variables of libpq (`environment`). A dump is read to its end by `pg_restore` while it is made
//! (`dump`). Globals are applied statement by statement over a session of our own (`globals`, `statements`), since a script
//! that `psql` runs could call programs.

mod dump;
mod environment;
mod failure;
mod find;
mod globals;
mod header;
mod prefix;
mod properties;
mod restore;
mod statements;

pub use dump::{Dump, DumpOptions, WholeDump};
pub use find::{FoundProgram, ProgramName, ProgramOptions, Programs, major_version};
pub use globals::{Applied, Globals, Tablespaces, apply_globals, apply_missing_globals, dump_globals};
pub use header::{ArchiveHeader, Compression};
pub use prefix::CommandPrefix;
pub use properties::DatabaseProperties;
pub use restore::{read_stream, restore_file, restore_stream};
