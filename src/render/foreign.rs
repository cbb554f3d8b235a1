//! What authors bring along from other template languages (Handlebars.js, Mustache,
//! Liquid, Jinja, Go, merge tags of mail services) and from slipped braces: each is named
//! with what to write here. It only reads texts; it must never let one of them pass as
//! words, because a customer would read `{% if %}` in a mail.

use std::ops::Range;

/// Code of what belongs to another template language.
pub const FOREIGN: &str = "E213";
/// Code of tags that are not whole.
pub const TORN: &str = "E202";

/// Words that `{{…}}` of other languages begins with and what each is here.
const KEYWORDS: [(&str, &str); 19] = [
    ("if", "{{#if …}} … {{/if}}"),
    ("unless", "{{#unless …}} … {{/unless}}"),
    ("each", "{{#each …}} … {{/each}}"),
    ("with", "{{#with …}} … {{/with}}"),
    ("for", "{{#each list as |one|}} … {{/each}}"),
    ("foreach", "{{#each list as |one|}} … {{/each}}"),
    ("range", "{{#each list}} … {{/each}}"),
    ("end", "{{/if}}, {{/each}}, {{/unless}} or {{/with}}"),
    ("endif", "{{/if}}"),
    ("endfor", "{{/each}}"),
    ("elseif", "{{else if …}}"),
    ("elsif", "{{else if …}}"),
    ("elif", "{{else if …}}"),
    ("include", "{{> name}}"),
    ("partial", "{{> name}}"),
    ("template", "{{> name}}"),
    ("log", "nothing: mails keep no log; see `aftercare preview`"),
    ("yield", "{{{content}}} in a layout"),
    ("outlet", "{{{content}}} in a layout"),
];

/// Filters of Liquid and Jinja, and what does the same here.
const FILTERS: [(&str, &str); 14] = [
    ("default", "{{default NAME \"…\"}}"),
    ("d", "{{default NAME \"…\"}}"),
    ("date", "{{date NAME \"long\"}}"),
    ("date_format", "{{date NAME \"long\"}}"),
    ("strftime", "{{date NAME \"long\"}}"),
    ("money", "{{money NAME}}"),
    ("currency", "{{money NAME}}"),
    ("money_with_currency", "{{money NAME}}"),
    ("pluralize", "{{plural NAME one=\"…\" other=\"…\"}}"),
    ("size", "{{len NAME}}"),
    ("length", "{{len NAME}}"),
    ("t", "{{t \"key\"}}"),
    ("first", "(lookup NAME 0)"),
    ("escape", "{{NAME}}: values are escaped by themselves"),
];

/// What is wrong and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub message: String,
    pub help: Option<String>,
}

/// A refusal for a construct of another language.
pub fn refusal(message: impl Into<String>, help: impl Into<String>) -> Refusal {
    let help = help.into();
    Refusal {
        code: FOREIGN,
        message: message.into(),
        help: (!help.is_empty()).then_some(help),
    }
}

/// What is not ours in the inside of a tag (braces, `~` and outer space removed).
pub fn inside(inside: &str) -> Option<Refusal> {
    if inside == "." {
        return Some(refusal("{{.}} is not understood here", "write {{this}}"));
    }
    if inside.starts_with('=') {
        return Some(refusal(
            "other braces cannot be set",
            "tags always stand in {{ }}",
        ));
    }
    if inside.starts_with('$') {
        return Some(refusal(
            "names have no $ here",
            format!("write {{{{{}}}}}", inside.trim_start_matches('$')),
        ));
    }
    if inside.contains("@partial-block") {
        return Some(refusal(
            "@partial-block is not part of mails",
            "a layout prints the mail with {{{content}}}; a partial takes named values: {{> name key=\"…\"}}",
        ));
    }
    let bare = without_texts(inside);
    if let Some(found) = literal_path(&bare, inside) {
        return Some(found);
    }
    let block = inside.starts_with(['#', '^', '/', '>', '!']);
    let words: Vec<&str> = bare.split_whitespace().collect();
    let first = words.first().copied().unwrap_or_default();
    if !block {
        if let Some((_, here)) = KEYWORDS.iter().find(|(word, _)| *word == first) {
            return Some(refusal(
                format!("{{{{{first}}}}} is not understood here"),
                format!("write {here}"),
            ));
        }
        if let Some(found) = filter(&bare, inside) {
            return Some(found);
        }
        if bare.contains(" ? ") && bare.contains(" : ") {
            return Some(refusal(
                "mails have no `? :`",
                format!("write {{{{#if {first}}}}} … {{{{else}}}} … {{{{/if}}}}"),
            ));
        }
        for (at, word) in words.iter().enumerate().skip(1) {
            let outer = words.first().is_some_and(|head| !head.starts_with('('));
            if matches!(*word, "or" | "||" | "??") && outer && at == 1 {
                let rest = after_word(inside, word);
                return Some(refusal(
                    format!("`{word}` between two values is not understood here"),
                    format!("write {{{{default {first} {rest}}}}}"),
                ));
            }
            if matches!(*word, "and" | "&&") && outer && at == 1 {
                let rest = after_word(inside, word);
                return Some(refusal(
                    format!("`{word}` between two values is not understood here"),
                    format!("write {{{{#if (and {first} {rest})}}}} … {{{{/if}}}}"),
                ));
            }
        }
    }
    if let Some(rest) = inside.strip_prefix("#") {
        return section(rest.trim_start(), &bare);
    }
    None
}

/// `{{#order.items}}`, `{{#eq a b}}` and `{{#if a or b}}`.
fn section(rest: &str, bare: &str) -> Option<Refusal> {
    let end = rest
        .find(|c: char| c.is_whitespace() || c == '~')
        .unwrap_or(rest.len());
    let (name, after) = (&rest[..end], rest[end..].trim());
    if matches!(name, "if" | "unless")
        && let Some(text) = after
            .strip_prefix(['"', '\''])
            .and_then(|rest| rest.strip_suffix(['"', '\'']))
    {
        return Some(refusal(
            "words in quotes are always there, so this asks nothing",
            format!("names stand without quotes: {{{{#{name} {text}}}}}"),
        ));
    }
    if matches!(name, "if" | "unless") {
        let words: Vec<&str> = bare.trim_start_matches('#').split_whitespace().collect();
        let helper = match words.get(2).copied() {
            Some("or" | "||") => "or",
            Some("and" | "&&") => "and",
            Some("==" | "===" | "is") => "eq",
            Some("!=" | "!==" | "<>") => "ne",
            Some(">") => "gt",
            Some(">=") => "gte",
            Some("<") => "lt",
            Some("<=") => "lte",
            _ => {
                let negated = after
                    .strip_prefix('!')
                    .or_else(|| after.strip_prefix("not "));
                return negated.map(|value| {
                    refusal(
                        "a condition is a value or a helper in brackets",
                        format!("write {{{{#{name} (not {})}}}}", value.trim()),
                    )
                });
            }
        };
        let left = words.get(1).copied().unwrap_or_default();
        let right = after_word(after, words[2]);
        return Some(refusal(
            format!("`{}` between two values is not understood here", words[2]),
            format!("write {{{{#{name} ({helper} {left} {right})}}}}"),
        ));
    }
    if matches!(name, "each" | "with" | "") || name.starts_with(['>', '*']) {
        return None;
    }
    if super::functions::Function::named(name).is_some() && !after.is_empty() {
        return Some(refusal(
            format!("`{name}` is a helper, not a block"),
            format!("write {{{{#if ({name} {after})}}}} … {{{{/if}}}}"),
        ));
    }
    let is_path = name.contains(['.', '/'])
        || super::names_of_mails().any(|top| top == name)
        || name == "this";
    (is_path && after.is_empty()).then(|| {
        refusal(
            format!("{{{{#{name}}}}} is a section; here a block is called if, unless, each or with"),
            format!(
                "write {{{{#each {name}}}}} … {{{{/each}}}} for a list, {{{{#if {name}}}}} … {{{{/if}}}} for a choice, {{{{#with {name}}}}} … {{{{/with}}}} for its fields"
            ),
        )
    })
}

/// `{{[a b]}}`, `order.[first item]`, `items[0]`, `customer['name']`.
fn literal_path(bare: &str, inside: &str) -> Option<Refusal> {
    let at = bare.find('[')?;
    let list = bare[..at]
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '=' | '#'))
        .next()
        .unwrap_or_default()
        .trim_end_matches('.');
    let end = inside[at..].find(']').map_or(inside.len(), |end| at + end);
    let key = inside.get(at + 1..end).unwrap_or_default().trim();
    let key = key.trim_matches(['"', '\'']);
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let help = if key.bytes().all(|b| b.is_ascii_digit()) && !key.is_empty() {
        format!("write (lookup {list} {key})")
    } else if plain && list.is_empty() {
        format!("write {key}")
    } else if plain {
        format!("write {list}.{key}")
    } else {
        "names hold letters, digits and _ only, and fields follow after a dot: order.total".into()
    };
    Some(refusal("names in [ ] are not understood here", help))
}

/// `{{ x | filter: arg }}`.
fn filter(bare: &str, inside: &str) -> Option<Refusal> {
    let at = bare
        .find('|')
        .filter(|at| !bare[..*at].trim_end().ends_with(" as") && !bare[*at..].starts_with("||"))?;
    let value = inside[..at].trim();
    let name: String = inside[at + 1..]
        .trim_start()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    let here = FILTERS
        .iter()
        .find(|(filter, _)| *filter == name)
        .map(|(_, here)| here.replace("NAME", value));
    Some(refusal(
        format!("`| {name}` is a filter; here helpers stand before their value"),
        match here {
            Some(here) => format!("write {here}"),
            None => format!(
                "write {{{{helper {value}}}}}; helpers are {}",
                super::functions::Function::names()
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        },
    ))
}

fn after_word<'a>(text: &'a str, word: &str) -> &'a str {
    text.split_once(&format!(" {word} "))
        .map_or("", |(_, rest)| rest.trim())
}

/// A tag's inside with the insides of quotes blanked, byte for byte.
fn without_texts(inside: &str) -> String {
    let mut out = String::with_capacity(inside.len());
    let mut quote: Option<char> = None;
    for c in inside.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => {
                out.extend(std::iter::repeat_n('_', c.len_utf8()));
                continue;
            }
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None => {}
        }
        out.push(c);
    }
    out
}

/// Everything in a text between tags that was meant as a tag: other languages' tags, and
/// tags with a brace too few.
pub fn between(text: &str) -> Vec<(Range<usize>, Refusal)> {
    let mut found = Vec::new();
    if !text.contains(['{', '}', '%', '*', '<', '[', '｛']) {
        return found;
    }
    for (at, wide) in text.match_indices("｛｛") {
        found.push((
            at..at + wide.len(),
            Refusal {
                code: TORN,
                message: "these braces are full-width, and would be printed".into(),
                help: Some("switch the keyboard to half-width and write {{ … }}".into()),
            },
        ));
    }
    for (open, close) in [("{%", "%}"), ("<%", "%>"), ("*|", "|*")] {
        for (at, _) in text.match_indices(open) {
            let line = text[at..].lines().next().unwrap_or_default();
            let Some(end) = line.find(close) else {
                continue;
            };
            let words = line[open.len()..end].trim().trim_matches(['-', '=', '+']);
            found.push((at..at + end + close.len(), statement(words.trim(), open)));
        }
    }
    for (at, _) in text.match_indices('{') {
        let line = text[at..].lines().next().unwrap_or_default();
        if line.starts_with("{#") && !line.starts_with("{#if") && line.contains("#}") {
            let end = line.find("#}").map_or(line.len(), |end| end + 2);
            found.push((
                at..at + end,
                refusal("{# #} is no comment here", "write {{! … }}"),
            ));
            continue;
        }
        let Some(end) = line.find('}') else {
            continue;
        };
        let inner = &line[1..end];
        let dollar = text[..at].ends_with('$');
        let ends = line[end..]
            .bytes()
            .take_while(|b| *b == b'}')
            .count()
            .min(2);
        // One brace before and two behind are a slip whatever stands between.
        let half = ends == 2
            && !inner.trim().is_empty()
            && !inner.contains([':', ';', '{', '<'])
            && line.bytes().filter(|b| *b == b'{').count() == 1;
        if !meant_as_tag(inner) && !half {
            continue;
        }
        let from = at - usize::from(dollar);
        found.push((
            from..at + end + ends,
            Refusal {
                code: if dollar { FOREIGN } else { TORN },
                message: "this would be printed with its braces".into(),
                help: Some(format!(
                    "a tag has two on both sides: {{{{{}}}}}",
                    inner.trim()
                )),
            },
        ));
    }
    for (span, refusal) in super::leftover::merge_tags(text) {
        let apart =
            |(had, _): &(Range<usize>, Refusal)| had.end <= span.start || had.start >= span.end;
        if found.iter().all(apart) {
            found.push((span, refusal));
        }
    }
    for at in unopened(text) {
        if found
            .iter()
            .any(|(span, _)| span.end >= at && span.start <= at)
        {
            continue;
        }
        let end = at + text[at..].bytes().take_while(|b| *b == b'}').count();
        let start = meant_from(text, at);
        let words = text.get(start..at).unwrap_or_default().trim();
        found.push((
            start..end,
            Refusal {
                code: TORN,
                message: "this tag is not opened".into(),
                help: Some(if words.is_empty() {
                    "begin it with {{".into()
                } else {
                    format!("begin it with {{{{: {{{{{words}}}}}")
                }),
            },
        ));
    }
    found.sort_by_key(|(span, _)| (span.start, span.end));
    found
}

/// Where `}}` stands that closes nothing: neither a rule in a rule of a style sheet nor
/// an object in an object.
fn unopened(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at, mut found) = (0_usize, 0, Vec::new());
    while at < bytes.len() {
        match bytes[at] {
            b'{' => depth += 1,
            b'}' if bytes.get(at + 1) == Some(&b'}')
                && (depth == 0 || ends_in_name(&text[..at])) =>
            {
                found.push(at);
                while bytes.get(at + 1) == Some(&b'}') {
                    at += 1;
                }
            }
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether a name of mails, such as `mail.start`, stands at the end: in a style sheet,
/// nothing with a dot between letters ends a rule.
fn ends_in_name(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let first = text.trim_end_matches(is_word);
    let before = first.strip_suffix('.').unwrap_or_default();
    first.len() < text.len() && before.ends_with(|c: char| c.is_ascii_lowercase())
}

/// Where the words begin that were meant as the inside of a tag that ends at `end`: at a
/// block's mark, a partial's or a helper's name on the same line, else at the last word.
fn meant_from(text: &str, end: usize) -> usize {
    let line = text[..end].rfind('\n').map_or(0, |at| at + 1);
    let words = &text[line..end];
    let mut last = None;
    for (at, _) in words.char_indices() {
        let starts = words[..at]
            .chars()
            .next_back()
            .is_none_or(|c| c.is_whitespace() || matches!(c, '"' | '\'' | '>' | '(' | '[' | '.'));
        let rest = &words[at..];
        if !starts || rest.starts_with(char::is_whitespace) {
            continue;
        }
        let first = rest
            .split(|c: char| c.is_whitespace())
            .next()
            .unwrap_or_default();
        let opens = first == "else"
            || rest.starts_with("> ")
            || first.starts_with(['#', '/']) && meant_as_tag(rest)
            || super::functions::Function::named(first).is_some();
        if opens {
            return line + at;
        }
        if !words[..at].ends_with('.') {
            last = Some(line + at);
        }
    }
    last.unwrap_or(end)
}

/// Whether what stands in single braces was meant as a tag: a name that mails know, or a
/// block.
fn meant_as_tag(inner: &str) -> bool {
    let inner = inner.trim().trim_start_matches("~");
    if inner.contains([':', ';', '{', '<', '\n']) {
        return false;
    }
    let (mark, rest) = match inner.chars().next() {
        Some(mark @ ('#' | '/' | '^' | '>')) => (Some(mark), inner[1..].trim_start()),
        _ => (None, inner),
    };
    let first = rest
        .split(|c: char| c.is_whitespace())
        .next()
        .unwrap_or_default();
    let word = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    match mark {
        Some('#' | '/' | '^') => matches!(first, "if" | "unless" | "each" | "with"),
        Some(_) => word(first),
        None => {
            let top = first.split('.').next().unwrap_or_default();
            let path = first.contains('.')
                && first.split('.').all(word)
                && super::names_of_mails().chain(["this"]).any(|name| {
                    strsim::damerau_levenshtein(name, top) <= usize::from(top.len() > 4)
                });
            let helper = super::functions::Function::named(first).is_some()
                && rest.len() > first.len()
                && (rest.contains('"') || rest.contains('.'));
            path || helper || (rest == "else" || rest.starts_with("else if "))
        }
    }
}

/// What a statement of Liquid, Jinja, ERB or a merge tag is here.
fn statement(words: &str, open: &str) -> Refusal {
    let (head, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
    let rest = rest.trim();
    let message = match open {
        "*|" => format!("*|{words}|* is a merge tag of another service"),
        _ => format!("{open} … belongs to another template language"),
    };
    let help = match (open, head) {
        ("*|", _) if words.starts_with("FNAME") => {
            "write {{default customer.first_name \"…\"}}".to_owned()
        }
        ("*|", _) if words.starts_with("LNAME") => {
            "write {{default customer.last_name \"…\"}}".to_owned()
        }
        ("*|", _) if words.starts_with("EMAIL") => "write {{customer.email}}".to_owned(),
        ("*|", _) if words.starts_with("UNSUB") => "write {{links.unsubscribe}}".to_owned(),
        ("*|", _) => "write {{name}}; the names are listed in docs/mails.md".to_owned(),
        (_, "if") => format!("write {{{{#if {rest}}}}} … {{{{/if}}}}"),
        (_, "unless") => format!("write {{{{#unless {rest}}}}} … {{{{/unless}}}}"),
        (_, "else") => "write {{else}}".to_owned(),
        (_, "elsif" | "elif" | "elseif") => format!("write {{{{else if {rest}}}}}"),
        (_, "endif") => "write {{/if}}".to_owned(),
        (_, "endunless") => "write {{/unless}}".to_owned(),
        (_, "endfor") => "write {{/each}}".to_owned(),
        (_, "end") => "write {{/if}} or {{/each}}".to_owned(),
        (_, "for") => match rest.split_once(" in ") {
            Some((one, list)) => format!(
                "write {{{{#each {} as |{}|}}}} … {{{{/each}}}}",
                list.trim(),
                one.trim()
            ),
            None => "write {{#each list as |one|}} … {{/each}}".to_owned(),
        },
        (_, "include" | "render" | "import" | "extends" | "block") => {
            let name = rest.split(['"', '\'']).nth(1).unwrap_or("name");
            format!("write {{{{> {name}}}}}")
        }
        (_, "comment" | "endcomment") => "write {{! … }}".to_owned(),
        (_, "assign" | "set" | "capture") => {
            "mails have no variables; {{#with …}} names a value for a while".to_owned()
        }
        ("<%", _) => format!("write {{{{{words}}}}}"),
        _ => "tags are {{name}}, {{helper value}} and {{#if value}} … {{/if}}".to_owned(),
    };
    refusal(message, help)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn tags_of_other_languages_are_named_with_their_rewrite() {
        for (tag, help) in [
            (".", "{{this}}"),
            ("[first name]", "letters, digits"),
            ("order.items[0]", "(lookup order.items 0)"),
            ("customer['first_name']", "customer.first_name"),
            ("order.[total]", "order.total"),
            ("item.title | upcase", "helpers are date"),
            (
                "order.placed_at | date: \"%Y\"",
                "{{date order.placed_at \"long\"}}",
            ),
            (
                "customer.first_name or \"friend\"",
                "{{default customer.first_name \"friend\"}}",
            ),
            ("order.paid ? \"a\" : \"b\"", "{{#if order.paid}}"),
            ("if order.paid", "{{#if …}}"),
            ("endif", "{{/if}}"),
            ("elsif order.paid", "{{else if …}}"),
            ("log order", "no log"),
            ("#order.items", "{{#each order.items}}"),
            ("#customer", "{{#with customer}}"),
            (
                "#eq order.channel \"web\"",
                "{{#if (eq order.channel \"web\")}}",
            ),
            (
                "#if order.paid or order.gift",
                "{{#if (or order.paid order.gift)}}",
            ),
            (
                "#if order.channel == \"web\"",
                "{{#if (eq order.channel \"web\")}}",
            ),
            ("#if !order.paid", "{{#if (not order.paid)}}"),
            ("$item.title", "{{item.title}}"),
            ("> @partial-block", "{{{content}}}"),
        ] {
            let found = inside(tag).unwrap_or_else(|| panic!("{tag} passes"));
            assert!(found.help.unwrap().contains(help), "{tag}");
        }
        for fine in [
            "item.title",
            "default customer.first_name \"or | [x] ? a : b\"",
            "#each order.items as |line|",
            "#if (or order.paid order.gift)",
            "or order.paid order.gift",
            "> greeting fallback=\"Hi\"",
            "else if order.paid",
            "#with (complement \"x\")",
        ] {
            assert_eq!(inside(fine), None, "{fine}");
        }
    }

    #[test]
    fn words_that_were_meant_as_tags_are_found_and_style_sheets_are_not() {
        for (text, words, help) in [
            (
                "a {% if order.paid %} b",
                "{% if order.paid %}",
                "{{#if order.paid}}",
            ),
            (
                "{%- for i in order.items -%}",
                "{%- for i in order.items -%}",
                "as |i|",
            ),
            ("Hi *|FNAME|*!", "*|FNAME|*", "customer.first_name"),
            ("<%= item.title %>", "<%= item.title %>", "{{item.title}}"),
            ("a {item.title} b", "{item.title}", "{{item.title}}"),
            ("a {item.title}} b", "{item.title}}", "{{item.title}}"),
            ("a item.title}} b", "item.title}}", "{{item.title}}"),
            ("x ${item.title}", "${item.title}", "{{item.title}}"),
            ("x {/if} y", "{/if}", "{{/if}}"),
            (
                "x {#if order.paid} y",
                "{#if order.paid}",
                "{{#if order.paid}}",
            ),
            ("x {> greeting} y", "{> greeting}", "{{> greeting}}"),
            ("x {else} y", "{else}", "{{else}}"),
            ("{# a note #}", "{# a note #}", "{{! … }}"),
            ("say {word}} x", "{word}}", "{{word}}"),
            ("a > signature}}", "> signature}}", "{{> signature}}"),
            (
                "<p lang=\"mail.locale}}\">",
                "mail.locale}}",
                "{{mail.locale}}",
            ),
            (
                "on date order.placed_at \"long\"}}.",
                "date order.placed_at \"long\"}}",
                "{{date order",
            ),
            (
                "x #if (eq a.b \"c\")}}",
                "#if (eq a.b \"c\")}}",
                "{{#if (eq",
            ),
            (
                "[x]({this.product_url})",
                "{this.product_url}",
                "{{this.product_url}}",
            ),
        ] {
            let found = between(text);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert_eq!(&text[found[0].0.clone()], words);
            assert!(found[0].1.help.as_deref().unwrap().contains(help), "{text}");
        }
        for fine in [
            "@media x { .a { color: red } }",
            "@media x{.a{color:red}}.b{top:0}",
            "a{b:c;}} ",
            "100% of {n} parcels, {key} and }",
            "{\"a\":{\"b\":1}}",
            "5 % {off} %}",
        ] {
            assert_eq!(between(fine), [], "{fine}");
        }
    }
}
