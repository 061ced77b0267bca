//! What people type most.

use clap_mangen::roff::{Roff, bold, roman};

/// A command's page, what is wanted, and what to type.
type Example = (&'static str, &'static str, &'static str);

const EXAMPLES: &[Example] = &[
    ("kt-archive", "Try it out, without a server", "kt-archive run --source demo: --archive ./archive"),
    ("kt-archive", "Prove that nothing is missing and nothing was changed", "kt-archive verify --archive ./archive"),
    (
        "kt-archive-run",
        "Archive the last month, and what is missing before it",
        "kt-archive run --source https://api.keeptrusts.example --archive s3://my-bucket/keeptrusts",
    ),
    (
        "kt-archive-run",
        "One month, as Parquet and CSV, with a copy",
        "kt-archive run --month 2026-10 --format parquet,csv --archive /srv/archive --replica /mnt/nas/archive",
    ),
    (
        "kt-archive-backfill",
        "Years of history straight from the database",
        "kt-archive backfill --source postgres://archiver@db.internal/keeptrusts --from 2023-01 --to 2025-03 \
         --archive /srv/archive",
    ),
    ("kt-archive-verify", "Every byte and every row", "kt-archive verify --archive /srv/archive"),
    (
        "kt-archive-verify",
        "The chain alone, and that it still holds a head that was noted down",
        "kt-archive verify --level quick --expect-head 42 --archive /srv/archive",
    ),
    ("kt-archive-status", "Which months are archived", "kt-archive status --archive /srv/archive"),
    ("kt-archive-doctor", "Whether a run would work", "kt-archive doctor --config /etc/kt-archive/kt-archive.toml"),
    (
        "kt-archive-replicate",
        "Mend a copy",
        "kt-archive replicate --repair --archive /srv/archive --replica /mnt/nas/archive",
    ),
    (
        "kt-archive-pull",
        "The blocked events of a week, for a spreadsheet",
        "kt-archive pull --from 2026-10-05 --to 2026-10-12 --match decision=blocked --format csv --csv-safe \
         --output review.csv --archive /srv/archive",
    ),
    (
        "kt-archive-restore",
        "The restore test of the month",
        "kt-archive restore --month 2026-10 --into postgres://operator@db.internal/keeptrusts_verify --drill",
    ),
    ("kt-archive-config-check", "What is wrong with a file", "kt-archive config check --config kt-archive.toml"),
    (
        "kt-archive-schedule",
        "A timer of systemd for the settings of a file",
        "kt-archive schedule systemd --config /etc/kt-archive/kt-archive.toml",
    ),
    (
        "kt-archive-schedule",
        "A CronJob of Kubernetes",
        "kt-archive schedule kubernetes --source https://api.keeptrusts.example --archive s3://my-bucket/keeptrusts",
    ),
    (
        "kt-archive-completions",
        "For the bash of this user",
        "kt-archive completions bash > ~/.local/share/bash-completion/completions/kt-archive",
    ),
    ("kt-archive-man", "The pages, for this user", "kt-archive man ~/.local/share/man/man1"),
];

/// Adds the examples of a command, if there are any.
pub(super) fn render(roff: &mut Roff, page: &str) {
    let mut examples = EXAMPLES.iter().filter(|(of, ..)| *of == page).peekable();
    if examples.peek().is_some() {
        roff.control("SH", ["EXAMPLES"]);
    }
    for (_, wanted, typed) in examples {
        roff.control("TP", []);
        roff.text([roman(format!("{wanted}:"))]);
        roff.text([bold(*typed)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use clap::Parser as _;

    #[test]
    fn every_example_can_be_typed() {
        for (page, _, typed) in EXAMPLES {
            let words = typed.split(" > ").next().unwrap().split_whitespace();
            let parsed = Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{typed}: {error}"));
            let name = format!("kt-archive-{}", parsed.command.name().replace(' ', "-"));
            assert!(*page == "kt-archive" || *page == name, "{page}: {typed}");
        }
    }
}
