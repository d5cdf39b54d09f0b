//! Text for people, JSON for programs: every command prints through here.

use serde::Serialize;

/// How to print.
pub(crate) struct Output {
    /// JSON instead of text.
    pub(crate) json: bool,
}

impl Output {
    /// Prints `value` as JSON, or what `text` makes of it.
    pub(crate) fn print<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) {
        if self.json {
            let json =
                serde_json::to_string_pretty(value).expect("what the API gives has only strings as keys");
            println!("{json}");
        } else {
            println!("{}", text(value));
        }
    }
}

/// A table with columns as wide as their widest cell; without rows, `nothing`.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>], nothing: &str) -> String {
    if rows.is_empty() {
        return nothing.to_owned();
    }
    let header: Vec<String> = header.iter().map(|&h| h.to_owned()).collect();
    let lines = || std::iter::once(&header).chain(rows);
    let widths: Vec<usize> = (0..header.len())
        .map(|i| lines().filter_map(|line| line.get(i)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let line = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The first digits of a digest: enough to tell signals of one list apart.
pub(crate) fn short(id: &impl ToString) -> String {
    id.to_string().chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_an_empty_table_says_so() {
        let rows = vec![vec!["1".into(), "open".into()], vec!["12".into(), "cleared".into()]];
        assert_eq!(table(&["no", "state"], &rows, "none"), "no  state\n1   open\n12  cleared");
        assert_eq!(table(&["no"], &[], "no cases"), "no cases");
    }
}
