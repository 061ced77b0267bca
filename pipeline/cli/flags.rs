//! Command-line arguments as a layer of the configuration.

use super::args::{CommonArgs, OverviewArgs, PullArgs, RestoreArgs, SourceArgs};
use archive::{
    config::{Conditions, Config, Datasets},
    units::{Count, List, Switch},
};
use archive_formats::Dataset;

impl From<&CommonArgs> for Config {
    fn from(args: &CommonArgs) -> Self {
        Self {
            archive: args.archive.clone(),
            state_dir: args.state_dir.clone(),
            log_format: args.log_format,
            progress: args.progress,
            verbose: (args.verbose > 0).then_some(Count(args.verbose.into())),
            quiet: switch(args.quiet),
            ..Self::default()
        }
    }
}

impl From<SourceArgs> for Config {
    fn from(args: SourceArgs) -> Self {
        Self {
            source: args.source,
            replica: list(args.replica),
            dataset: datasets(args.dataset),
            format: list(args.format),
            grace: args.grace,
            part_size: args.part_size,
            columns: list(args.transforms.columns),
            drop: list(args.transforms.drop),
            rename: list(args.transforms.rename),
            pseudonymise: list(args.transforms.pseudonymise),
            pseudonym_key_file: args.transforms.pseudonym_key_file,
            rejects: args.rows.rejects,
            conflicts: args.rows.conflicts,
            allow_empty: switch(args.rows.allow_empty),
            accept_schema_change: switch(args.rows.accept_schema_change),
            api_layout: args.api.api_layout,
            api_format: args.api.api_format,
            api_margin: args.api.api_margin,
            job_timeout: args.api.job_timeout,
            allow_http: switch(args.api.allow_http),
            id_column: args.id_column,
            time_column: args.time_column,
            table: args.postgres.table,
            connections: args.postgres.connections,
            where_org: args.postgres.where_org,
            statement_timeout: args.postgres.statement_timeout,
            lock_timeout: args.postgres.lock_timeout,
            metrics_file: args.monitoring.metrics_file,
            notify: list(args.monitoring.notify),
            platform_retention: args.monitoring.platform_retention,
            ..Self::default()
        }
    }
}

impl From<OverviewArgs> for Config {
    fn from(args: OverviewArgs) -> Self {
        Self {
            dataset: datasets(args.dataset),
            replica: list(args.replica),
            platform_retention: args.platform_retention,
            ..Self::default()
        }
    }
}

impl From<PullArgs> for Config {
    fn from(args: PullArgs) -> Self {
        Self {
            dataset: datasets(args.dataset),
            r#match: (!args.conditions.is_empty()).then_some(Conditions(args.conditions)),
            columns: list(args.columns),
            format: list(args.format),
            output: args.output,
            force: switch(args.force),
            allow_gaps: switch(args.allow_gaps),
            csv_safe: switch(args.csv_safe),
            ..Self::default()
        }
    }
}

impl From<RestoreArgs> for Config {
    fn from(args: RestoreArgs) -> Self {
        Self {
            dataset: datasets(args.dataset.into_iter().collect()),
            into: args.into,
            table: args.table,
            drill: switch(args.drill),
            ..Self::default()
        }
    }
}

/// A switch that was not typed is unset, not off: the environment or the file may turn it on.
pub(super) fn switch(on: bool) -> Option<Switch> {
    on.then_some(Switch(true))
}

/// Datasets by name; unset if none was typed.
pub(super) fn datasets(names: Vec<Dataset>) -> Option<Datasets> {
    (!names.is_empty()).then(|| names.into())
}

/// A list; unset if it was not typed.
pub(super) fn list<T>(values: Vec<T>) -> Option<List<T>> {
    (!values.is_empty()).then_some(List(values))
}
