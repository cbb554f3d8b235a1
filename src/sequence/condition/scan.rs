//! A look at a condition's text before the parser sees it: lengths, nesting and the
//! slips of people who write in other languages. The parser recurses once for every
//! level and aborts the process where the stack ends, so nothing deep may reach it.

use super::Problem;

/// Longest text of a condition, in bytes.
pub const MAX_TEXT: usize = 2_000;
/// Deepest nesting of brackets.
pub const MAX_NESTING: usize = 12;
/// Most operators, dots, commas and brackets; the parser's tree grows one level for
/// each of a chain.
pub const MAX_MARKS: usize = 200;

/// `return` is a name of ours and a word that CEL keeps for itself. It stands under
/// this name of the same length while it is parsed and evaluated.
pub(super) const RETURN: &str = "reTurn";

/// The text as the parser may have it; byte for byte as long as `text`.
///
/// # Errors
/// What keeps it from being parsed.
pub(super) fn scan(text: &str) -> Result<String, Vec<Problem>> {
    if text.len() > MAX_TEXT {
        return Err(vec![
            Problem::new(
                "E130",
                0..text.len(),
                format!(
                    "this condition is {} bytes long; {MAX_TEXT} are the most",
                    text.len()
                ),
            )
            .help("split the step in two, or ask for less"),
        ]);
    }
    if text.trim().is_empty() {
        return Err(vec![
            Problem::new("E130", 0..text.len(), "this condition is empty")
                .help("leave the key out where there is no condition"),
        ]);
    }
    let mut found = Vec::new();
    let mut out = text.to_owned();
    let bytes = text.as_bytes();
    let mut open: Vec<usize> = Vec::new();
    let (mut at, mut marks) = (0, 0usize);
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        match byte {
            b'\'' | b'"' => {
                at = end_of_string(bytes, at);
                if bytes.get(at - 1) != Some(&byte) || at - start < 2 {
                    found.push(
                        Problem::new("E130", start..at, "this text is not closed")
                            .help(format!("close it with {}", byte as char)),
                    );
                }
                continue;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                at = bytes[at..]
                    .iter()
                    .position(|b| !(b.is_ascii_alphanumeric() || *b == b'_'))
                    .map_or(bytes.len(), |length| at + length);
                let word = &text[start..at];
                let field = start > 0 && bytes[start - 1] == b'.';
                if matches!(bytes.get(at), Some(b'\'' | b'"')) {
                    found.push(
                        Problem::new("E130", start..at, "texts have no letters before them here")
                            .help("write the text in quotes alone"),
                    );
                } else if let (false, Some(sign)) = (field, sign_for(word)) {
                    found.push(
                        Problem::new("E130", start..at, format!("\"{word}\" is not a word here"))
                            .help(format!("write {sign} instead of {word}")),
                    );
                } else if word == "return" && !field {
                    out.replace_range(start..at, RETURN);
                }
                continue;
            }
            b'=' if bytes.get(at + 1) == Some(&b'=') => at += 1,
            b'!' | b'<' | b'>' if bytes.get(at + 1) == Some(&b'=') => at += 1,
            b'<' if bytes.get(at + 1) == Some(&b'>') => found.push(
                Problem::new("E130", at..at + 2, "\"<>\" is not an operator here")
                    .help("write != for \"is not\""),
            ),
            b'=' => found.push(
                Problem::new("E130", at..at + 1, "\"=\" is not an operator here")
                    .help("write == to compare"),
            ),
            b'&' | b'|' => {
                let twice = bytes.get(at + 1) == Some(&byte);
                if twice {
                    at += 1;
                } else {
                    let sign = byte as char;
                    found.push(
                        Problem::new(
                            "E130",
                            at..at + 1,
                            format!("\"{sign}\" is not an operator here"),
                        )
                        .help(format!("write {sign}{sign}")),
                    );
                }
            }
            b'(' | b'[' | b'{' => {
                open.push(at);
                if open.len() > MAX_NESTING {
                    found.push(
                        Problem::new(
                            "E130",
                            at..at + 1,
                            format!("brackets are nested more than {MAX_NESTING} deep"),
                        )
                        .help("leave out brackets that change nothing, or split the step in two"),
                    );
                    return Err(found);
                }
            }
            b')' | b']' | b'}' => {
                let opened = open.pop().map(|at| bytes[at]);
                if opened != Some(partner(byte)) {
                    let sign = byte as char;
                    found.push(match opened {
                        Some(other) => Problem::new(
                            "E130",
                            at..at + 1,
                            format!("\"{sign}\" closes what \"{}\" opened", other as char),
                        )
                        .help(format!("write {} here", partner(other) as char)),
                        None => {
                            Problem::new("E130", at..at + 1, format!("\"{sign}\" closes nothing"))
                                .help(format!(
                                    "take it out, or open with {} where it belongs",
                                    partner(byte) as char
                                ))
                        }
                    });
                    return Err(found);
                }
            }
            b' ' | b'\t' | b'\n' | b'\r' | b'0'..=b'9' => {
                at += 1;
                continue;
            }
            b'.' | b',' | b':' | b'?' | b'+' | b'-' | b'*' | b'/' | b'%' | b'!' | b'<' | b'>' => {}
            _ => {
                let length = text[at..].chars().next().map_or(1, char::len_utf8);
                found.push(
                    Problem::new(
                        "E130",
                        at..at + length,
                        format!(
                            "\"{}\" does not belong in a condition",
                            text[at..at + length].escape_debug()
                        ),
                    )
                    .help("texts stand in quotes, \"like this\""),
                );
                at += length;
                continue;
            }
        }
        at += 1;
        marks += 1;
        if marks > MAX_MARKS {
            found.push(
                Problem::new(
                    "E130",
                    0..text.len(),
                    format!("this condition has more than {MAX_MARKS} operators and brackets"),
                )
                .help("write `x in [\"a\", \"b\"]` for many comparisons, or split the step in two"),
            );
            return Err(found);
        }
    }
    // Brackets that a text which is not closed swallowed are no mistake of their own.
    if let (Some(at), true) = (open.pop(), found.is_empty()) {
        let sign = bytes[at];
        found.push(
            Problem::new(
                "E130",
                at..at + 1,
                format!("this \"{}\" is not closed", sign as char),
            )
            .help(format!("close it with {}", partner(sign) as char)),
        );
    }
    if found.is_empty() {
        Ok(out)
    } else {
        Err(found)
    }
}

/// The bracket that goes with one.
fn partner(bracket: u8) -> u8 {
    match bracket {
        b'(' => b')',
        b')' => b'(',
        b'[' => b']',
        b']' => b'[',
        b'{' => b'}',
        _ => b'{',
    }
}

/// The place after the quote that closes the string at `start`, or the text's end.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            _ if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn sign_for(word: &str) -> Option<&'static str> {
    Some(match word {
        "and" | "AND" => "&&",
        "or" | "OR" => "||",
        "not" | "NOT" => "!",
        "True" | "TRUE" => "true",
        "False" | "FALSE" => "false",
        "None" | "nil" | "NULL" => "null",
        _ => return None,
    })
}
