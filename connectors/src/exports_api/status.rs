//! Words for the states of a job.

/// How a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting,
    Done,
    Failed,
    /// It was finished, and its artifact is not kept any more.
    Gone,
    /// A word that is in no table. It is not known whether the job will ever end.
    Unknown,
}

/// A job's status in the server's word and in ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) phase: Phase,
    /// The server's word, short and printable.
    pub(super) word: String,
}

impl Status {
    /// Reads the server's `word`; case does not matter, nor whether its parts are joined by `_`, `-` or a space.
    pub(super) fn read(word: &str) -> Self {
        const LONGEST: usize = 40;
        let folded = word.trim().to_lowercase().replace(['-', ' '], "_");
        let shown = word.trim().chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
        Self { phase: phase(&folded), word: shown }
    }
}

fn phase(word: &str) -> Phase {
    match word {
        "queued" | "pending" | "created" | "accepted" | "scheduled" | "submitted" | "waiting" | "processing"
        | "running" | "in_progress" | "started" | "exporting" => Phase::Waiting,
        "completed" | "complete" | "succeeded" | "success" | "done" | "finished" | "ready" | "available" => Phase::Done,
        "failed" | "failure" | "error" | "errored" | "cancelled" | "canceled" | "aborted" | "rejected"
        | "timed_out" => Phase::Failed,
        "expired" | "deleted" | "purged" => Phase::Gone,
        _ => Phase::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_word_has_its_phase() {
        for (word, phase) in [
            ("queued", Phase::Waiting),
            ("processing", Phase::Waiting),
            ("completed", Phase::Done),
            ("failed", Phase::Failed),
            ("expired", Phase::Gone),
            ("", Phase::Unknown),
            ("null", Phase::Unknown),
            ("paused", Phase::Unknown),
        ] {
            assert_eq!(Status::read(word).phase, phase, "{word}");
        }
    }

    #[test]
    fn case_and_separators_do_not_matter() {
        for word in ["IN_PROGRESS", "in-progress", "In Progress", " in_progress\n"] {
            assert_eq!(Status::read(word).phase, Phase::Waiting, "{word:?}");
        }
        assert_eq!(Status::read("Timed-Out").phase, Phase::Failed);
    }

    #[test]
    fn the_word_is_kept_as_the_server_wrote_it_but_short() {
        assert_eq!(Status::read("In Progress\u{7}").word, "In Progress");
        assert_eq!(Status::read(&"x".repeat(1000)).word.len(), 40);
    }
}
