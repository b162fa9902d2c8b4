//! Counts by row and column, printed as text.
//!
//! Invariant: every count that was added is in the sum. It must not know what is counted.

use std::fmt::Write;

/// Rows in the order in which they came, columns in the order they were named.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<(String, Vec<u64>)>,
}

impl Table {
    pub(crate) fn new(title: &str, columns: &[&'static str]) -> Self {
        Self { title: title.to_owned(), columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds to a cell. A column that was not named is one of the programmer's mistakes, and gets a column.
    pub(crate) fn add(&mut self, row: &str, column: &'static str, count: u64) {
        let at = self.columns.iter().position(|known| *known == column).unwrap_or_else(|| {
            self.columns.push(column);
            self.columns.len() - 1
        });
        let index = self.rows.iter().position(|(name, _)| name == row).unwrap_or_else(|| {
            self.rows.push((row.to_owned(), Vec::new()));
            self.rows.len() - 1
        });
        let cells = &mut self.rows[index].1;
        cells.resize(self.columns.len().max(cells.len()), 0);
        cells[at] += count;
    }

    /// Adds the sums of another table as one row.
    pub(crate) fn absorb(&mut self, row: &str, other: &Self) {
        for &column in &other.columns {
            self.add(row, column, other.total(column));
        }
    }

    /// The sum of a column.
    pub(crate) fn total(&self, column: &str) -> u64 {
        let Some(at) = self.columns.iter().position(|known| *known == column) else {
            return 0;
        };
        self.rows.iter().map(|(_, cells)| cells.get(at).copied().unwrap_or(0)).sum()
    }

    /// The table, with a row of sums when there is more than one row.
    pub(crate) fn text(&self) -> String {
        let first = self.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let first = first.max(self.title.chars().count()).max(5);
        let mut text = format!("{:first$}", self.title);
        for column in &self.columns {
            let _ = write!(text, "  {column:>7}");
        }
        let mut line = |name: &str, cells: &[u64]| {
            let _ = write!(text, "\n{name:first$}");
            for (at, column) in self.columns.iter().enumerate() {
                let width = column.chars().count().max(7);
                match cells.get(at).copied().unwrap_or(0) {
                    0 => _ = write!(text, "  {:>width$}", "."),
                    count => _ = write!(text, "  {count:>width$}"),
                }
            }
        };
        for (name, cells) in &self.rows {
            line(name, cells);
        }
        if self.rows.len() > 1 {
            let sums: Vec<u64> = self.columns.iter().map(|column| self.total(column)).collect();
            line("total", &sums);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_summed_and_zeros_do_not_stand_out() {
        let mut table = Table::new("ext4", &["kills", "torn"]);
        table.add("fsync", "kills", 2);
        table.add("renameat2", "kills", 3);
        table.add("fsync", "torn", 1);
        assert_eq!(table.total("kills"), 5);
        let expected = "\
ext4         kills     torn
fsync            2        1
renameat2        3        .
total            5        1";
        assert_eq!(table.text(), expected);
    }
}
