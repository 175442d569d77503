//! Tables that fit.

use crate::output::text::{clean, cut, width};

/// Blanks between columns.
const GAP: usize = 2;
/// What a column that is made narrower keeps at least.
const LEAST: usize = 8;

/// A table. One that is too wide loses the ends of its widest columns.
#[derive(Debug, Default)]
pub(crate) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    whole: Vec<usize>,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(heads: &[&'static str]) -> Self {
        Self { heads: heads.to_vec(), ..Self::default() }
    }

    /// That a column is never cut: what it has is to be copied.
    pub(crate) fn whole(mut self, column: usize) -> Self {
        self.whole.push(column);
        self
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| clean(&cell).replace('\n', " ")).collect());
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Its lines, none wider than `most`.
    pub(crate) fn lines(&self, most: Option<usize>) -> Vec<String> {
        let mut widths: Vec<_> = self.heads.iter().map(|head| width(head)).collect();
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate().take(widths.len()) {
                widths[column] = widths[column].max(width(cell));
            }
        }
        if let Some(most) = most {
            self.narrow(&mut widths, most);
        }
        let heads: Vec<_> = self.heads.iter().map(|head| (*head).to_owned()).collect();
        let lines = std::iter::once(&heads).chain(&self.rows).map(|row| line(row, &widths));
        lines.map(|line| most.map_or_else(|| line.clone(), |most| cut(&line, most))).collect()
    }

    fn narrow(&self, widths: &mut [usize], most: usize) {
        let gaps = GAP * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > most {
            let may_be_cut = |column: &usize| !self.whole.contains(column) && widths[*column] > LEAST;
            let widest = (0..widths.len()).filter(may_be_cut).max_by_key(|column| widths[*column]);
            let Some(widest) = widest else { return };
            widths[widest] -= 1;
        }
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, room) in row.iter().zip(widths) {
        let cell = cut(cell, *room);
        line.push_str(&cell);
        line.extend(std::iter::repeat_n(' ', room - width(&cell) + GAP));
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_and_keeps_what_is_to_be_copied() {
        let id = "019ad8c3-0000-7000-8000-000000000000";
        let mut table = Table::new(&["RUN", "MESSAGE", "TAG"]).whole(0);
        table.row([id.to_owned(), "long ".repeat(30), "v1.2.3-with-a-long-suffix".to_owned()]);
        table.row([id.to_owned(), "short".to_owned(), "v1".to_owned()]);
        let lines = table.lines(Some(80));
        assert!(lines.iter().all(|line| width(line) <= 80), "{lines:?}");
        assert!(lines[1].starts_with(id) && lines[1].contains('…'));
        assert_eq!(lines[2].split_whitespace().collect::<Vec<_>>(), [id, "short", "v1"]);
        assert!(width(&table.lines(None)[1]) > 80, "nothing is cut in a pipe");
    }
}
