//! One column's values as texts.

use super::cell::Cells;
use crate::Column;
use arrow_array::ArrayRef;
use std::io;

/// The values of one column as texts.
#[derive(Debug)]
pub struct Texts<'a>(Cells<'a>);

impl<'a> Texts<'a> {
    /// The values of `array`, which is `column` of a batch.
    pub fn of(column: &Column, array: &'a ArrayRef) -> Self {
        Self(Cells::of_column(column, array))
    }

    /// Appends what a field would hold for the value of `row`, which is not NULL, without the quotes of CSV.
    pub fn write(&self, row: usize, out: &mut Vec<u8>) -> io::Result<()> {
        self.0.write_value(row, out)
    }
}
