//! Digests of columns that do not depend on the order of the rows: whether two places hold the same values.

use crate::{Column, Schema, Sha256, digest::Hasher, encode::Texts};
use arrow_array::{Array as _, RecordBatch};
use std::io;

/// A digest of each column over the rows that it is shown: the sum, modulo 2^256, of the SHA-256 of the column's name, the
/// row's id, and the value's text, in which NULL and empty text differ. A value that moves to another row changes it, and
/// so does a row that comes twice.
#[derive(Clone, Debug)]
pub struct ColumnDigests {
    columns: Vec<Column>,
    id: usize,
    sums: Vec<Sum>,
    rows: u64,
}

impl ColumnDigests {
    /// Of no row yet, whose columns are those of `schema`.
    pub fn new(schema: &Schema) -> Self {
        let sums = schema.columns.iter().map(|column| Sum::of_column(&column.name)).collect();
        Self { columns: schema.columns.clone(), id: schema.id_index(), sums, rows: 0 }
    }

    /// Adds the rows of `records`, whose columns have the order and the Arrow types of the schema.
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

    /// How many rows there were.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// The digest of each column, in their order.
    pub fn finish(self) -> Vec<Sha256> {
        self.sums.iter().map(Sum::finish).collect()
    }
}

/// The digest of one column.
#[derive(Clone, Debug)]
struct Sum {
    /// Has seen the name of the column.
    named: Hasher,
    /// The lowest word first.
    words: [u64; 4],
}

impl Sum {
    fn of_column(name: &str) -> Self {
        let mut named = Hasher::default();
        named.update(&(name.len() as u64).to_be_bytes());
        named.update(name.as_bytes());
        Self { named, words: [0; 4] }
    }

    /// Each part has its length before it, so that no two rows look alike.
    fn add(&mut self, id: &[u8], value: Option<&[u8]>) {
        let mut hasher = self.named.clone();
        hasher.update(&(id.len() as u64).to_be_bytes());
        hasher.update(id);
        hasher.update(&[u8::from(value.is_some())]);
        hasher.update(value.unwrap_or_default());
        let mut carry = false;
        for (word, bytes) in self.words.iter_mut().zip(hasher.finish().as_bytes().rchunks_exact(8)) {
            let added = u64::from_be_bytes(bytes.try_into().unwrap_or_default());
            let (sum, over) = word.overflowing_add(added);
            let (sum, over_again) = sum.overflowing_add(carry.into());
            (*word, carry) = (sum, over || over_again);
        }
    }

    fn finish(&self) -> Sha256 {
        let mut bytes = [0; 32];
        for (word, place) in self.words.iter().zip(bytes.rchunks_exact_mut(8)) {
            place.copy_from_slice(&word.to_be_bytes());
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
    fn neither_the_order_nor_the_batches_matter() {
        let [first, second, third] = ROWS;
        assert_eq!(differences(&ROWS, &[third, first, second]), [0_usize; 0]);
        let mut pieces = ColumnDigests::new(&schema());
        for row in [second, third, first] {
            pieces.add(&records(&[row])).unwrap();
        }
        assert_eq!((pieces.rows(), pieces.finish()), (3, digests(&ROWS)));
    }

    #[test]
    fn a_value_in_the_row_of_another_is_seen_in_its_column_alone() {
        let [mut first, mut second, third] = ROWS;
        std::mem::swap(&mut first.1, &mut second.1);
        assert_eq!(differences(&ROWS, &[first, second, third]), [2]);
    }

    #[test]
    fn a_value_in_another_column_is_seen_in_both() {
        assert_eq!(differences(&[("1", Some("x"), None)], &[("1", None, Some("x"))]), [2, 3]);
    }

    #[test]
    fn null_is_not_empty_text() {
        assert_eq!(differences(&[("1", None, None)], &[("1", None, Some(""))]), [3]);
    }

    #[test]
    fn rows_that_come_twice_count_twice() {
        let [first, second, third] = ROWS;
        assert_eq!(differences(&[first, second], &[first, second, second]), [0, 1, 2, 3]);
        assert_eq!(differences(&[first, first, third], &[first, third, third]), [0, 1, 2, 3]);
    }

    #[test]
    fn the_parts_of_a_row_do_not_run_into_each_other() {
        assert_eq!(differences(&[("12", Some("3"), None)], &[("1", Some("23"), None)]), [0, 1, 2, 3]);
    }

    #[test]
    fn no_row_has_the_digest_zero() {
        assert_eq!(digests(&[]), [Sha256::from([0; 32]); 4]);
    }

    proptest! {
        #[test]
        fn sums_carry_from_word_to_word(ids in prop::collection::vec("[a-z]{1,4}", 1..40)) {
            let mut sum = Sum::of_column("a");
            let mut expected = [0_u8; 32];
            for id in &ids {
                sum.add(id.as_bytes(), None);
                let mut one = Sum::of_column("a");
                one.add(id.as_bytes(), None);
                // Byte by byte, as on paper.
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
