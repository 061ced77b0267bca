//! `docs/quickstart.md`, from its first command to its last.

use crate::support::{cli::Host, page::Page};

#[test]
fn the_quick_start_works_as_it_is_written() {
    let page = Page::read("docs/quickstart.md");
    let host = Host::new();
    let mut printed = 0;
    for step in page.steps() {
        step.follow(&host);
        printed += usize::from(step.printed.is_some());
    }
    assert!(printed >= 6, "only {printed} blocks show what they print");
}
