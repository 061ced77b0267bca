//! Straight from PostgreSQL.

mod own_server;
mod poolers;
mod reaching;
mod settings;
mod tls;
