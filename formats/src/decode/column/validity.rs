//! Which rows of a column have a value.

use crate::decode::fault::Fault;
use arrow_buffer::NullBufferBuilder;

/// Which rows have a value.
#[derive(Debug)]
pub(super) struct Validity {
    nulls: NullBufferBuilder,
    /// What a row without a value does wrong; `None` when it may have none.
    fault: Option<Fault>,
}

impl Validity {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self { nulls: NullBufferBuilder::new(0), fault }
    }

    #[inline]
    pub(super) fn push_value(&mut self) {
        self.nulls.append_non_null();
    }

    #[inline]
    pub(super) fn push_null(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.nulls.append_null();
        Ok(())
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.nulls.truncate(rows);
    }

    pub(super) fn finish(mut self) -> Option<arrow_buffer::NullBuffer> {
        self.nulls.finish()
    }
}
