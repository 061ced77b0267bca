//! Which rows of a column have a value.

use crate::decode::fault::Fault;
use arrow_buffer::{BooleanBuffer, NullBuffer, NullBufferBuilder};

/// Which rows have a value.
#[derive(Debug)]
pub(in crate::decode) struct Validity {
    nulls: NullBufferBuilder,
    /// What a row without a value does wrong; `None` when it may have none.
    fault: Option<Fault>,
}

impl Validity {
    pub(in crate::decode) fn new(fault: Option<Fault>) -> Self {
        Self { nulls: NullBufferBuilder::new(0), fault }
    }

    #[inline]
    pub(in crate::decode) fn push_value(&mut self) {
        self.nulls.append_non_null();
    }

    #[inline]
    pub(in crate::decode) fn push_null(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.nulls.append_null();
        Ok(())
    }

    /// Appends a row for each of `fields`.
    #[inline]
    pub(in crate::decode) fn extend<T>(&mut self, fields: &[Option<T>]) -> Result<(), Fault> {
        if fields.iter().all(Option::is_some) {
            self.nulls.append_n_non_nulls(fields.len());
            return Ok(());
        }
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let values = BooleanBuffer::collect_bool(fields.len(), |row| fields[row].is_some());
        self.nulls.append_buffer(&NullBuffer::new(values));
        Ok(())
    }

    pub(in crate::decode) fn truncate(&mut self, rows: usize) {
        self.nulls.truncate(rows);
    }

    pub(in crate::decode) fn finish(mut self) -> Option<NullBuffer> {
        self.nulls.finish()
    }
}
