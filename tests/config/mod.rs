//! The configuration: its layers, and the commands that check and show it.

mod commands;
mod layers;
