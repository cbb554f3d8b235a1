//! The shipped shop with one slip in it, over and over: keys renamed, types swapped, quotes
//! and brackets dropped, anchors moved, names misspelt. Each slip must be found, in its
//! file and on its line, in few words, and nothing may panic.
//!
//! A sample is tried by default; `AFTERCARE_MUTATIONS=all` tries every one.

use aftercare::engine::reload;
use aftercare::files;
use aftercare::model::diagnostic::{Diagnostic, Severity, position};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most problems that one slip may look like.
const FEW: usize = 3;
/// Failures of one sort that are shown.
const SHOWN: usize = 6;

type Files = Vec<(String, String)>;

/// One slip.
struct Slip {
    /// What sort it is.
    sort: &'static str,
    /// Bytes of the file that it replaces.
    at: Range<usize>,
    with: String,
    /// Whether it may pass without a problem.
    harmless: bool,
    /// Whether a problem elsewhere in the file, or in another one, is right: what is gone
    /// has no place.
    anywhere: bool,
}

fn slip(sort: &'static str, at: Range<usize>, with: impl Into<String>) -> Slip {
    Slip {
        sort,
        at,
        with: with.into(),
        harmless: false,
        anywhere: false,
    }
}

impl Slip {
    fn harmless(mut self, harmless: bool) -> Self {
        self.harmless = harmless;
        self
    }

    fn anywhere(mut self, anywhere: bool) -> Self {
        self.anywhere = anywhere;
        self
    }
}

/// A word with two letters in the wrong order.
fn misspelt(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let middle = letters.len() / 2;
    for at in (1..letters.len().saturating_sub(1)).rev().chain([0]) {
        let at = if at >= middle { at } else { at.max(1) };
        if at + 1 < letters.len() && letters[at] != letters[at + 1] {
            letters.swap(at, at + 1);
            return letters.into_iter().collect();
        }
    }
    format!("{word}x")
}

/// Words of letters, digits and `_`, that begin with a letter, outside of quotes.
fn words(text: &str, quotes: &[char]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut quote = None;
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let inside = quote.is_none() && (c.is_ascii_alphanumeric() || c == '_');
        match (start, inside) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                let is_number = text[from..].starts_with(|c: char| c.is_ascii_digit());
                if !is_number {
                    found.push(from..at);
                }
                start = None;
            }
            _ => {}
        }
        match quote {
            Some(open) if open == c => quote = None,
            None if quotes.contains(&c) => quote = Some(c),
            _ => {}
        }
    }
    found
}

/// The end of a line's value: before its comment.
fn end_of_value(line: &str) -> usize {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match quote {
            Some(open) if open == c => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == '#' => return line[..at].trim_end().len(),
            _ => {}
        }
    }
    line.trim_end().len()
}

/// Texts in quotes, quotes included.
fn quoted(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open: Option<(usize, char)> = None;
    for (at, c) in text.char_indices() {
        match open {
            Some((from, quote)) if quote == c => {
                found.push(from..at + 1);
                open = None;
            }
            None if c == '"' || c == '\'' => open = Some((at, c)),
            _ => {}
        }
    }
    found
}

const CONDITIONS: [&str; 4] = ["when", "unless", "where", "while"];
/// Keys that a table must have.
const NEEDED: [&str; 20] = [
    "format", "id", "kind", "title", "from", "on", "of", "mail", "while", "match", "name", "url",
    "address", "zone", "locales", "open", "close", "email", "to", "subject",
];
/// Keys whose texts are free, or come from elsewhere: a slip in them is still a text.
const FREE: [&str; 10] = [
    "title",
    "name",
    "address",
    "id",
    "tags",
    "skus",
    "products",
    "subject",
    "preheader",
    "email",
];

/// Slips in lines of TOML between two bytes of a file.
fn of_toml(text: &str, part: Range<usize>, found: &mut Vec<Slip>) {
    let mut table = String::new();
    let mut start = part.start;
    for line in text[part].split_inclusive('\n') {
        let at = start;
        start += line.len();
        let end = end_of_value(line);
        let body = &line[..end];
        if body.trim_start().starts_with('[') {
            table = body.trim_matches(['[', ']']).to_owned();
            let name = table.split('.').next().unwrap_or_default().to_owned();
            let from = at + body.find(&name).unwrap();
            // A family may be called anything.
            found.push(
                slip("table renamed", from..from + name.len(), misspelt(&name)).anywhere(true),
            );
            found.push(slip("table bracket dropped", at..at + 1, ""));
            found.push(slip("table bracket dropped", at + end - 1..at + end, ""));
            continue;
        }
        let Some(equals) = body.find('=').filter(|_| !body.is_empty()) else {
            continue;
        };
        let key = body[..equals].trim_end();
        let needed =
            NEEDED.contains(&key) && key != "address" || key == "after" && table.contains("assume");
        let is_free_key = table == "consent";
        found.push(slip("key renamed", at..at + key.len(), misspelt(key)).anywhere(is_free_key));
        let value_at =
            equals + 1 + (body.len() - equals - 1 - body[equals + 1..].trim_start().len());
        let value = &body[value_at..];
        let place = at + value_at..at + end;
        let other = if value.starts_with(|c: char| c.is_ascii_digit())
            || value == "true"
            || value == "false"
        {
            "\"seven\""
        } else {
            "7"
        };
        found.push(slip("type swapped", place.clone(), other));
        let optional = !needed;
        found.push(
            slip("key dropped", at..at + line.len(), "")
                .harmless(optional)
                .anywhere(true),
        );
        found.push(slip("key twice", at..at, format!("{body}\n")));
        let inside = |range: Range<usize>| place.start + range.start..place.start + range.end;
        for text in quoted(value) {
            found.push(slip(
                "quote dropped",
                inside(text.start..text.start + 1),
                "",
            ));
            found.push(slip("quote dropped", inside(text.end - 1..text.end), ""));
        }
        for (offset, c) in value.char_indices() {
            let in_text = quoted(value).iter().any(|text| text.contains(&offset));
            let is_code = CONDITIONS.contains(&key) || !in_text;
            if "[]{}()".contains(c) && is_code {
                found.push(slip("bracket dropped", inside(offset..offset + 1), ""));
            }
        }
        if CONDITIONS.contains(&key) {
            let code = &value[1..value.len() - 1];
            let shift = |range: Range<usize>| inside(range.start + 1..range.end + 1);
            for word in words(code, &['"']) {
                let name = &code[word.clone()];
                if !["null", "in", "true", "false"].contains(&name) {
                    found.push(slip(
                        "name misspelt in condition",
                        shift(word),
                        misspelt(name),
                    ));
                }
            }
            for text in quoted(code) {
                let name = &code[text.start + 1..text.end - 1];
                // Only the names of products and steps are known to the files; what events
                // carry is compared with texts that anything could be.
                let compared = !code[..text.start].ends_with('(');
                let place = shift(text.start + 1..text.end - 1);
                found.push(
                    slip("text misspelt in condition", place, misspelt(name)).harmless(compared),
                );
            }
            for operator in ["&&", "||", "==", "!=", " in "] {
                for (offset, _) in code.match_indices(operator) {
                    found.push(slip(
                        "operator dropped",
                        shift(offset..offset + operator.len()),
                        " ",
                    ));
                }
            }
        } else if !FREE.contains(&key) {
            for text in quoted(value) {
                let inner = text.start + 1..text.end - 1;
                for word in words(&value[inner.clone()], &[]) {
                    let word = inner.start + word.start..inner.start + word.end;
                    let name = &value[word.clone()];
                    // Units of one letter, and hosts that could be anybody's.
                    if name.len() < 3 || ["url", "feed", "test_recipients", "zone"].contains(&key) {
                        continue;
                    }
                    found.push(slip("word misspelt", inside(word.clone()), misspelt(name)));
                }
            }
        }
        if key == "after" && value.contains('+') {
            let later = text[at..]
                .lines()
                .filter_map(|line| line.strip_prefix("id "))
                .next();
            if let Some(later) = later {
                let id = later.trim_matches([' ', '=', '"']);
                let plus = value.find('+').unwrap();
                found.push(slip("anchor moved", inside(1..plus), format!("{id} ")));
            }
            found.push(slip(
                "length broken",
                inside(value.len() - 2..value.len() - 1),
                "months",
            ));
        }
    }
}

/// Slips in the tags of a template from a byte on.
fn of_tags(text: &str, from: usize, found: &mut Vec<Slip>) {
    let mut at = from;
    while let Some(hit) = text[at..].find("{{") {
        let start = at + hit;
        let Some(length) = text[start..].find("}}") else {
            break;
        };
        let mut end = start + length + 2;
        while text[end..].starts_with('}') {
            end += 1;
        }
        at = end;
        let tag = &text[start..end];
        if tag.starts_with("{{!") {
            if let Some(end) = text[start..]
                .find("--}}")
                .filter(|_| tag.starts_with("{{!--"))
            {
                at = start + end + 4;
            }
            continue;
        }
        let raw = tag.starts_with("{{{");
        found.push(slip("brace dropped", start..start + 1, "").harmless(false));
        found.push(slip("brace dropped", end - 1..end, ""));
        if tag.starts_with("{{#") || tag.starts_with("{{/") {
            found.push(slip("block tag dropped", start..end, "").anywhere(true));
        }
        let inner = tag.trim_matches(['{', '}', '#', '/', '>', ' ', '~']);
        let shift = start + tag.find(inner).unwrap();
        for word in words(inner, &['"', '\'']) {
            let name = &inner[word.clone()];
            if ["this", "else", "as"].contains(&name) && word.start > 0 {
                continue;
            }
            // `{{{content}}}` and strings are told where they are missed.
            let place = shift + word.start..shift + word.end;
            let sort = if tag.contains("#if") || tag.contains("#unless") {
                "name misspelt in #if"
            } else if tag.starts_with("{{>") {
                "partial misspelt"
            } else {
                "name misspelt in tag"
            };
            found.push(slip(sort, place, misspelt(name)).anywhere(raw));
        }
        for word in quoted(inner) {
            found.push(slip(
                "quote dropped in tag",
                shift + word.start..shift + word.start + 1,
                "",
            ));
            found.push(slip(
                "quote dropped in tag",
                shift + word.end - 1..shift + word.end,
                "",
            ));
            if inner.starts_with("t ") {
                let key = &inner[word.start + 1..word.end - 1];
                found.push(slip(
                    "string misspelt",
                    shift + word.start + 1..shift + word.end - 1,
                    misspelt(key),
                ));
            }
        }
        for (offset, c) in inner.char_indices().filter(|(_, c)| "()".contains(*c)) {
            let in_text = quoted(inner).iter().any(|text| text.contains(&offset));
            if !in_text {
                found.push(slip(
                    "bracket dropped in tag",
                    shift + offset..shift + offset + c.len_utf8(),
                    "",
                ));
            }
        }
    }
}

/// Slips in MJML elements.
fn of_mjml(text: &str, found: &mut Vec<Slip>) {
    for (start, _) in text.match_indices('<') {
        let Some(length) = text[start..].find('>') else {
            continue;
        };
        let element = &text[start..start + length + 1];
        let name = element.trim_start_matches(['<', '/']);
        if !name.starts_with("mj") {
            continue;
        }
        let closing = element.starts_with("</");
        let end = name
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .unwrap();
        let from = start + element.len() - name.len();
        found.push(
            slip("element misspelt", from..from + end, misspelt(&name[..end])).anywhere(closing),
        );
        found.push(slip("angle dropped", start..start + 1, "").anywhere(true));
        found.push(slip("angle dropped", start + length..start + length + 1, "").anywhere(true));
        if closing {
            found.push(slip("element not closed", start..start + length + 1, "").anywhere(true));
        }
        for word in quoted(element) {
            found.push(
                slip(
                    "quote dropped in element",
                    start + word.start..start + word.start + 1,
                    "",
                )
                .anywhere(true),
            );
        }
        let mut rest = &name[end..];
        while let Some((before, after)) = rest.split_once("=\"") {
            let key = before.trim();
            let at = from + name.len() - rest.len() + before.find(key).unwrap();
            if !key.is_empty() {
                found.push(slip(
                    "attribute misspelt",
                    at..at + key.len(),
                    misspelt(key),
                ));
            }
            rest = after.split_once('"').map_or("", |(_, rest)| rest);
        }
    }
}

/// The files of a slip's surroundings, and what they are laid over.
type Surroundings = (Files, Vec<(String, String)>);

/// Slips in the words of a language.
fn of_words(text: &str, found: &mut Vec<Slip>) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let Some(equals) = line.find(" = ").filter(|_| !line.starts_with(['#', ' '])) else {
            continue;
        };
        found
            .push(slip("words renamed", at..at + equals, misspelt(&line[..equals])).anywhere(true));
        found.push(slip("equals dropped", at + equals + 1..at + equals + 2, "").anywhere(true));
        for (offset, c) in line.char_indices().filter(|(_, c)| "{}".contains(*c)) {
            let brace = at + offset..at + offset + c.len_utf8();
            found.push(slip("brace dropped in words", brace, "").anywhere(true));
        }
    }
}

/// Slips in the feed.
fn of_json(text: &str, found: &mut Vec<Slip>) {
    for (at, c) in text.char_indices().filter(|(_, c)| "[]{}:".contains(*c)) {
        let in_text = text[..at]
            .lines()
            .last()
            .unwrap_or_default()
            .matches('"')
            .count()
            % 2
            == 1;
        if !in_text {
            found.push(slip("bracket dropped in feed", at..at + c.len_utf8(), "").anywhere(true));
        }
    }
    for key in ["product_id", "title", "titles", "tags", "prices"] {
        let full = format!("\"{key}\"");
        for (at, _) in text.match_indices(&full) {
            found.push(
                slip(
                    "feed key renamed",
                    at + 1..at + 1 + key.len(),
                    misspelt(key),
                )
                .anywhere(true),
            );
        }
    }
}

fn slips(path: &str, text: &str) -> Vec<Slip> {
    let mut found = Vec::new();
    if path.starts_with("templates/strings/") {
        of_words(text, &mut found);
    } else if path.ends_with(".toml") {
        of_toml(text, 0..text.len(), &mut found);
    } else if path.ends_with(".json") {
        of_json(text, &mut found);
    } else if path.ends_with(".md") {
        let body = text[3..].find("+++").unwrap() + 3 + 4;
        of_toml(text, 4..body - 4, &mut found);
        of_tags(text, 0, &mut found);
        found.push(slip("fence dropped", 0..4, ""));
        found.push(slip("fence dropped", body - 4..body, "").anywhere(true));
    } else {
        of_tags(text, 0, &mut found);
        if path.starts_with("templates/partials/") {
            // A value that a partial is given has two names: the mail's may be the slip.
            let alone = |slip: &Slip| text[..slip.at.start].ends_with("{{");
            for slip in found.iter_mut().filter(|slip| alone(slip)) {
                slip.anywhere = true;
            }
        }
        if path.ends_with(".mjml") {
            of_mjml(text, &mut found);
        }
    }
    found.retain(|slip| text[slip.at.clone()] != slip.with);
    found
}

/// The files that matter to a change of `path`: a mail needs its sequence, and of the other
/// mails only that they are there.
fn around(path: &str, all: &Files) -> Files {
    let small = super::codes::base();
    let text_of = |wanted: &str, files: &Files| {
        files
            .iter()
            .find(|(path, _)| path == wanted)
            .map(|(_, text)| text.clone())
            .unwrap()
    };
    // What the law of some countries asks of every layout.
    let plain = text_of("templates/layouts/default.mjml", &small).replace(
        "{{shop.address}}",
        "{{shop.address}} {{sender.email}} <a href=\"{{links.preferences}}\">preferences</a>",
    );
    let orders = plain.replace(
        "<mj-text><a href=\"{{links.unsubscribe}}\">{{t \"stop\"}}</a></mj-text>",
        "",
    );
    let partial = path
        .strip_prefix("templates/partials/")
        .and_then(|name| name.strip_suffix(".hbs"));
    let user = partial.and_then(|name| {
        let (name, locale) = name.rsplit_once('.').unwrap();
        let mail = all.iter().find(|(path, text)| {
            path.ends_with(&format!(".{locale}.md")) && text.contains(&format!("{{{{> {name}"))
        });
        mail.map(|(path, _)| path.clone())
    });
    let kept = sequences_for(user.as_deref().unwrap_or(path), all);
    let mut files = Files::new();
    for (other, text) in all {
        let is_mail = other.starts_with("templates/mail/");
        let is_sequence = other.starts_with("config/sequences/");
        if is_sequence && !kept.contains(other) {
            continue;
        }
        let text = if other == path
            || Some(other) == user.as_ref()
            || !(is_mail || other.ends_with(".mjml"))
        {
            text.clone()
        } else if is_mail && other.ends_with(".en.md") {
            format!("+++\nsubject = \"Hello\"\npreheader = \"{other}\"\n+++\nHello.\n")
        } else if other.ends_with("fulfilment.mjml") {
            orders.clone()
        } else if other.ends_with(".mjml") {
            plain.clone()
        } else {
            continue;
        };
        // The small layout's one string.
        let text = if other.starts_with("templates/strings/") && other != path {
            format!("{text}stop = \"Stop\"\n")
        } else {
            text
        };
        if path.starts_with("templates/partials/")
            || path.starts_with("templates/mail/")
            || !other.starts_with("templates/partials/")
        {
            files.push((other.clone(), text));
        }
    }
    if path.starts_with("templates/strings/") {
        for (_, text) in files
            .iter_mut()
            .filter(|(other, _)| other.ends_with(".mjml"))
        {
            *text = text.replace("{{t \"stop\"}}", "stop");
        }
    }
    files
}

/// The sequences that a change of a file concerns: all for those of `config/`; for a mail
/// those that send it, and those that they name.
fn sequences_for(path: &str, all: &Files) -> Vec<String> {
    let sequences = || {
        all.iter()
            .filter(|(path, _)| path.starts_with("config/sequences/"))
    };
    let mail = path
        .strip_prefix("templates/mail/")
        .map(|name| format!("\"{}\"", name.split('.').next().unwrap()));
    let mut kept: Vec<&(String, String)> = sequences()
        .filter(|(other, text)| match &mail {
            Some(mail) => text.contains(mail),
            None if path.starts_with("templates/") => {
                other.ends_with("/refund.toml") || other.ends_with("/education-pour-over.toml")
            }
            None => true,
        })
        .collect();
    let mut at = 0;
    while let Some((_, text)) = kept.get(at) {
        for one in sequences() {
            let id = one
                .1
                .lines()
                .find_map(|line| line.strip_prefix("id "))
                .unwrap();
            let id = id.trim_matches([' ', '=', '"']);
            if text.contains(&format!("\"{id}/")) && !kept.contains(&one) {
                kept.push(one);
            }
        }
        at += 1;
    }
    kept.into_iter().map(|(path, _)| path.clone()).collect()
}

fn line_of(text: &str, at: usize) -> u32 {
    position(text, at).0
}

fn told(problem: &Diagnostic, text: &str) -> String {
    let (line, column) = position(text, problem.span.start);
    format!(
        "{problem} at {line}:{column} {:?} {:?}",
        problem.label, problem.help
    )
}

/// What makes a problem the same one, wherever its line has gone.
fn key(problem: &Diagnostic) -> (String, String) {
    (problem.file.clone(), problem.message.clone())
}

/// What is wrong with how a slip is told.
fn fault(
    path: &str,
    text: &str,
    slip: &Slip,
    mut files: Files,
    before: &[(String, String)],
) -> Option<String> {
    let mut changed = text.to_owned();
    changed.replace_range(slip.at.clone(), &slip.with);
    for (other, text) in &mut files {
        if other == path {
            text.clone_from(&changed);
        }
    }
    let check = AssertUnwindSafe(|| reload::check(files, Vec::new()).problems);
    let Ok(mut problems) = catch_unwind(check) else {
        return Some("PANIC".into());
    };
    problems.retain(|one| !before.contains(&key(one)));
    let show = |problems: &[Diagnostic]| -> String {
        problems
            .iter()
            .take(FEW + 2)
            .map(|one| {
                format!(
                    "\n      {}",
                    told(one, if one.file == path { &changed } else { "" })
                )
            })
            .collect()
    };
    if problems.is_empty() {
        return (!slip.harmless).then(|| "passes".into());
    }
    let errors = problems
        .iter()
        .filter(|one| one.severity() == Severity::Error)
        .count();
    if errors > FEW {
        return Some(format!("looks like {errors}:{}", show(&problems)));
    }
    let (first, last) = (
        line_of(&changed, slip.at.start),
        line_of(&changed, slip.at.start + slip.with.len()),
    );
    let on_line = problems.iter().any(|one| {
        one.file == path
            && line_of(&changed, one.span.start) <= last + 1
            && line_of(&changed, one.span.end) >= first
            && one.span != (0..0)
    });
    if !slip.anywhere && !on_line {
        return Some(format!(
            "is told elsewhere than on line {first}:{}",
            show(&problems)
        ));
    }
    let helpful = problems
        .iter()
        .any(|one| one.label.is_some() || !one.help.is_empty());
    if !helpful {
        return Some(format!("is told without help:{}", show(&problems)));
    }
    None
}

#[test]
fn every_slip_in_the_shipped_files_is_found_in_its_place() {
    let everything = std::env::var("AFTERCARE_MUTATIONS").is_ok_and(|how| how == "all");
    // A part of the paths, for looking at some files alone.
    let only = std::env::var("AFTERCARE_MUTATIONS_IN").unwrap_or_default();
    let (all, problems) = files::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(problems, []);
    let mut tasks = Vec::new();
    let mut translated = 0;
    for (path, text) in all.iter().filter(|(path, _)| path.contains(&only)) {
        let not_read = [
            "config/aftercare.toml",
            "config/scenarios/",
            "config/schemas/",
            "config/snapshots/",
        ];
        if not_read.iter().any(|one| path.starts_with(one)) {
            continue;
        }
        // Translations have the same tags: one language of each will do.
        let languages = ["en", "de", "fr", "ja"];
        let stem = path.rsplit_once('.').map_or("", |(stem, _)| stem);
        if languages
            .iter()
            .any(|one| stem.ends_with(&format!(".{one}")))
        {
            translated += 1;
            let of = languages[translated / languages.len() % languages.len()];
            if !everything && !stem.ends_with(of) {
                continue;
            }
        }
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for slip in slips(path, text) {
            let number = count.entry(slip.sort).or_default();
            *number += 1;
            // Fewer and fewer of each sort.
            if everything || number.is_power_of_two() {
                tasks.push((path, text, slip));
            }
        }
    }
    let next = AtomicUsize::new(0);
    let faults = Mutex::new(Vec::new());
    // The files around each path, and what is wrong with them without a slip.
    let surroundings: Mutex<BTreeMap<String, Surroundings>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some((path, text, slip)) = tasks.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let (files, before) = surroundings
                        .lock()
                        .unwrap()
                        .entry((*path).clone())
                        .or_insert_with(|| {
                            let files = around(path, &all);
                            let problems = reload::check(files.clone(), Vec::new()).problems;
                            (files, problems.iter().map(key).collect())
                        })
                        .clone();
                    if let Some(fault) = fault(path, text, slip, files, &before) {
                        let line = line_of(text, slip.at.start);
                        let was = &text[slip.at.clone()];
                        faults.lock().unwrap().push(format!(
                            "{}: {path}:{line}: {was:?} → {:?} {fault}",
                            slip.sort, slip.with
                        ));
                    }
                }
            });
        }
    });
    let mut faults = faults.into_inner().unwrap();
    faults.sort();
    println!("{} slips, {} faults", tasks.len(), faults.len());
    assert!(tasks.len() > 100 || !only.is_empty());
    // Some of each sort, so that one sort does not hide the others.
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut shown = String::new();
    for fault in &faults {
        let sort = fault.split(':').next().unwrap();
        let count = seen.entry(sort).or_default();
        *count += 1;
        if everything || *count <= SHOWN {
            shown.push_str(fault);
            shown.push('\n');
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {} slips: {seen:#?}\n{shown}",
        faults.len(),
        tasks.len(),
    );
}

#[test]
fn without_a_slip_the_surroundings_are_without_errors() {
    let (all, _) = files::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    let mut seen = BTreeMap::new();
    for (path, _) in &all {
        let folder = path.rsplit_once('/').unwrap().0.to_owned();
        if path.ends_with(".ja.md") || seen.contains_key(&folder) {
            continue;
        }
        let problems = reload::check(around(path, &all), Vec::new()).problems;
        // What policy and law ask of small layouts is no matter of slips.
        let is_error =
            |one: &&Diagnostic| one.severity() == Severity::Error && !one.code.starts_with("E3");
        let errors: Vec<&Diagnostic> = problems.iter().filter(is_error).collect();
        assert!(errors.is_empty(), "{path}: {errors:#?}");
        seen.insert(folder, ());
    }
}
