//! Where the archive and its replicas stand.

use super::{Family, Sample, Value};
use crate::report::{DatasetStatus, ReplicaStatus, StatusReport, Totals};

pub(super) fn families(status: &StatusReport) -> Vec<Family> {
    let head = status.head.as_ref().map_or(0, |head| head.sequence);
    let mut families = vec![Family {
        name: "kt_archive_head_sequence",
        help: "Number of the archive's last manifest; 0 while there is none.",
        samples: vec![Sample::of(status.archive(), head)],
    }];
    families.extend(datasets(status));
    families.extend(replicas(status));
    families
}

fn datasets(status: &StatusReport) -> Vec<Family> {
    let each = |of: &dyn Fn(&DatasetStatus) -> Option<Value>| {
        let samples = status.datasets.iter().filter_map(|dataset| {
            Some(Sample::of(status.archive(), of(dataset)?).with("dataset", dataset.dataset.as_str()))
        });
        samples.collect::<Vec<_>>()
    };
    let total = |of: fn(&Totals) -> u64| each(&|dataset| Some(of(&dataset.totals()).into()));
    vec![
        Family {
            name: "kt_archive_months_archived",
            help: "Months that are archived.",
            samples: total(|totals| totals.archived),
        },
        Family {
            name: "kt_archive_months_missing",
            help: "Months since the first archived one that are over and not archived.",
            samples: total(|totals| totals.missing),
        },
        Family {
            name: "kt_archive_months_late",
            help: "Missing months that have been over for three days.",
            samples: each(&|dataset| Some(dataset.late.into())),
        },
        Family {
            name: "kt_archive_complete_until_timestamp_seconds",
            help: "The end of the months that are archived without a gap since the first one, in seconds since 1970.",
            samples: each(&|dataset| dataset.complete_until.map(Value::from)),
        },
        Family {
            name: "kt_archive_prune_timestamp_seconds",
            help: "When the platform begins to prune the oldest month that is not archived, in seconds since 1970.",
            samples: each(&|dataset| dataset.prune.map(|prune| prune.at.into())),
        },
        Family { name: "kt_archive_events", help: "Events in the archive.", samples: total(|totals| totals.events) },
        Family {
            name: "kt_archive_rejected_rows",
            help: "Rows that were no events and are kept beside the months that they were delivered with.",
            samples: total(|totals| totals.rejected),
        },
        Family {
            name: "kt_archive_bytes",
            help: "Size of the archive's files.",
            samples: total(|totals| totals.bytes),
        },
    ]
}

fn replicas(status: &StatusReport) -> Vec<Family> {
    let each = |of: fn(&ReplicaStatus) -> Option<u64>| {
        let samples = status.replicas.iter().filter_map(|replica| {
            Some(Sample::of(status.archive(), of(replica)?).with("replica", replica.url.as_str()))
        });
        samples.collect::<Vec<_>>()
    };
    vec![
        Family {
            name: "kt_archive_replica_usable",
            help: "Whether the replica could be asked and is one of this archive: 1 or 0.",
            samples: each(|replica| Some(replica.error.is_none().into())),
        },
        Family {
            name: "kt_archive_replica_behind_manifests",
            help: "Manifests of the archive that the replica lacks.",
            samples: each(|replica| replica.behind),
        },
    ]
}
