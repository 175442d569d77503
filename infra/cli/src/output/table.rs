//! Tables that fit.

use crate::output::text::{clean, cut, width, wrap};

/// Blanks between columns.
const GAP: usize = 2;
/// Blanks before what is said below a row.
const INDENT: usize = 4;
/// What a column that is made narrower keeps at least.
const LEAST: usize = 8;

/// A table. One that is too wide loses the ends of its widest columns.
#[derive(Debug, Default)]
pub(crate) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// What is said below a row: its number, and the text.
    notes: Vec<(usize, String)>,
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

    /// Says something below the row that was added last: whole, however long it is.
    pub(crate) fn note(&mut self, text: &str) {
        if !text.is_empty() {
            self.notes.push((self.rows.len().saturating_sub(1), clean(text)));
        }
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
        let fit = |row: &[String]| {
            let line = line(row, &widths);
            most.map_or_else(|| line.clone(), |most| cut(&line, most))
        };
        let heads: Vec<_> = self.heads.iter().map(|head| (*head).to_owned()).collect();
        let (mut lines, mut notes) = (vec![fit(&heads)], self.notes.iter().peekable());
        for (number, row) in self.rows.iter().enumerate() {
            lines.push(fit(row));
            while let Some((_, text)) = notes.next_if(|(of, _)| *of == number) {
                lines.extend(wrap(text, most.unwrap_or(usize::MAX), INDENT));
            }
        }
        lines
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
    fn what_is_said_below_a_row_is_never_cut() {
        let mut table = Table::new(&["TAG", "OUTCOME"]);
        table.row(["v1".to_owned(), "failed".to_owned()]);
        let reason =
            "the registry says something that takes more than a line of eighty characters, and all of it counts";
        table.note(reason);
        table.row(["v2".to_owned(), "copied".to_owned()]);
        table.note("");
        let lines = table.lines(Some(80));
        assert_eq!((lines.len(), lines[4].as_str()), (5, "v2   copied"));
        assert!(lines[2..4].iter().all(|line| line.starts_with("    ") && width(line) <= 80));
        assert_eq!(lines[2..4].iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "), reason);
    }

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
