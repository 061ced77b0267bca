//! `kt-archive man`: a manual page for each command, generated from the clap definition.

use super::{
    examples::{self, examples},
    options,
    outcome::Outcome,
};
use archive::{report::Report, style::Style};
use archive_connectors::{Result, error::local};
use clap::Command;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use serde::Serialize;
use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

const MANUAL: &str = "Archives of Keeptrusts events";

/// The heading of the exit codes in the long help.
const EXIT_CODES: &str = "\n\nExit codes:\n";

/// The report of `man`.
#[derive(Debug, Default, Serialize)]
pub(super) struct WrittenPages {
    /// Paths of the pages.
    pages: Vec<String>,
}

impl Report for WrittenPages {
    fn text(&self, _: Style) -> String {
        self.pages.iter().flat_map(|path| [path, "\n"]).collect()
    }
}

pub(super) fn man(folder: &Path, style: Style) -> Result<Outcome> {
    fs::create_dir_all(folder).map_err(local("make the folder of the manual pages", folder))?;
    let mut paths = Vec::new();
    for page in pages() {
        let path = folder.join(page.name);
        fs::write(&path, page.roff).map_err(local("write a manual page", &path))?;
        paths.push(path.display().to_string());
    }
    Ok(Outcome::new(&WrittenPages { pages: paths }, style))
}

/// A manual page.
#[derive(Debug)]
struct Page {
    /// File name.
    name: String,
    roff: Vec<u8>,
}

/// The pages of the program and of all its commands.
/// The width of the texts that become paragraphs and lists: no usage line is broken.
const MAN_WIDTH: usize = 100;

fn pages() -> Vec<Page> {
    let mut program = options::command_at(MAN_WIDTH).disable_help_subcommand(true);
    program.build();
    let mut commands = Vec::new();
    collect(&program, &mut commands);
    let names = commands.iter().map(display_name).collect::<Vec<_>>();
    let pages = commands.iter().map(|command| {
        let others = names.iter().filter(|name| **name != display_name(command));
        let near = others.filter(|name| are_near(name, &display_name(command))).cloned().collect::<Vec<_>>();
        Page { name: format!("{}.1", display_name(command)), roff: page(command, &near) }
    });
    pages.collect()
}

fn collect(command: &Command, all: &mut Vec<Command>) {
    all.push(command.clone());
    command.get_subcommands().for_each(|below| collect(below, all));
}

fn display_name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// Whether two pages refer to each other: one command is an ancestor of the other.
fn are_near(name: &str, other: &str) -> bool {
    let below = |name: &str, above: &str| name.strip_prefix(above).is_some_and(|rest| rest.starts_with('-'));
    below(name, other) || below(other, name)
}

fn page(command: &Command, near: &[String]) -> Vec<u8> {
    // The short usage of `--help`: clap_mangen would list every option twice.
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
    let name = display_name(command);
    let notes = command.get_after_long_help().map(ToString::to_string);
    // The examples have a section of their own here.
    let notes = notes.map(|text| text.trim_start_matches(&examples::section(&name, MAN_WIDTH)).to_owned());
    let man = Man::new(command.clone().override_usage(usage));
    let mut bytes = Vec::new();
    // Writing to memory cannot fail.
    drop(sections(&man, command, &mut bytes));
    let mut roff = Roff::new();
    if let Some(text) = notes.filter(|notes| !notes.is_empty()) {
        let (environment, exit_codes) = text.split_once(EXIT_CODES).unwrap_or((&text, ""));
        roff.control("SH", ["ENVIRONMENT"]);
        render_prose(&mut roff, environment);
        roff.control("SH", ["FILES"]);
        render_prose(&mut roff, FILES.trim_start_matches('\n'));
        roff.control("SH", ["EXIT STATUS"]);
        render_prose(&mut roff, exit_codes);
    }
    render_examples(&mut roff, &name);
    if !near.is_empty() {
        roff.control("SH", ["SEE ALSO"]);
        for (index, name) in near.iter().enumerate() {
            let comma = if index + 1 < near.len() { "," } else { "" };
            roff.text([bold(name), roman(format!("(1){comma}"))]);
        }
    }
    bytes.extend(roff.render().into_bytes());
    bytes
}

fn sections(man: &Man, command: &Command, bytes: &mut Vec<u8>) -> io::Result<()> {
    // `Man::render_title` omits an empty date, which shifts the fields after it.
    writeln!(bytes, ".TH {} 1 \"\" \"{}\" \"{MANUAL}\"", display_name(command).to_uppercase(), version())?;
    man.render_name_section(bytes)?;
    man.render_synopsis_section(bytes)?;
    man.render_description_section(bytes)?;
    if command.has_subcommands() {
        man.render_subcommands_section(bytes)?;
    }
    man.render_options_section(bytes)
}

fn version() -> String {
    format!("kt-archive {}", env!("CARGO_PKG_VERSION"))
}

/// Begins with a line end to keep the indentation of the first line.
const FILES: &str = "
  $XDG_STATE_HOME/kt-archive  spool, staging, journal and locks, else ~/.local/state/kt-archive;
                              losing it costs time, never data
  ~/.pgpass                   passwords of PostgreSQL servers, unless PGPASSFILE names another file";

/// Adds the examples of `page`, if it has any.
fn render_examples(roff: &mut Roff, page: &str) {
    let mut examples = examples(page).peekable();
    if examples.peek().is_some() {
        roff.control("SH", ["EXAMPLES"]);
    }
    for (_, purpose, line) in examples {
        roff.control("TP", []);
        roff.text([roman(format!("{purpose}:"))]);
        roff.text([bold(*line)]);
    }
}

/// Adds `text`: consecutive lines become a paragraph, indented lines of a term and its meaning become a list.
fn render_prose(roff: &mut Roff, text: &str) {
    for block in text.split("\n\n") {
        let mut lines = block.lines().peekable();
        while let Some(line) = lines.next() {
            if let Some((term, meaning)) = row(line) {
                let mut meaning = meaning.to_owned();
                while let Some(more) = lines.next_if(|line| is_continued(line)) {
                    meaning.extend([" ", more.trim()]);
                }
                roff.control("TP", []);
                roff.text([bold(term)]);
                roff.text([roman(meaning)]);
            } else {
                let mut paragraph = line.to_owned();
                while let Some(more) = lines.next_if(|line| !line.starts_with(' ')) {
                    paragraph.extend([" ", more]);
                }
                roff.control("PP", []);
                roff.text([roman(paragraph)]);
            }
        }
    }
}

/// A list item: the term and its meaning.
fn row(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?;
    line.split_once("  ").map(|(term, meaning)| (term, meaning.trim()))
}

fn is_continued(line: &str) -> bool {
    line.starts_with("   ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::LONG;
    use archive::exit::ExitCode;

    #[test]
    fn every_command_has_a_page_with_the_exit_codes() {
        let pages = pages();
        let names = pages.iter().map(|page| page.name.as_str()).collect::<Vec<_>>();
        for name in ["kt-archive.1", "kt-archive-run.1", "kt-archive-config-show.1"] {
            assert!(names.contains(&name), "{names:?}");
        }
        let run = pages.iter().find(|page| page.name == "kt-archive-run.1").unwrap();
        let text = String::from_utf8(run.roff.clone()).unwrap();
        let (_, codes) = text.split_once(".SH \"EXIT STATUS\"").unwrap();
        for code in
            [ExitCode::Done, ExitCode::Partial, ExitCode::Unauthorized, ExitCode::TryLater, ExitCode::Interrupted]
        {
            assert!(codes.contains(&format!("\\fB{}\\fR", code.code())), "{codes}");
        }
    }

    #[test]
    fn long_help_has_the_heading_of_the_exit_codes() {
        assert!(LONG.contains(EXIT_CODES));
    }

    #[test]
    fn prose_becomes_paragraphs_and_lists() {
        let mut roff = Roff::new();
        render_prose(&mut roff, "One\nsentence.\n\nThese:\n  A, B   first\n         line\n  C      second\nEnd.");
        let expected =
            ".PP\nOne sentence.\n.PP\nThese:\n.TP\n\\fBA, B\\fR\nfirst line\n.TP\n\\fBC\\fR\nsecond\n.PP\nEnd.\n";
        assert_eq!(roff.to_roff(), expected);
    }
}
