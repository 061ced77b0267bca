//! The links of the documentation lead to files and headings that exist.
//!
//! Short: a page is plain text here, and its links are those to this repository.

use std::{fs, path::Path};

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let (mut count, mut broken) = (0, Vec::new());
    for page in documents.chain(["README.md", "CONTRIBUTING.md"].map(|name| root.join(name))) {
        let text = fs::read_to_string(&page).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            count += 1;
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { page.clone() } else { page.with_file_name(path) };
            if !file.try_exists().unwrap() || !heading.is_empty() && !has_heading(&file, heading) {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(count > 50, "found only {count} links");
    assert_eq!(broken, [] as [String; 0]);
}

/// Whether a heading of the page has this anchor, by the rules of GitHub.
fn has_heading(page: &Path, anchor: &str) -> bool {
    let text = fs::read_to_string(page).unwrap();
    text.lines().filter(|line| line.starts_with('#')).any(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect::<String>() == anchor
    })
}
