//! What a run writes: the files of a month, their rows and columns, and the manifest that commits them.

mod artifact;
mod datasets;
mod manifests;
mod readers;
mod rejects;
mod rows;
mod transforms;
mod types;
