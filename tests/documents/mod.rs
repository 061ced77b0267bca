//! The documentation: every command, snippet and example in it is run as written.
//!
//! Short: only the quick start, which needs no file of its own, is tested here.

mod examples;
mod links;
mod reading;
mod recovery;
mod troubleshooting;

use crate::support::{cli::Host, page::Page};

#[test]
fn quick_start_works_as_written() {
    let page = Page::read("docs/quickstart.md");
    let host = Host::new();
    let mut printed = 0;
    for step in page.steps() {
        step.follow(&host);
        printed += usize::from(step.printed.is_some());
    }
    assert!(printed >= 6, "only {printed} blocks show what they print");
}
