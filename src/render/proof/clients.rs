//! What large mail programs do not show, by the public "Can I email" data
//! (`scripts/caniemail`). Told is only what breaks a mail: a layout that falls apart,
//! words that vanish, controls that do nothing. What merely looks plainer is left alone.

use super::sheet::{Seen, Sheet};
use super::style;
use crate::model::diagnostic::Diagnostic;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

/// Written by `scripts/caniemail`.
const DATA: &str = include_str!("../caniemail.tsv");

/// The programs of the data's columns, as readers call them.
const PROGRAMS: [&str; 5] = [
    "Gmail",
    "Outlook on Windows",
    "Outlook on the web and on phones",
    "Apple Mail",
    "Yahoo Mail",
];

/// Where a feature shows in a file.
#[derive(Debug, Clone, Copy)]
enum Look {
    Property(&'static [&'static str]),
    /// A property with one of some values.
    Value(&'static str, &'static [&'static str]),
    Function(&'static str),
    Unit(&'static str),
    Selector(&'static [&'static str]),
    Import,
    Element(&'static [&'static str]),
    Attribute(&'static str),
}

/// Features whose absence breaks a mail: name in the data, where to look, what to write.
const BREAKS: [(&str, Look, &str); 45] = [
    (
        "css-display-flex",
        Look::Value("display", &["flex", "inline-flex"]),
        "place things side by side with a table; mj-section and mj-column make one",
    ),
    (
        "css-display-grid",
        Look::Value("display", &["grid", "inline-grid"]),
        "place things side by side with a table; mj-section and mj-column make one",
    ),
    (
        "css-position",
        Look::Value("position", &["absolute", "fixed", "sticky"]),
        "put it where it belongs with tables and padding",
    ),
    (
        "css-float",
        Look::Property(&["float"]),
        "place things side by side with a table; mj-column makes one",
    ),
    (
        "css-left-right-top-bottom",
        Look::Property(&["left", "right", "top", "bottom"]),
        "move it with padding",
    ),
    (
        "css-inset",
        Look::Property(&["inset"]),
        "move it with padding",
    ),
    (
        "css-gap",
        Look::Property(&["gap", "row-gap", "column-gap"]),
        "write padding for each cell",
    ),
    (
        "css-column-count",
        Look::Property(&["column-count", "columns"]),
        "write a table; mj-column makes one",
    ),
    (
        "css-transform",
        Look::Property(&["transform"]),
        "draw it as a picture",
    ),
    (
        "css-clip-path",
        Look::Property(&["clip-path"]),
        "cut the picture itself",
    ),
    (
        "css-mask-image",
        Look::Property(&["mask", "mask-image"]),
        "cut the picture itself",
    ),
    (
        "css-filter",
        Look::Property(&["filter"]),
        "change the picture itself",
    ),
    (
        "css-object-fit",
        Look::Property(&["object-fit"]),
        "cut the picture to its size before",
    ),
    (
        "css-aspect-ratio",
        Look::Property(&["aspect-ratio"]),
        "give the picture width and height",
    ),
    (
        "css-visibility",
        Look::Property(&["visibility"]),
        "leave it out with {{#if}}",
    ),
    (
        "css-opacity",
        Look::Property(&["opacity"]),
        "write the lighter colour itself",
    ),
    (
        "css-background-image",
        Look::Property(&["background-image"]),
        "set a background-color in the same rule, so that words on it stay readable",
    ),
    (
        "css-linear-gradient",
        Look::Function("linear-gradient"),
        "set a background-color in the same rule, so that words on it stay readable",
    ),
    (
        "css-radial-gradient",
        Look::Function("radial-gradient"),
        "set a background-color in the same rule, so that words on it stay readable",
    ),
    (
        "css-variables",
        Look::Function("var"),
        "write the value itself",
    ),
    (
        "css-unit-calc",
        Look::Function("calc"),
        "write the length itself",
    ),
    (
        "css-function-clamp",
        Look::Function("clamp"),
        "write the length itself",
    ),
    (
        "css-function-min",
        Look::Function("min"),
        "write the length itself",
    ),
    (
        "css-function-max",
        Look::Function("max"),
        "write the length itself",
    ),
    (
        "css-function-light-dark",
        Look::Function("light-dark"),
        "write the light colour, and the dark one inside @media (prefers-color-scheme: dark)",
    ),
    (
        "css-rgba",
        Look::Function("rgba"),
        "write the colour as #rrggbb",
    ),
    ("css-unit-rem", Look::Unit("rem"), "write px"),
    ("css-unit-vw", Look::Unit("vw"), "write px or %"),
    ("css-unit-vh", Look::Unit("vh"), "write px"),
    (
        "css-margin-inline-block",
        Look::Property(&["margin-inline", "margin-block"]),
        "write margin-left and margin-right, or margin-top and margin-bottom",
    ),
    (
        "css-margin-inline-start-end",
        Look::Property(&["margin-inline-start", "margin-inline-end"]),
        "write margin-left and margin-right",
    ),
    (
        "css-margin-block-start-end",
        Look::Property(&["margin-block-start", "margin-block-end"]),
        "write margin-top and margin-bottom",
    ),
    (
        "css-padding-inline-block",
        Look::Property(&["padding-inline", "padding-block"]),
        "write padding-left and padding-right, or padding-top and padding-bottom",
    ),
    (
        "css-padding-inline-start-end",
        Look::Property(&["padding-inline-start", "padding-inline-end"]),
        "write padding-left and padding-right",
    ),
    (
        "css-padding-block-start-end",
        Look::Property(&["padding-block-start", "padding-block-end"]),
        "write padding-top and padding-bottom",
    ),
    (
        "css-block-inline-size",
        Look::Property(&["inline-size", "block-size"]),
        "write width and height",
    ),
    (
        "css-pseudo-element-before",
        Look::Selector(&["::before", ":before"]),
        "write the words into the mail itself",
    ),
    (
        "css-pseudo-element-after",
        Look::Selector(&["::after", ":after"]),
        "write the words into the mail itself",
    ),
    (
        "css-at-import",
        Look::Import,
        "write the rules into the page itself",
    ),
    (
        "html-video",
        Look::Element(&["video"]),
        "show a picture that links to the film",
    ),
    (
        "html-audio",
        Look::Element(&["audio"]),
        "write a link to it",
    ),
    (
        "html-svg",
        Look::Element(&["svg"]),
        "save it as PNG and show it with <img>",
    ),
    (
        "html-form",
        Look::Element(&["form", "input", "select", "textarea", "button"]),
        "write a link to a page with the form",
    ),
    (
        "html-dialog",
        Look::Element(&["dialog", "progress", "meter", "marquee"]),
        "write it as words or as a picture",
    ),
    (
        "html-hidden",
        Look::Attribute("hidden"),
        "leave it out with {{#if}}: it would be shown",
    ),
];

/// Elements that mail programs take out, some of them together with the mail's good name.
const REFUSED: [(&str, &str); 9] = [
    ("script", "write the words that it would show"),
    ("iframe", "write a link to the page"),
    ("object", "write a link to it"),
    ("embed", "write a link to it"),
    ("applet", "write a link to it"),
    ("frame", "write a link to the page"),
    ("frameset", "write a link to the page"),
    ("base", "write every address whole: https://…"),
    (
        "link",
        "write the styles into the page, inside <style> or mj-style",
    ),
];

/// Which programs do not show a feature at all.
fn lacking(feature: &str) -> Vec<&'static str> {
    static TABLE: OnceLock<BTreeMap<&'static str, Vec<&'static str>>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        DATA.lines()
            .filter(|line| !line.starts_with('#'))
            .skip(1)
            .filter_map(|line| {
                let mut cells = line.split('\t');
                let (feature, _title) = (cells.next()?, cells.next()?);
                let lacks = cells
                    .zip(PROGRAMS)
                    .filter(|(cell, _)| *cell == "n")
                    .map(|(_, program)| program)
                    .collect();
                Some((feature, lacks))
            })
            .collect()
    });
    table.get(feature).cloned().unwrap_or_default()
}

/// Says what breaks in which program.
pub fn check(sheet: &Sheet<'_>, seen: &Seen, problems: &mut Vec<Diagnostic>) {
    for element in &seen.elements {
        let refused = REFUSED.iter().find(|(name, _)| *name == element.name);
        if let Some((name, instead)) = refused {
            problems.push(
                Diagnostic::new(
                    "E241",
                    sheet.path,
                    element.name_span.clone(),
                    format!("mail programs take <{name}> out of every mail"),
                )
                .help("a mail that holds it looks like an attack to spam filters")
                .help(*instead),
            );
        }
    }
    if seen.elements.is_empty() && seen.sheets.is_empty() {
        return;
    }
    let styles = style::read(sheet, seen);
    for (feature, look, instead) in &BREAKS {
        let places = found(sheet, seen, &styles, *look);
        if places.is_empty() {
            continue;
        }
        let programs = lacking(feature);
        if programs.is_empty() {
            continue;
        }
        let code = if feature.starts_with("html") {
            "W241"
        } else {
            "W240"
        };
        for place in places {
            let words = sheet.at(&place).trim();
            let short: String = words.chars().take(60).collect();
            problems.push(
                Diagnostic::new(
                    code,
                    sheet.path,
                    place,
                    format!("`{short}` does nothing in {}", programs.join(", ")),
                )
                .help(*instead)
                .help(format!("www.caniemail.com/features/{feature}")),
            );
        }
    }
}

/// Where a feature is used.
fn found(sheet: &Sheet<'_>, seen: &Seen, styles: &style::Styles, look: Look) -> Vec<Range<usize>> {
    let value = |one: &style::Declaration| sheet.at(&one.value).to_ascii_lowercase();
    let coloured = |one: &style::Declaration| {
        styles
            .declarations
            .iter()
            .any(|other| other.rule == one.rule && other.property == "background-color")
    };
    let declared = |fits: &dyn Fn(&style::Declaration) -> bool| -> Vec<Range<usize>> {
        styles
            .declarations
            .iter()
            .filter(|one| fits(one))
            .map(|one| one.place.clone())
            .collect()
    };
    match look {
        Look::Property(names) => declared(&|one| {
            names.contains(&one.property.as_str())
                && !(one.property == "background-image" && coloured(one))
                && !matches!(
                    value(one).as_str(),
                    "none" | "auto" | "visible" | "1" | "0" | "normal"
                )
        }),
        Look::Value(name, values) => declared(&|one| {
            let value = value(one);
            let value = value.trim_end_matches("!important").trim();
            one.property == name && values.contains(&value)
        }),
        Look::Function(name) => declared(&|one| {
            let value = value(one);
            let call = value.match_indices(name).any(|(at, _)| {
                value[at + name.len()..].starts_with('(')
                    && !value[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-')
            });
            call && !(name.ends_with("gradient") && coloured(one))
        }),
        Look::Unit(unit) => declared(&|one| {
            let value = value(one);
            value.match_indices(unit).any(|(at, _)| {
                value[..at].ends_with(|c: char| c.is_ascii_digit())
                    && !value[at + unit.len()..].starts_with(|c: char| c.is_ascii_alphanumeric())
            })
        }),
        Look::Selector(ends) => styles
            .selectors
            .iter()
            .filter(|span| ends.iter().any(|end| sheet.at(span).contains(end)))
            .cloned()
            .collect(),
        Look::Import => styles.imports.clone(),
        Look::Element(names) => seen
            .elements
            .iter()
            .filter(|one| names.contains(&one.name.as_str()))
            .map(|one| one.name_span.clone())
            .collect(),
        Look::Attribute(name) => seen
            .elements
            .iter()
            .filter_map(|one| one.attribute(name))
            .map(|one| one.name_span.clone())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_we_look_for_is_in_the_data_and_some_program_lacks_it() {
        let known: Vec<&str> = DATA
            .lines()
            .filter_map(|line| line.split('\t').next())
            .collect();
        for (feature, _, _) in &BREAKS {
            assert!(known.contains(feature), "{feature}");
        }
        assert!(lacking("css-display-flex").contains(&"Outlook on Windows"));
        assert!(lacking("html-table").is_empty());
    }
}
