//! The text of a header: a Python dictionary with the keys `descr`, `fortran_order` and `shape`.

use super::dtype::{Dtype, shorten};

/// The most axes.
const MOST_AXES: usize = 8;

/// What a header's text says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub dtype: Dtype,
    pub fortran: bool,
    pub shape: Vec<u64>,
}

/// Reads the text, or says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Said, String> {
    let mut at = Cursor { rest: text };
    let (mut dtype, mut fortran, mut shape) = (None, None, None);
    at.expect("{")?;
    while !at.take("}") {
        let key = at.quoted()?;
        at.expect(":")?;
        let is_new = match key {
            "descr" if at.peek() == Some('[') => {
                return Err(
                    "it holds records of several fields; save each field as an array of its own".into()
                );
            }
            "descr" => dtype.replace(Dtype::parse(at.quoted()?)?).is_none(),
            "fortran_order" => fortran.replace(at.truth()?).is_none(),
            "shape" => shape.replace(at.tuple()?).is_none(),
            _ => return Err(format!("its header has a key '{}' that no array has; {AGAIN}", shorten(key))),
        };
        if !is_new {
            return Err(format!("its header says '{key}' twice; {AGAIN}"));
        }
        if !at.take(",") && at.peek() != Some('}') {
            return Err(at.garbled());
        }
    }
    if !at.rest.trim_matches([' ', '\n', '\0']).is_empty() {
        return Err(at.garbled());
    }
    match (dtype, fortran, shape) {
        (Some(dtype), Some(fortran), Some(shape)) => Ok(Said { dtype, fortran, shape }),
        _ => Err(format!("its header lacks one of descr, fortran_order and shape; {AGAIN}")),
    }
}

pub(super) const AGAIN: &str = "save the array again with numpy.save";

struct Cursor<'t> {
    rest: &'t str,
}

impl<'t> Cursor<'t> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\t', '\r']);
    }

    fn peek(&mut self) -> Option<char> {
        self.skip();
        self.rest.chars().next()
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(self.garbled()) }
    }

    fn garbled(&self) -> String {
        format!("its header is garbled at '{}'; {AGAIN}", shorten(self.rest.trim()))
    }

    fn quoted(&mut self) -> Result<&'t str, String> {
        let quote = if self.take("'") { '\'' } else { self.expect("\"").map(|()| '"')? };
        let (text, rest) = self.rest.split_once(quote).ok_or_else(|| self.garbled())?;
        if text.contains('\\') {
            return Err(self.garbled());
        }
        self.rest = rest;
        Ok(text)
    }

    fn truth(&mut self) -> Result<bool, String> {
        if self.take("True") { Ok(true) } else { self.expect("False").map(|()| false) }
    }

    /// Whole numbers in parentheses; Python 2 wrote an L behind each.
    fn tuple(&mut self) -> Result<Vec<u64>, String> {
        self.expect("(")?;
        let mut numbers = Vec::new();
        while !self.take(")") {
            if numbers.len() == MOST_AXES {
                return Err(format!("it has more than {MOST_AXES} axes; save an array of two to four"));
            }
            self.skip();
            let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
            let number = self.rest[..digits].parse().map_err(|_| self.garbled())?;
            self.rest = &self.rest[digits..];
            self.take("L");
            numbers.push(number);
            if !self.take(",") && self.peek() != Some(')') {
                return Err(self.garbled());
            }
        }
        Ok(numbers)
    }
}
