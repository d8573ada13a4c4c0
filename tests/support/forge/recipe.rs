//! Recipes: a few lines of text that describe a store.
//!
//! One thing a line: a word, what it is about, then options as `name=value`. Quotes hold spaces together; `\n`, `\t`,
//! `\\`, `\"` and `\u{1f600}` stand for what they do in Rust. What is indented belongs to the line above. `#` begins a
//! comment.
//!
//! ```text
//! # An inbox with one letter.
//! store "My mail"
//! folder Inbox role=inbox
//!   note subject="Hello" from="Ann <ann@example.com>" to="Bob <bob@example.com>" body="How are you?"
//!     attach report.txt size=2000
//! ```

use std::collections::BTreeMap;
use std::path::Path;

/// A description of a store.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// The lines that are not indented, with what belongs to them.
    pub lines: Vec<Line>,
}

/// A line of a recipe.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// What it is.
    pub word: String,
    /// What it is about.
    pub args: Vec<String>,
    /// Its options.
    pub options: BTreeMap<String, String>,
    /// What belongs to it.
    pub lines: Vec<Line>,
}

impl Recipe {
    /// The recipe in a file.
    pub fn read(path: &Path) -> Self {
        Self::parse(&std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    /// The recipe in this text.
    pub fn parse(text: &str) -> Self {
        let lines: Vec<(usize, Line)> = text
            .lines()
            .map(|line| (line.len() - line.trim_start().len(), tokens(line.trim())))
            .filter(|(_, tokens)| !tokens.is_empty())
            .map(|(indent, tokens)| (indent, Line::of(tokens)))
            .collect();
        let mut rest = lines.into_iter().peekable();
        Self { lines: children(&mut rest, 0) }
    }

    /// The first line of this word.
    pub fn line(&self, word: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.word == word)
    }
}

impl Line {
    fn of(tokens: Vec<(Option<String>, String)>) -> Self {
        let mut line = Self::default();
        for (name, value) in tokens {
            match name {
                Some(name) => {
                    line.options.insert(name, value);
                }
                None if line.word.is_empty() => line.word = value,
                None => line.args.push(value),
            }
        }
        line
    }

    /// An argument.
    pub fn arg(&self, index: usize) -> &str {
        self.args.get(index).unwrap_or_else(|| panic!("recipe: `{}` lacks an argument", self.word))
    }

    /// An option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// An option that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.option(name).map(parse_number)
    }

    /// The line with `{n}` put into its arguments and options, and into those of the lines below.
    pub fn numbered(&self, n: u64) -> Self {
        let put = |text: &String| text.replace("{n}", &n.to_string());
        Self {
            word: self.word.clone(),
            args: self.args.iter().map(put).collect(),
            options: self.options.iter().map(|(name, value)| (name.clone(), put(value))).collect(),
            lines: self.lines.iter().map(|line| line.numbered(n)).collect(),
        }
    }
}

/// A number, decimal or after `0x` hexadecimal; `k`, `m`, `g` multiply by powers of 1024.
pub fn parse_number(text: &str) -> u64 {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 10),
        Some(b'm') => (&text[..text.len() - 1], 20),
        Some(b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    number.unwrap_or_else(|_| panic!("recipe: {text} is no number")) << shift
}

fn children(rest: &mut std::iter::Peekable<std::vec::IntoIter<(usize, Line)>>, indent: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    while let Some((at, _)) = rest.peek() {
        let at = *at;
        if at < indent {
            break;
        }
        if at > indent {
            let below = children(rest, at);
            lines.last_mut().expect("recipe: the first line is indented").lines.extend(below);
            continue;
        }
        lines.extend(rest.next().map(|(_, line)| line));
    }
    lines
}

/// The words of a line, each with the name before its `=`.
fn tokens(line: &str) -> Vec<(Option<String>, String)> {
    let mut tokens = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(|char| char.is_whitespace()).is_some() {}
        if chars.peek().is_none_or(|char| *char == '#') {
            return tokens;
        }
        let (mut name, mut value, mut quoted) = (None, String::new(), false);
        while let Some(char) = chars.next_if(|char| quoted || !char.is_whitespace()) {
            match char {
                '"' => quoted = !quoted,
                '=' if !quoted && name.is_none() => name = Some(std::mem::take(&mut value)),
                '\\' => value.push(escaped(&mut chars)),
                char => value.push(char),
            }
        }
        tokens.push((name, value));
    }
}

fn escaped(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> char {
    match chars.next() {
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => {
            let hex: String = chars.by_ref().skip(1).take_while(|char| *char != '}').collect();
            u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32).unwrap_or_else(|| panic!("recipe: \\u{{{hex}}}"))
        }
        Some(other) => other,
        None => '\\',
    }
}
