//! Straight from PostgreSQL.

mod settings;
