//! Pages of documentation: their commands and the output shown for them.

use super::cli::Host;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// A page, split at its headings.
#[derive(Debug)]
pub(crate) struct Page(Vec<Section>);

/// The blocks below a heading.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) title: String,
    /// Each block of commands, with the block of output that follows it, if any.
    pub(crate) steps: Vec<Step>,
}

/// A block of commands (`sh`) and its output (`text`).
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) commands: String,
    pub(crate) printed: Option<String>,
}

impl Page {
    /// A page of the repository.
    pub(crate) fn read(path: &str) -> Self {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let mut sections = Vec::<Section>::new();
        let mut block = None::<(String, String)>;
        for line in text.lines() {
            block = match (block, line.strip_prefix("```")) {
                (Some((kind, text)), None) => Some((kind, format!("{text}{line}\n"))),
                (Some((kind, text)), Some(_)) => {
                    sections.last_mut().unwrap().take(&kind, text);
                    None
                }
                (None, Some(kind)) => Some((kind.to_owned(), String::new())),
                (None, None) => {
                    if let Some(title) = line.strip_prefix('#') {
                        let title = title.trim_start_matches('#').trim().to_owned();
                        sections.push(Section { title, steps: Vec::new() });
                    }
                    None
                }
            };
        }
        Self(sections)
    }

    /// The section with this heading.
    #[track_caller]
    pub(crate) fn section(&self, title: &str) -> Section {
        self.0.iter().find(|section| section.title == title).unwrap_or_else(|| panic!("no section {title:?}")).clone()
    }

    /// The headings of sections that have commands.
    pub(crate) fn titles(&self) -> Vec<&str> {
        self.0.iter().filter(|section| !section.steps.is_empty()).map(|section| section.title.as_str()).collect()
    }

    /// Every block of the page.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.0.iter().flat_map(|section| &section.steps)
    }
}

impl Section {
    fn take(&mut self, kind: &str, text: String) {
        match (kind, self.steps.last_mut()) {
            ("sh", _) => self.steps.push(Step { commands: text, printed: None }),
            ("text", Some(step)) if step.printed.is_none() => step.printed = Some(text),
            _ => {}
        }
    }

    /// This section with addresses replaced in its commands.
    pub(crate) fn with(mut self, addresses: &[(&str, &str)]) -> Self {
        for step in &mut self.steps {
            for (written, real) in addresses {
                step.commands = step.commands.replace(written, real);
            }
        }
        self
    }

    /// Runs every block; each must succeed.
    #[track_caller]
    pub(crate) fn follow(&self, host: &Host) {
        for step in &self.steps {
            step.follow(host);
        }
    }
}

impl Step {
    /// Runs the commands as pasted into a shell, and compares their output on both streams with what is shown.
    #[track_caller]
    pub(crate) fn follow(&self, host: &Host) {
        let output = self.run(host);
        let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        assert!(output.status.success(), "{}\n{}\nstdout: {stdout}\nstderr: {stderr}", self.commands, output.status);
        if let Some(printed) = &self.printed {
            assert_eq!(shape(&stdout), shape(printed), "{}\nprinted:\n{stdout}\nstderr: {stderr}", self.commands);
        }
    }

    fn run(&self, host: &Host) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_kt-archive")).parent().unwrap();
        let mut command = Command::new("bash");
        let merged = if self.printed.is_some() { "exec 2>&1\n" } else { "" };
        command.args(["-euo", "pipefail", "-c", &format!("{merged}{}", self.commands)]);
        host.prepare(&mut command);
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", program.display()));
        command.output().unwrap()
    }
}

/// The output without digests, times and durations, which differ between archives.
fn shape(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| {
        let words = line.split_whitespace().map(word).collect::<Vec<_>>();
        words.join(" ").replace("TENTHS s", "TIME")
    });
    lines.filter(|line| !line.is_empty()).collect()
}

fn word(word: &str) -> String {
    let is_instant = word.len() >= 20 && word.ends_with('Z') && word.contains('T');
    let is_tenths = word.split_once('.').is_some_and(|(whole, tenths)| {
        tenths.len() == 1 && [whole, tenths].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    });
    match (is_instant, is_tenths) {
        (true, _) => "INSTANT".to_owned(),
        // Sizes have tenths too; of those only the unit is compared.
        (_, true) => "TENTHS".to_owned(),
        _ => without_digests(word),
    }
}

fn without_digests(word: &str) -> String {
    let mut parts = word.split_inclusive(|letter: char| !letter.is_ascii_hexdigit());
    let is_digest = |part: &str| part.bytes().take_while(u8::is_ascii_hexdigit).count() >= 16;
    parts.by_ref().map(|part| if is_digest(part) { "DIGEST" } else { part }).collect()
}
