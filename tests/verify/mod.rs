//! `verify` finds every change to an archive.

mod broken_archives;
mod forgeries;
mod known_damage;
mod tampering;
