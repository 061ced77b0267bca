//! The examples of `--help` and of the manual pages. A test parses every line.

use archive::wrap::{WIDTH, wrap};

/// The command, the purpose and the command line of an example.
pub(super) type Example = (&'static str, &'static str, &'static str);

/// All examples. A command is named as its manual page.
pub(super) const EXAMPLES: &[Example] = &[
    ("kt-archive", "Try it out, without a server", "kt-archive run --source demo: --archive ./archive"),
    ("kt-archive", "See what is archived", "kt-archive status --archive ./archive"),
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
    ("kt-archive-run", "With the settings of a file", "kt-archive run --config /etc/kt-archive/kt-archive.toml"),
    (
        "kt-archive-backfill",
        "Years of history straight from the database",
        "kt-archive backfill --source postgres://archiver@db.internal/keeptrusts --from 2023-01 --to 2025-03 \
         --archive /srv/archive",
    ),
    (
        "kt-archive-backfill",
        "What would be archived, up to the last closed month",
        "kt-archive backfill --from 2023-01 --dry-run --source https://api.keeptrusts.example --archive /srv/archive",
    ),
    ("kt-archive-verify", "Every byte and every row", "kt-archive verify --archive /srv/archive"),
    (
        "kt-archive-verify",
        "The chain alone, and that it still holds a head that was noted down",
        "kt-archive verify --level quick --expect-head 42:3f2a9c0d5b1e7788… --archive /srv/archive",
    ),
    ("kt-archive-verify", "One month of a replica", "kt-archive verify --month 2026-10 --archive s3://my-bucket/copy"),
    ("kt-archive-status", "A calendar of the archived months", "kt-archive status --archive /srv/archive"),
    (
        "kt-archive-status",
        "A line for each month of a year",
        "kt-archive status --list --from 2025-01 --to 2025-12 --archive /srv/archive",
    ),
    (
        "kt-archive-report",
        "The page about the whole archive",
        "kt-archive report --output report.html --archive /srv/archive",
    ),
    (
        "kt-archive-report",
        "About a year, with a replica, over the page of yesterday",
        "kt-archive report --from 2025-01 --to 2025-12 --replica /mnt/nas/archive --output report.html --force \
         --archive /srv/archive",
    ),
    ("kt-archive-doctor", "Whether a run would work", "kt-archive doctor --config /etc/kt-archive/kt-archive.toml"),
    (
        "kt-archive-doctor",
        "The same for settings on the command line",
        "kt-archive doctor --source https://api.keeptrusts.example --archive s3://my-bucket/keeptrusts",
    ),
    (
        "kt-archive-backup",
        "Back up the database, and prove the backup",
        "kt-archive backup database --from postgres://backup@db.internal/keeptrusts --backups /srv/backups",
    ),
    ("kt-archive-backup", "Restore the newest backup on trial", "kt-archive backup drill --backups /srv/backups"),
    (
        "kt-archive-backup-database",
        "A database, with a copy elsewhere",
        "kt-archive backup database --from postgres://backup@db.internal/keeptrusts --backups /srv/backups --replica \
         s3://my-backups/keeptrusts",
    ),
    (
        "kt-archive-backup-database",
        "A database in a container whose port is not published",
        "kt-archive backup database --from postgres://postgres@localhost/keeptrusts --backups /srv/backups --pg-command \
         'docker exec -i -e PGPASSWORD keeptrusts-postgres'",
    ),
    (
        "kt-archive-backup-configuration",
        "From the table of the platform's database",
        "kt-archive backup configuration --from postgres://backup@db.internal/keeptrusts --backups /srv/backups",
    ),
    (
        "kt-archive-backup-configuration",
        "What a command writes, judged by a linter",
        "kt-archive backup configuration --exec 'kt config export --output {}' --lint-exec 'kt policy lint --file {}' \
         --backups /srv/backups",
    ),
    (
        "kt-archive-backup-artifacts",
        "The artifacts of a folder",
        "kt-archive backup artifacts --from /srv/keeptrusts/exports --backups /srv/backups",
    ),
    (
        "kt-archive-backup-artifacts",
        "Those of a bucket",
        "kt-archive backup artifacts --from s3://keeptrusts-exports --backups /srv/backups",
    ),
    (
        "kt-archive-backup-replicate",
        "Bring a copy up to the backups",
        "kt-archive backup replicate --backups /srv/backups --replica s3://my-backups/keeptrusts",
    ),
    (
        "kt-archive-backup-replicate",
        "Mend the backups from a whole copy",
        "kt-archive backup replicate --repair --backups s3://my-backups/keeptrusts --replica /srv/backups",
    ),
    (
        "kt-archive-backup-verify",
        "Every byte, and every dump to its end",
        "kt-archive backup verify --backups /srv/backups",
    ),
    (
        "kt-archive-backup-verify",
        "Names and sizes of a copy",
        "kt-archive backup verify --level quick --backups s3://my-backups/keeptrusts",
    ),
    (
        "kt-archive-backup-drill",
        "The newest backup, in a scratch cluster",
        "kt-archive backup drill --backups /srv/backups",
    ),
    (
        "kt-archive-backup-drill",
        "An older one, in a database of a staging server that is dropped again",
        "kt-archive backup drill --backup 42 --into postgres://admin@staging.internal/postgres --backups /srv/backups",
    ),
    (
        "kt-archive-backup-prune",
        "What would be removed",
        "kt-archive backup prune --keep-daily 30 --keep-monthly 12 --backups /srv/backups",
    ),
    (
        "kt-archive-backup-prune",
        "Remove it, here and at a copy",
        "kt-archive backup prune --keep-daily 30 --keep-monthly 12 --confirm --backups /srv/backups --replica \
         s3://my-backups/keeptrusts",
    ),
    ("kt-archive-recover", "What to do", "kt-archive recover plan --backups /srv/backups"),
    (
        "kt-archive-recover",
        "Restore the newest backup into a new database",
        "kt-archive recover database --into postgres://admin@db.internal/keeptrusts_restored --backups /srv/backups",
    ),
    ("kt-archive-recover-plan", "From the backups", "kt-archive recover plan --backups /srv/backups"),
    (
        "kt-archive-recover-plan",
        "From a copy, with what was promised",
        "kt-archive recover plan --rpo 24h --rto 2h --backups s3://my-backups/keeptrusts",
    ),
    (
        "kt-archive-recover-database",
        "Restore a backup into a new database",
        "kt-archive recover database --backup 42 --into postgres://admin@db.internal/keeptrusts_restored --backups /srv/backups",
    ),
    (
        "kt-archive-recover-database",
        "Then give it the name of the lost one",
        "kt-archive recover database --backup 42 --into postgres://admin@db.internal/keeptrusts_restored --switch --confirm \
         --backups /srv/backups",
    ),
    ("kt-archive-config", "What is wrong with a file", "kt-archive config check --config kt-archive.toml"),
    ("kt-archive-config", "Which settings count, and why", "kt-archive config show --config kt-archive.toml"),
    ("kt-archive-config-check", "What is wrong with a file", "kt-archive config check --config kt-archive.toml"),
    (
        "kt-archive-config-check",
        "What is wrong with flags",
        "kt-archive config check --source demo: --archive ./archive --part-size 64MiB",
    ),
    (
        "kt-archive-config-show",
        "The settings that count, each with where it comes from",
        "kt-archive config show --config kt-archive.toml",
    ),
    (
        "kt-archive-config-show",
        "Begin a file with the settings of a command line",
        "kt-archive config show --source https://api.keeptrusts.example --archive /srv/archive > kt-archive.toml",
    ),
    ("kt-archive-config-schema", "The schema for an editor", "kt-archive config schema > kt-archive.schema.json"),
    ("kt-archive-config-schema", "The same as a document with an exit code", "kt-archive config schema --json"),
    (
        "kt-archive-replicate",
        "Bring a copy up to the archive",
        "kt-archive replicate --archive /srv/archive --replica s3://my-bucket/copy",
    ),
    (
        "kt-archive-replicate",
        "Mend a copy",
        "kt-archive replicate --repair --archive /srv/archive --replica /mnt/nas/archive",
    ),
    (
        "kt-archive-pull",
        "The blocked events of a week, for a spreadsheet",
        "kt-archive pull --from 2026-10-05 --to 2026-10-12 --match decision=blocked --csv-safe --output review.csv \
         --archive /srv/archive",
    ),
    (
        "kt-archive-pull",
        "Some columns of a month, to another program",
        "kt-archive pull --from 2026-10-01 --to 2026-11-01 --columns timestamp,model,cost_usd --format jsonl --output - \
         --archive /srv/archive",
    ),
    (
        "kt-archive-restore",
        "The restore test of the month",
        "kt-archive restore --month 2026-10 --into postgres://operator@db.internal/keeptrusts_verify --drill",
    ),
    (
        "kt-archive-restore",
        "A month back into a table",
        "kt-archive restore --month 2026-10 --into postgres://operator@db.internal/keeptrusts --table restored.events",
    ),
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
    (
        "kt-archive-completions",
        "For the fish of this user",
        "kt-archive completions fish > ~/.config/fish/completions/kt-archive.fish",
    ),
    ("kt-archive-man", "The pages, for this user", "kt-archive man ~/.local/share/man/man1"),
    ("kt-archive-man", "For all users, as root", "kt-archive man /usr/local/share/man/man1"),
];

/// The examples of a command.
pub(super) fn examples(command: &str) -> impl Iterator<Item = &'static Example> {
    EXAMPLES.iter().filter(move |(name, ..)| *name == command)
}

/// The examples of a command as a section of its help, which ends with an empty line.
pub(super) fn section(command: &str, width: usize) -> String {
    let lines = examples(command).map(|(_, purpose, line)| {
        format!("{}\n    {}\n", wrap(&format!("  {purpose}:"), width, 0, "  "), folded(line, width))
    });
    format!("Examples:\n{}\n", lines.collect::<String>())
}

/// A command line in lines of at most `limit` columns with its indentation, each continued as shells do.
fn folded(line: &str, limit: usize) -> String {
    let limit = limit.min(WIDTH);
    let (mut folded, mut width) = (String::new(), INDENT);
    // An option and its value stay together.
    for (index, part) in line.replace(" --", "\n--").replace(" > ", " >\n").split('\n').enumerate() {
        let length = part.chars().count();
        if index > 0 && width + 1 + length + CONTINUED > limit {
            folded.push_str(" \\\n      ");
            width = CONTINUED + INDENT;
        } else if index > 0 {
            folded.push(' ');
            width += 1;
        }
        folded.push_str(part);
        width += length;
    }
    folded
}

const INDENT: usize = 4;
/// A blank and a backslash.
const CONTINUED: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options;
    use clap::Command;

    /// The command lines in a help text, with continued lines joined.
    fn lines(help: &str) -> Vec<String> {
        let joined = help.replace("\\\n", "");
        let lines = joined.lines().filter_map(|line| line.strip_prefix("    kt-archive "));
        lines.map(|line| format!("kt-archive {line}").split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    fn visit(command: &Command, check: &mut impl FnMut(&Command)) {
        check(command);
        let below = command.get_subcommands().filter(|command| command.get_name() != "help");
        below.for_each(|below| visit(below, check));
    }

    #[test]
    fn every_help_has_examples_that_parse_and_are_of_its_command() {
        let mut program = options::command_at(80);
        program.build();
        let mut seen = 0;
        visit(&program, &mut |command| {
            let help = command.clone().render_long_help().to_string();
            let lines = lines(&help);
            let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
            assert!((2..=3).contains(&lines.len()), "{name}: {help}");
            seen += lines.len();
            for line in lines {
                let words = shlex::split(line.split(" > ").next().unwrap()).unwrap();
                let (parsed, _) = options::parse(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
                let parsed = format!("kt-archive-{}", parsed.command.name().replace(' ', "-"));
                assert!(parsed.starts_with(&name), "{name}: {line}");
            }
        });
        assert_eq!(seen, EXAMPLES.len(), "an example is of no command");
    }

    #[test]
    fn long_lines_are_continued_and_options_keep_their_values() {
        let line =
            "kt-archive run --month 2026-10 --format parquet,csv --archive /srv/archive --replica /mnt/nas/archive";
        let expected = "kt-archive run --month 2026-10 --format parquet,csv --archive /srv/archive \\\n      \
                        --replica /mnt/nas/archive";
        assert_eq!(folded(line, 80), expected);
        let lines =
            EXAMPLES.iter().flat_map(|(name, ..)| section(name, 80).lines().map(str::to_owned).collect::<Vec<_>>());
        assert!(lines.clone().all(|line| line.chars().count() <= WIDTH), "{:?}", lines.collect::<Vec<_>>());
    }
}
