//! PostgreSQL, as a source.

mod own_server;
mod poolers;
mod reaching;
mod tls;
