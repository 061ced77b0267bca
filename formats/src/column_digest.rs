//! Digests of columns that do not depend on the order of rows, to compare a table with an archive.

use crate::{Column, Schema, Sha256, digest::Hasher, encode::Texts};
use arrow_array::{Array as _, RecordBatch};
use std::io;

/// A digest of each column: the sum, over all rows and modulo 2^256, of the SHA-256 of the column's name, the row's id and
/// the value's text, in which NULL and empty text differ. Swapping the values of two rows changes it, and so does
/// repeating a row.
#[derive(Clone, Debug)]
pub struct ColumnDigests {
    columns: Vec<Column>,
    id: usize,
    sums: Vec<Sum>,
    rows: u64,
}

impl ColumnDigests {
    /// Digests of no rows yet, with the columns of `schema`.
    pub fn new(schema: &Schema) -> Self {
        let sums = schema.columns().iter().map(|column| Sum::new(&column.name)).collect();
        Self { columns: schema.columns().to_vec(), id: schema.id_index(), sums, rows: 0 }
    }

    /// Adds rows, whose columns have the order and the Arrow types of the schema.
    pub fn add(&mut self, records: &RecordBatch) -> io::Result<()> {
        let ids = self.ids(records)?;
        let mut text = Vec::new();
        for ((column, sum), array) in self.columns.iter().zip(&mut self.sums).zip(records.columns()) {
            let texts = Texts::new(column, array);
            for (row, id) in ids.iter().enumerate() {
                let value = texts.get(row, &mut text)?;
                sum.add(id, (!array.is_null(row)).then_some(value));
            }
        }
        self.rows += records.num_rows() as u64;
        Ok(())
    }

    fn ids(&self, records: &RecordBatch) -> io::Result<Vec<Vec<u8>>> {
        let texts = Texts::new(&self.columns[self.id], records.column(self.id));
        let id = |row| {
            let mut id = Vec::new();
            texts.get(row, &mut id)?;
            Ok(id)
        };
        (0..records.num_rows()).map(id).collect()
    }

    /// The number of rows so far.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// The digest of each column, in the order of the schema.
    pub fn finish(self) -> Vec<Sha256> {
        self.sums.iter().map(Sum::finish).collect()
    }
}

/// The digest of one column.
#[derive(Clone, Debug)]
struct Sum {
    /// The state after the name of the column.
    named: Hasher,
    /// Least significant word first.
    words: [u64; 4],
}

impl Sum {
    fn new(name: &str) -> Self {
        let mut named = Hasher::default();
        named.update(&(name.len() as u64).to_be_bytes());
        named.update(name.as_bytes());
        Self { named, words: [0; 4] }
    }

    /// Lengths keep the parts of a row apart.
    #[expect(clippy::expect_used, reason = "the chunks have eight bytes")]
    fn add(&mut self, id: &[u8], value: Option<&[u8]>) {
        let mut hasher = self.named.clone();
        hasher.update(&(id.len() as u64).to_be_bytes());
        hasher.update(id);
        hasher.update(&[u8::from(value.is_some())]);
        hasher.update(value.unwrap_or_default());
        let mut carry = false;
        for (word, bytes) in self.words.iter_mut().zip(hasher.finish().as_bytes().rchunks_exact(8)) {
            let added = u64::from_be_bytes(bytes.try_into().expect("eight bytes"));
            let (sum, over) = word.overflowing_add(added);
            let (sum, over_again) = sum.overflowing_add(carry.into());
            (*word, carry) = (sum, over || over_again);
        }
    }

    fn finish(&self) -> Sha256 {
        let mut bytes = [0; 32];
        for (word, target) in self.words.iter().zip(bytes.rchunks_exact_mut(8)) {
            target.copy_from_slice(&word.to_be_bytes());
        }
        Sha256::from(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, StringArray, TimestampMicrosecondArray};
    use proptest::prelude::*;
    use std::sync::Arc;

    type Row<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

    fn schema() -> Schema {
        let column = |name: &str, kind: &str| Column {
            name: name.to_owned(),
            kind: kind.parse().unwrap(),
            source_type: None,
            nullable: true,
        };
        let columns = [("id", "text"), ("t", "timestamp(us,UTC)"), ("a", "text"), ("b", "text")];
        Schema::new(columns.map(|(name, kind)| column(name, kind)).into(), "id", "t").unwrap()
    }

    fn records(rows: &[Row<'_>]) -> RecordBatch {
        let text = |value: fn(&Row<'_>) -> Option<String>| -> ArrayRef {
            Arc::new(rows.iter().map(value).collect::<StringArray>())
        };
        let times = TimestampMicrosecondArray::from(vec![7; rows.len()]).with_timezone("UTC");
        let id = text(|row| Some(row.0.to_owned()));
        let (a, b) = (text(|row| row.1.map(str::to_owned)), text(|row| row.2.map(str::to_owned)));
        RecordBatch::try_new(schema().to_arrow(), vec![id, Arc::new(times), a, b]).unwrap()
    }

    fn digests(rows: &[Row<'_>]) -> Vec<Sha256> {
        let mut digests = ColumnDigests::new(&schema());
        digests.add(&records(rows)).unwrap();
        digests.finish()
    }

    /// Which of the columns `id`, `t`, `a` and `b` differ.
    fn differences(one: &[Row<'_>], other: &[Row<'_>]) -> Vec<usize> {
        let pairs = digests(one).into_iter().zip(digests(other)).enumerate();
        pairs.filter(|(_, (one, other))| one != other).map(|(index, _)| index).collect()
    }

    const ROWS: [Row<'_>; 3] = [("1", Some("x"), Some("p")), ("2", Some("y"), Some("p")), ("3", None, Some(""))];

    #[test]
    fn order_and_batches_do_not_matter() {
        let [first, second, third] = ROWS;
        assert_eq!(differences(&ROWS, &[third, first, second]), [0_usize; 0]);
        let mut pieces = ColumnDigests::new(&schema());
        for row in [second, third, first] {
            pieces.add(&records(&[row])).unwrap();
        }
        assert_eq!((pieces.rows(), pieces.finish()), (3, digests(&ROWS)));
    }

    #[test]
    fn swapped_values_change_their_column_only() {
        let [mut first, mut second, third] = ROWS;
        std::mem::swap(&mut first.1, &mut second.1);
        assert_eq!(differences(&ROWS, &[first, second, third]), [2]);
    }

    #[test]
    fn a_value_in_another_column_changes_both() {
        assert_eq!(differences(&[("1", Some("x"), None)], &[("1", None, Some("x"))]), [2, 3]);
    }

    #[test]
    fn null_is_not_empty_text() {
        assert_eq!(differences(&[("1", None, None)], &[("1", None, Some(""))]), [3]);
    }

    #[test]
    fn repeated_rows_count() {
        let [first, second, third] = ROWS;
        assert_eq!(differences(&[first, second], &[first, second, second]), [0, 1, 2, 3]);
        assert_eq!(differences(&[first, first, third], &[first, third, third]), [0, 1, 2, 3]);
    }

    #[test]
    fn ids_and_values_are_kept_apart() {
        assert_eq!(differences(&[("12", Some("3"), None)], &[("1", Some("23"), None)]), [0, 1, 2, 3]);
    }

    #[test]
    fn the_digest_of_no_rows_is_zero() {
        assert_eq!(digests(&[]), [Sha256::from([0; 32]); 4]);
    }

    proptest! {
        #[test]
        fn sums_carry_from_word_to_word(ids in prop::collection::vec("[a-z]{1,4}", 1..40)) {
            let mut sum = Sum::new("a");
            let mut expected = [0_u8; 32];
            for id in &ids {
                sum.add(id.as_bytes(), None);
                let mut one = Sum::new("a");
                one.add(id.as_bytes(), None);
                let mut carry = 0;
                for (total, added) in expected.iter_mut().zip(one.finish().as_bytes()).rev() {
                    let place = u16::from(*total) + u16::from(*added) + carry;
                    *total = place.to_be_bytes()[1];
                    carry = place >> 8;
                }
            }
            prop_assert_eq!(sum.finish(), Sha256::from(expected));
        }
    }
}
