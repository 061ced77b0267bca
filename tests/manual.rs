//! Manual pages, read by `man` and `lexgrog`.

use crate::support::cli::Host;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// All pages, in a folder of a host.
fn pages() -> (Host, Vec<PathBuf>) {
    let host = Host::new();
    let written = host.run(&["man", "share/man/man1"]).expect(0).stdout;
    let pages = written.lines().map(|line| host.path(line)).collect();
    (host, pages)
}

fn shown(page: &Path) -> (String, String) {
    let mut man = Command::new("man");
    man.args(["--warnings", "-E", "UTF-8", "-l"]).arg(page);
    let output = man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").output().unwrap();
    assert!(output.status.success());
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn every_command_has_a_page_without_warnings() {
    let (host, pages) = pages();
    let help = host.run(&["--help"]).expect(0).stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands =
        commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty());
    for command in commands.filter(|command| *command != "help") {
        let name = format!("kt-archive-{command}.1");
        assert!(pages.iter().any(|page| page.ends_with(&name)), "{name}: {pages:?}");
    }
    for page in &pages {
        let (text, warnings) = shown(page);
        assert_eq!(warnings, "", "{}", page.display());
        assert!(text.contains("NAME") && text.contains("SYNOPSIS") && text.contains("DESCRIPTION"), "{text}");
    }
}

#[test]
fn every_page_can_be_indexed_for_whatis() {
    let (_host, pages) = pages();
    for page in &pages {
        let output = Command::new("lexgrog").arg(page).env("LC_ALL", "C.UTF-8").output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let name = page.file_stem().unwrap().to_str().unwrap();
        assert!(output.status.success() && stdout.contains(&format!("\"{name} - ")), "{stdout}");
    }
}

#[test]
fn page_has_exit_codes_variables_files_and_examples() {
    let (_host, pages) = pages();
    let run = pages.iter().find(|page| page.ends_with("kt-archive-run.1")).unwrap();
    let text = shown(run).0;
    for part in
        ["ENVIRONMENT", "FILES", "EXIT STATUS", "EXAMPLES", "SEE ALSO", "KEEPTRUSTS_API_TOKEN_FILE", "PGPASSFILE"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let codes = text.split_once("EXIT STATUS").unwrap().1.split_once("EXAMPLES").unwrap().0;
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "75", "130"] {
        assert!(codes.lines().any(|line| line.split_whitespace().next() == Some(code)), "{code}: {codes}");
    }
}

#[test]
fn pages_are_replaced_and_an_unusable_folder_is_an_error() {
    let (host, pages) = pages();
    let before = fs::read(&pages[0]).unwrap();
    let document = host.run(&["man", "share/man/man1", "--json"]).expect(0).json();
    assert_eq!(document["pages"].as_array().unwrap().len(), pages.len());
    assert_eq!(fs::read(&pages[0]).unwrap(), before);
    fs::write(host.path("file"), "").unwrap();
    host.run(&["man", "file"]).expect(1);
}
