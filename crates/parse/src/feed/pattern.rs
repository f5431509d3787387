//! Parser of STIX patterns (STIX 2.1, section 9, and its ANTLR grammar; 2.0 differs in nothing that
//! is read here). Recursive descent with bounded depth.
//!
//! ```text
//! [ipv4-addr:value = '203.0.113.7' OR domain-name:value IN ('a.example', 'b.example')]
//! ([file:name = 'a.exe'] FOLLOWEDBY [mutex:name = 'x']) WITHIN 300 SECONDS
//! ```
//!
//! Beyond the grammar it refuses what the standard's validator refuses: a qualifier given twice to
//! an observation in brackets (in parentheses it may be), base64 that is none, days and hours out of range.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::value::shown;

/// Deepest nesting of parentheses.
const DEEPEST: u32 = 64;

/// A pattern or a part of it, above observations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Observation {
    /// `[…]`
    One(Comparison),
    /// Any of them.
    Or(Vec<Observation>),
    /// All of them, each in a record of its own.
    And(Vec<Observation>),
    /// One after the other.
    FollowedBy(Vec<Observation>),
    /// With a qualifier.
    Qualified(Box<Observation>, Qualifier),
}

/// A qualifier of an observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Qualifier {
    /// `START t'…' STOP t'…'`, as written.
    StartStop(String, String),
    /// `WITHIN n SECONDS`
    Within,
    /// `REPEATS n TIMES`
    Repeats,
}

/// What is said within one observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Comparison {
    /// A comparison.
    Test(Test),
    /// Any of them.
    Or(Vec<Comparison>),
    /// All of them.
    And(Vec<Comparison>),
}

/// `path operator literals`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Test {
    /// Type of the object, such as `file`.
    pub(super) object: String,
    /// Steps of the path; an index is `[*]` or `[0]`.
    pub(super) path: Vec<String>,
    /// Whether `NOT` stands before the operator.
    pub(super) negated: bool,
    /// The operator.
    pub(super) operator: Operator,
    /// What the path is compared with; several for `IN`, none for `EXISTS`.
    pub(super) literals: Vec<Literal>,
}

/// An operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    /// `<`, `<=`, `>`, `>=`
    Order,
    In,
    Like,
    Matches,
    IsSubset,
    IsSuperset,
    Exists,
}

/// A literal; numbers, times, binary and hex as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Number(String),
    Bool(bool),
    Time(String),
    Binary(String),
    Hex(String),
}

/// Parses a pattern.
///
/// # Errors
/// What was expected and what stands there instead.
pub(super) fn parse(text: &str) -> Result<Observation, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let observation = parser.followed_by()?;
    match parser.peek() {
        None => Ok(observation),
        Some(token) => Err(format!("pattern goes on with {token} where its end was expected")),
    }
}

/// A token of the pattern language.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// An identifier or keyword.
    Word(String),
    Literal(Literal),
    /// A mark, such as `[` or `!=`.
    Mark(&'static str),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(word) => write!(f, "{:?}", shown(word)),
            Self::Mark(mark) => write!(f, "{mark:?}"),
            Self::Literal(_) => f.write_str("a literal"),
        }
    }
}

const MARKS: [&str; 18] =
    ["==", "!=", "<>", "<=", ">=", "=", "<", ">", "[", "]", "(", ")", ":", ".", ",", "*", "+", "-"];

/// Cuts a pattern into tokens.
fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = skip_blanks(rest)?;
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (token, after) = if first == '\'' {
            let (text, after) = quoted(rest)?;
            (Token::Literal(Literal::Text(text)), after)
        } else if let Some(typed) = typed_literal(first, rest) {
            typed?
        } else if first.is_ascii_digit() {
            let (number, after) = number(rest);
            (Token::Literal(Literal::Number(number.to_owned())), after)
        } else if first.is_ascii_alphabetic() || first == '_' {
            let (word, after) = split_while(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
            let token = match word {
                "true" => Token::Literal(Literal::Bool(true)),
                "false" => Token::Literal(Literal::Bool(false)),
                _ => Token::Word(word.to_owned()),
            };
            (token, after)
        } else {
            let mark = MARKS.iter().find(|mark| rest.starts_with(**mark));
            let mark = mark.ok_or_else(|| format!("pattern holds {first:?}, which begins nothing"))?;
            (Token::Mark(mark), rest.strip_prefix(mark).unwrap_or(""))
        };
        tokens.push(token);
        rest = after;
    }
}

fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    let length = text.find(|c| !keep(c)).unwrap_or(text.len());
    text.split_at_checked(length).unwrap_or((text, ""))
}

/// Skips white space and comments, `/* … */` and `// …`.
fn skip_blanks(text: &str) -> Result<&str, String> {
    let mut rest = text.trim_start();
    loop {
        if let Some(comment) = rest.strip_prefix("/*") {
            let (_, after) = comment.split_once("*/").ok_or("comment is not closed")?;
            rest = after.trim_start();
        } else if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after).trim_start();
        } else {
            return Ok(rest);
        }
    }
}

/// Digits, and a fraction.
fn number(text: &str) -> (&str, &str) {
    let (whole, after) = split_while(text, |c| c.is_ascii_digit());
    let fraction =
        after.strip_prefix('.').map_or(0, |part| split_while(part, |c| c.is_ascii_digit()).0.len());
    let length = whole.len() + if fraction > 0 { 1 + fraction } else { 0 };
    text.split_at_checked(length).unwrap_or((text, ""))
}

/// A text in single quotes, in which a backslash escapes a quote or a backslash, and the rest.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.chars();
    chars.next();
    loop {
        match chars.next() {
            Some('\'') => return Ok((value, chars.as_str())),
            Some('\\') => match chars.next() {
                Some(c @ ('\'' | '\\')) => value.push(c),
                _ => return Err("backslash in a text escapes neither a quote nor a backslash".to_owned()),
            },
            Some(c) => value.push(c),
            None => return Err("text is not closed".to_owned()),
        }
    }
}

type Typed<'a> = Result<(Token, &'a str), String>;

/// `t'…'`, `h'…'` and `b'…'`; `None` where none begins here.
fn typed_literal(first: char, rest: &str) -> Option<Typed<'_>> {
    let after = rest.strip_prefix(['t', 'h', 'b']).filter(|after| after.starts_with('\''))?;
    Some(quoted(after).and_then(|(text, after)| {
        let literal = match first {
            't' if is_time(&text) => Literal::Time(text),
            'h' if text.len() % 2 == 0 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Literal::Hex(text)
            }
            'b' if STANDARD.decode(&text).is_ok() => Literal::Binary(text),
            't' => return Err(format!("time {:?} is none, or has no \"Z\"", shown(&text))),
            'h' => return Err(format!("hex {:?} is none", shown(&text))),
            _ => return Err(format!("base64 {:?} is none", shown(&text))),
        };
        Ok((Token::Literal(literal), after))
    }))
}

/// Whether a text is `2024-01-15T12:30:45.1Z`, by the ranges of the grammar: it allows the 30th of
/// February and a 60th second.
fn is_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else { return false };
    let Some(time) = time.strip_suffix('Z') else { return false };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let ranges = |text: &str, mark: char, ranges: [(usize, u32, u32); 3]| {
        let parts: Vec<&str> = text.split(mark).collect();
        parts.len() == 3
            && parts.iter().zip(ranges).all(|(part, (width, low, high))| {
                let digits = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
                digits && part.parse::<u32>().is_ok_and(|value| (low..=high).contains(&value))
            })
    };
    ranges(date, '-', [(4, 0, 9999), (2, 1, 12), (2, 1, 31)])
        && ranges(time, ':', [(2, 0, 23), (2, 0, 59), (2, 0, 60)])
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

/// A parser over tokens.
struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is_mark(&self, mark: &str) -> bool {
        matches!(self.peek(), Some(Token::Mark(found)) if *found == mark)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(found)) if found == word)
    }

    fn take_mark(&mut self, mark: &str) -> bool {
        let is = self.is_mark(mark);
        self.at += usize::from(is);
        is
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        self.at += usize::from(is);
        is
    }

    fn wrong<T>(&self, expected: &str) -> Result<T, String> {
        match self.peek() {
            Some(token) => Err(format!("pattern has {token} where {expected} was expected")),
            None => Err(format!("pattern ends where {expected} was expected")),
        }
    }

    fn need_mark(&mut self, mark: &'static str) -> Result<(), String> {
        if self.take_mark(mark) { Ok(()) } else { self.wrong(&format!("{mark:?}")) }
    }

    fn need_word(&mut self, word: &str) -> Result<(), String> {
        if self.take_word(word) { Ok(()) } else { self.wrong(word) }
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(format!("pattern nests deeper than {DEEPEST}")) } else { Ok(()) }
    }

    /// One or more of what `part` reads, between `word`s.
    fn list<T>(&mut self, word: &str, part: fn(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        let mut parts = vec![part(self)?];
        while self.take_word(word) {
            parts.push(part(self)?);
        }
        Ok(parts)
    }

    fn followed_by(&mut self) -> Result<Observation, String> {
        Ok(one_or(self.list("FOLLOWEDBY", Self::observation_or)?, Observation::FollowedBy))
    }

    fn observation_or(&mut self) -> Result<Observation, String> {
        Ok(one_or(self.list("OR", Self::observation_and)?, Observation::Or))
    }

    fn observation_and(&mut self) -> Result<Observation, String> {
        Ok(one_or(self.list("AND", Self::observation)?, Observation::And))
    }

    fn observation(&mut self) -> Result<Observation, String> {
        self.deeper()?;
        let mut bare = false;
        let mut observation = if self.take_mark("(") {
            let inner = self.followed_by()?;
            self.need_mark(")")?;
            inner
        } else if self.take_mark("[") {
            let inner = self.comparison_or()?;
            self.need_mark("]")?;
            bare = true;
            Observation::One(inner)
        } else {
            return self.wrong("\"[\"");
        };
        self.depth -= 1;
        let mut seen = [false; 3];
        let mut count = 0u32;
        while let Some(qualifier) = self.qualifier()? {
            count += 1;
            if count > DEEPEST {
                return Err(format!("observation has more than {DEEPEST} qualifiers"));
            }
            let slot = match qualifier {
                Qualifier::StartStop(..) => 0,
                Qualifier::Within => 1,
                Qualifier::Repeats => 2,
            };
            if let Some(seen) = seen.get_mut(slot)
                && std::mem::replace(seen, true)
                && bare
            {
                return Err("qualifier stands twice after one observation".to_owned());
            }
            observation = Observation::Qualified(Box::new(observation), qualifier);
        }
        Ok(observation)
    }

    fn qualifier(&mut self) -> Result<Option<Qualifier>, String> {
        if self.take_word("START") {
            let start = self.time()?;
            self.need_word("STOP")?;
            return Ok(Some(Qualifier::StartStop(start, self.time()?)));
        }
        if self.take_word("WITHIN") {
            self.positive(true)?;
            self.need_word("SECONDS")?;
            return Ok(Some(Qualifier::Within));
        }
        if self.take_word("REPEATS") {
            self.positive(false)?;
            self.need_word("TIMES")?;
            return Ok(Some(Qualifier::Repeats));
        }
        Ok(None)
    }

    fn time(&mut self) -> Result<String, String> {
        match self.literal()? {
            Literal::Time(text) => Ok(text),
            _ => Err("START and STOP need times, t'…'".to_owned()),
        }
    }

    fn positive(&mut self, fraction: bool) -> Result<(), String> {
        match self.literal()? {
            Literal::Number(text) if !text.starts_with('-') && (fraction || !text.contains('.')) => Ok(()),
            _ => Err("qualifier needs a positive number".to_owned()),
        }
    }

    fn comparison_or(&mut self) -> Result<Comparison, String> {
        Ok(one_or(self.list("OR", Self::comparison_and)?, Comparison::Or))
    }

    fn comparison_and(&mut self) -> Result<Comparison, String> {
        Ok(one_or(self.list("AND", Self::comparison)?, Comparison::And))
    }

    fn comparison(&mut self) -> Result<Comparison, String> {
        if self.take_mark("(") {
            self.deeper()?;
            let inner = self.comparison_or()?;
            self.need_mark(")")?;
            self.depth -= 1;
            return Ok(inner);
        }
        if self.is_word("NOT") || self.is_word("EXISTS") {
            let negated = self.take_word("NOT");
            self.need_word("EXISTS")?;
            let (object, path) = self.object_path()?;
            let test = Test { object, path, negated, operator: Operator::Exists, literals: Vec::new() };
            return Ok(Comparison::Test(test));
        }
        let (object, path) = self.object_path()?;
        let negated = self.take_word("NOT");
        let operator = self.operator()?;
        let literals = match operator {
            Operator::In => self.set()?,
            Operator::Like | Operator::Matches | Operator::IsSubset | Operator::IsSuperset => {
                match self.literal()? {
                    text @ Literal::Text(_) => vec![text],
                    _ => return Err("operator needs a text".to_owned()),
                }
            }
            Operator::Order => match self.literal()? {
                Literal::Bool(_) => return Err("operator needs what has an order".to_owned()),
                literal => vec![literal],
            },
            _ => vec![self.literal()?],
        };
        Ok(Comparison::Test(Test { object, path, negated, operator, literals }))
    }

    fn operator(&mut self) -> Result<Operator, String> {
        let operator = match self.peek() {
            Some(Token::Mark("=" | "==")) => Operator::Equal,
            Some(Token::Mark("!=" | "<>")) => Operator::NotEqual,
            Some(Token::Mark("<" | "<=" | ">" | ">=")) => Operator::Order,
            Some(Token::Word(word)) => match word.as_str() {
                "IN" => Operator::In,
                "LIKE" => Operator::Like,
                "MATCHES" => Operator::Matches,
                "ISSUBSET" => Operator::IsSubset,
                "ISSUPERSET" => Operator::IsSuperset,
                _ => return self.wrong("an operator"),
            },
            _ => return self.wrong("an operator"),
        };
        self.at += 1;
        Ok(operator)
    }

    fn set(&mut self) -> Result<Vec<Literal>, String> {
        self.need_mark("(")?;
        let mut literals = Vec::new();
        if self.take_mark(")") {
            return Ok(literals);
        }
        loop {
            literals.push(self.literal()?);
            if self.take_mark(")") {
                return Ok(literals);
            }
            self.need_mark(",")?;
        }
    }

    fn literal(&mut self) -> Result<Literal, String> {
        let sign = match self.peek() {
            Some(Token::Mark("-")) => Some("-"),
            Some(Token::Mark("+")) => Some(""),
            _ => None,
        };
        self.at += usize::from(sign.is_some());
        match (self.peek(), sign) {
            (Some(Token::Literal(Literal::Number(number))), Some(sign)) => {
                let number = Literal::Number(format!("{sign}{number}"));
                self.at += 1;
                Ok(number)
            }
            (Some(Token::Literal(literal)), None) => {
                let literal = literal.clone();
                self.at += 1;
                Ok(literal)
            }
            _ => self.wrong("a literal"),
        }
    }

    /// `type:step.'step'[*]`
    fn object_path(&mut self) -> Result<(String, Vec<String>), String> {
        let object = match self.peek() {
            Some(Token::Word(word)) => word.clone(),
            _ => return self.wrong("an object path"),
        };
        self.at += 1;
        self.need_mark(":")?;
        let mut path = vec![self.step()?];
        loop {
            if self.take_mark(".") {
                path.push(self.step()?);
            } else if self.take_mark("[") {
                path.push(self.index()?);
                self.need_mark("]")?;
            } else {
                return Ok((object, path));
            }
        }
    }

    fn step(&mut self) -> Result<String, String> {
        let step = match self.peek() {
            Some(Token::Word(word)) if !word.contains('-') => word.clone(),
            Some(Token::Literal(Literal::Text(text))) => text.clone(),
            _ => return self.wrong("a property"),
        };
        self.at += 1;
        Ok(step)
    }

    fn index(&mut self) -> Result<String, String> {
        if self.take_mark("*") {
            return Ok("[*]".to_owned());
        }
        match self.literal()? {
            Literal::Number(number) if !number.contains('.') => Ok(format!("[{number}]")),
            _ => Err("index is neither a whole number nor \"*\"".to_owned()),
        }
    }
}

/// The one part there is, or all of them under `many`.
fn one_or<T>(mut parts: Vec<T>, many: fn(Vec<T>) -> T) -> T {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            many(parts)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_read() {
        let pattern = "[file:hashes.'SHA-256' = 'a\\'b' AND (x:y[*].z NOT IN (1, -2.5, true) OR EXISTS a:b)] WITHIN 5.0 SECONDS";
        let Ok(Observation::Qualified(inner, Qualifier::Within)) = parse(pattern) else {
            panic!("not qualified")
        };
        let Observation::One(Comparison::And(parts)) = *inner else { panic!("no AND") };
        let Some(Comparison::Test(first)) = parts.first() else { panic!("no test") };
        assert_eq!((first.object.as_str(), first.path.join("/")), ("file", "hashes/SHA-256".to_owned()));
        assert_eq!(first.literals, [Literal::Text("a'b".to_owned())]);
        let Some(Comparison::Or(either)) = parts.get(1) else { panic!("no OR") };
        let Some(Comparison::Test(set)) = either.first() else { panic!("no test") };
        assert!(set.negated && set.operator == Operator::In);
        let numbers = ["1", "-2.5"].map(|number| Literal::Number(number.to_owned()));
        assert_eq!(set.literals, [&numbers[..], &[Literal::Bool(true)]].concat());
    }

    #[test]
    fn faults_are_named() {
        for (pattern, why) in [
            ("", "pattern ends where \"[\" was expected"),
            ("[a:b = ]", "pattern has \"]\" where a literal was expected"),
            ("[a:b = 'x'", "pattern ends where \"]\" was expected"),
            ("[a:b = 'x]", "text is not closed"),
            ("[a:b ~ 'x']", "pattern holds '~', which begins nothing"),
            ("[a:b = 'x'] x", "pattern goes on with \"x\" where its end was expected"),
            ("[a:b = t'2024-13-01T00:00:00Z']", "time \"2024-13-01T00:00:00Z\" is none, or has no \"Z\""),
        ] {
            assert_eq!(parse(pattern), Err(why.to_owned()), "{pattern}");
        }
        let deep = format!("{}[a:b = 1]{}", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(parse(&deep), Err("pattern nests deeper than 64".to_owned()));
        let long = format!("([a:b = 1]){}", " WITHIN 1 SECONDS".repeat(100_000));
        assert_eq!(parse(&long), Err("observation has more than 64 qualifiers".to_owned()));
    }

    /// The cases of OASIS's own validator. Of 169, two disagree: `[file:hashes.'SHA-256' = 'f00']`,
    /// in both versions, is no fault of the pattern but of the digest, and is refused as `malformed`
    /// when the value is made canonical.
    #[test]
    fn the_standard_validator_agrees() {
        let roots = [
            std::env::var("COMITY_SHARED").unwrap_or_default(),
            concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").to_owned(),
            "/work/shared".to_owned(),
        ];
        let read =
            |root: &String| std::fs::read_to_string(format!("{root}/data/suites/stix-validator.jsonl")).ok();
        let Some(cases) = roots.iter().find_map(read) else { return println!("skipped: no shared data") };
        let mut disagreements = Vec::new();
        let mut seen = 0;
        for line in cases.lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let pattern = case["input"]["pattern"].as_str().unwrap();
            seen += 1;
            if Some(parse(pattern).is_ok()) != case["expected"]["valid"].as_bool() {
                disagreements.push(pattern.to_owned());
            }
        }
        assert_eq!((seen, disagreements), (169, vec!["[file:hashes.'SHA-256' = 'f00']".to_owned(); 2]));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(\\[|\\]|\\(|\\)|a:b|=|'x'|AND|OR|NOT|IN|t'|START|[0-9]|\\*| |\\.|,|é){0,40}") {
            let _ = parse(&text);
        }
    }
}
