//! Comma-separated values as RFC 4180 has them, strictly: a quote that does not close means a truncated file.

/// The most fields in a row.
const MAX_FIELDS: usize = 64;

/// Why a text is not a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// The text ends within quotes.
    #[error("line {0}: a quoted field does not end: the file is truncated or broken")]
    OpenQuote(usize),
    /// Something stands behind a closing quote.
    #[error("line {0}: text follows a closing quote")]
    AfterQuote(usize),
    /// A row of absurd width.
    #[error("line {0}: more than {MAX_FIELDS} fields")]
    TooWide(usize),
}

/// One row and the line that it begins on, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it begins.
    pub line: usize,
    /// Its fields, without quotes.
    pub fields: Vec<String>,
}

/// The rows of `text`; empty lines are left out.
pub fn rows(text: &str) -> Result<Vec<Row>, CsvError> {
    let mut rows = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let mut row = Row { line, fields: Vec::new() };
        loop {
            let (field, after) = field(rest, line)?;
            line += field.matches('\n').count();
            row.fields.push(field);
            if row.fields.len() > MAX_FIELDS {
                return Err(CsvError::TooWide(row.line));
            }
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => {
                    rest = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')).unwrap_or(after);
                    break;
                }
            }
        }
        line += 1;
        if row.fields.iter().any(|field| !field.is_empty()) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// The field at the front of `text`, and what follows it: a comma, a line end or nothing.
fn field(text: &str, line: usize) -> Result<(String, &str), CsvError> {
    let Some(mut quoted) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let (field, after) = text.split_at(end);
        return match field.strip_suffix('\r') {
            Some(field) if after.starts_with('\n') => Ok((field.to_owned(), after)),
            _ => Ok((field.to_owned(), after)),
        };
    };
    let mut field = String::new();
    loop {
        let (part, after) = quoted.split_once('"').ok_or(CsvError::OpenQuote(line))?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                quoted = more;
            }
            // OFAC pads its nulls with a blank behind the field.
            None => {
                let after = after.trim_start_matches(' ');
                let ends = after.is_empty() || after.starts_with([',', '\n']) || after.starts_with("\r\n");
                return if ends { Ok((field, after)) } else { Err(CsvError::AfterQuote(line)) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<Vec<String>> {
        rows(text).unwrap().into_iter().map(|r| r.fields).collect()
    }

    #[test]
    fn quotes_commas_and_line_ends() {
        assert_eq!(fields("a,\"b,c\"\r\n\"d\"\"e\",\n\nf"), [vec!["a", "b,c"], vec!["d\"e", ""], vec!["f"]]);
        assert_eq!(rows("\"a\nb\"\nc").unwrap()[1].line, 3);
        assert_eq!(fields(""), Vec::<Vec<String>>::new());
    }

    #[test]
    fn a_broken_table_is_refused() {
        assert_eq!(rows("a\n\"b"), Err(CsvError::OpenQuote(2)));
        assert_eq!(rows("\"a\"b"), Err(CsvError::AfterQuote(1)));
        assert_eq!(rows(&",".repeat(100)), Err(CsvError::TooWide(1)));
    }
}
