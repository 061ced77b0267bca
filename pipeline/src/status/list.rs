//! Every month in a line of its own.

use super::{DatasetStatus, MonthStatus, Presence};
use crate::{
    numbers::{size, thousands},
    style::{Style, Tone},
    table::{Align, Cell, Table},
};
use archive_formats::{Dataset, Timestamp};

/// The months of all datasets; nothing without any.
pub(super) fn list(datasets: &[DatasetStatus], style: Style) -> String {
    let mut table = Table::new([
        ("DATASET", Align::Left),
        ("MONTH", Align::Left),
        ("STATE", Align::Left),
        ("EVENTS", Align::Right),
        ("SIZE", Align::Right),
        ("COMMITTED", Align::Left),
    ]);
    for dataset in datasets {
        for month in &dataset.months {
            table.push(row(&dataset.dataset, month));
        }
    }
    table.render(style)
}

fn row(dataset: &Dataset, month: &MonthStatus) -> [Cell; 6] {
    let state = match month.state {
        Presence::Archived => Cell::toned("archived", Tone::Good),
        Presence::Missing => Cell::toned("MISSING", Tone::Bad),
        Presence::Open => Cell::toned("open", Tone::Faint),
    };
    let or_dash = |text: Option<String>| Cell::from(text.unwrap_or_else(|| "-".to_owned()));
    [
        dataset.to_string().into(),
        month.month.to_string().into(),
        state,
        or_dash(month.events.map(thousands)),
        or_dash(month.bytes.map(size)),
        or_dash(month.committed_at.map(Timestamp::to_seconds_string)),
    ]
}
