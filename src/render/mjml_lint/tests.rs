use super::*;

fn problems(source: &str) -> Vec<(&'static str, String, String)> {
    let masked = Masked::new(source, false);
    check("x.mjml", &masked, 0..source.len())
        .into_iter()
        .map(|one| {
            let words = source[one.span].to_owned();
            (
                one.code,
                words,
                format!("{}; {}", one.message, one.help.join("; ")),
            )
        })
        .collect()
}

fn page(body: &str) -> String {
    format!("<mjml><mj-head><mj-title>x</mj-title></mj-head><mj-body>{body}</mj-body></mjml>")
}

fn column(inside: &str) -> String {
    page(&format!(
        "<mj-section><mj-column>{inside}</mj-column></mj-section>"
    ))
}

#[test]
fn every_slip_is_told_in_its_place() {
    for (source, code, words, message) in [
        (
            column("<mj-divder />"),
            "E220",
            "mj-divder",
            "did you mean `mj-divider`?",
        ),
        (
            column("<mj-text colour=\"red\">x</mj-text>"),
            "E221",
            "colour",
            "did you mean `color`?",
        ),
        (
            column("<mj-text class=\"red\">x</mj-text>"),
            "E221",
            "class",
            "css-class",
        ),
        (
            column("<mj-text color=\"redd\">x</mj-text>"),
            "E223",
            "redd",
            "did you mean `red`?",
        ),
        (
            column("<mj-text color=\"#12345\">x</mj-text>"),
            "E223",
            "#12345",
            "a colour is",
        ),
        (
            column("<mj-text font-size=\"16\">x</mj-text>"),
            "E223",
            "16",
            "write 16px",
        ),
        (
            column("<mj-text font-size=\"1em\">x</mj-text>"),
            "E223",
            "1em",
            "a length in px",
        ),
        (
            column("<mj-text padding=\"1px 2px 3px 4px 5px\">x</mj-text>"),
            "E223",
            "1px 2px 3px 4px 5px",
            "one to four",
        ),
        (
            column("<mj-text align=\"centre\">x</mj-text>"),
            "E223",
            "centre",
            "did you mean `center`?",
        ),
        (
            page("<mj-column><mj-text>x</mj-text></mj-column>"),
            "E222",
            "mj-column",
            "it belongs into mj-group or mj-section",
        ),
        (
            column("<mj-section></mj-section>"),
            "E222",
            "mj-section",
            "inside <mj-column>",
        ),
        (
            page("<mj-style>a{}</mj-style>"),
            "E222",
            "mj-style",
            "it belongs into mj-head",
        ),
        (column("<div>x</div>"), "E222", "div", "is HTML"),
        (column("words"), "E222", "words", "vanish"),
        (
            column("<mj-text>x"),
            "E224",
            "mj-text",
            "<mj-text> is never closed",
        ),
        (
            column("<mj-text>x</mj-tex></mj-text></mj-text>"),
            "E224",
            "mj-text",
            "closes nothing",
        ),
        (
            column("<mj-text color=red>x</mj-text>"),
            "E224",
            "color",
            "in quotes",
        ),
        (
            column("<mj-text color=\"red\" color=\"red\">x</mj-text>"),
            "E224",
            "color",
            "twice",
        ),
        (
            column("<mj-text>x<mj-text>y</mj-text>"),
            "E224",
            "mj-text",
            "never closed",
        ),
        (
            column("<mj-text>x<mj-divider />"),
            "E224",
            "mj-text",
            "never closed",
        ),
        (
            page("<mj-include path=\"/etc/passwd\" />"),
            "E225",
            "mj-include",
            "partials",
        ),
        (
            "<mj-text>x</mj-text>".into(),
            "E222",
            "mj-text",
            "outside <mjml>",
        ),
        (
            column("<mj-text>a<mj-text>b</mj-text></mj-text>"),
            "E222",
            "mj-text",
            "inside <mj-text>",
        ),
    ] {
        let found = problems(&source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        assert_eq!(
            (found[0].0, found[0].1.as_str()),
            (code, words),
            "{source}: {found:?}"
        );
        assert!(found[0].2.contains(message), "{source}: {found:?}");
    }
}

#[test]
fn what_mjml_takes_is_taken() {
    for source in [
        column("<mj-text color=\"{{c}}\" padding=\"0\" css-class=\"a\" mj-class=\"b\">a <b>x</b><br /> {{#if x}}<i>{{x}}</i>{{/if}}</mj-text>"),
        column("<mj-button href='{{link item.product_url}}' padding=\"1px 2%\" width=\"50%\">x</mj-button><mj-image src=\"https://x.example/a.png\" alt=\"\" />"),
        column("<mj-text letter-spacing=\"-0.5px\" line-height=\"1.6\">x</mj-text><mj-table><tr><td>x</td></tr></mj-table>"),
        column("<mj-raw><table><tr></mj-raw><mj-raw></tr></table></mj-raw>"),
        "<mjml lang=\"en\"><mj-head><mj-attributes><mj-all color=\"red\" /><mj-class name=\"x\" padding=\"0\" /><mj-text font-size=\"1px\" /></mj-attributes><mj-style inline=\"inline\">a > b { c: d }</mj-style></mj-head><mj-body><!-- <mj-x> --><mj-wrapper><mj-section></mj-section></mj-wrapper></mj-body></mjml>".into(),
    ] {
        assert_eq!(problems(&source), [], "{source}");
    }
}

#[test]
fn every_component_of_the_table_is_one_that_we_render() {
    let all = Components::get();
    assert!(all.by.len() > 30 && all.colours.contains(&"white"));
    for name in NOT_RENDERED {
        assert!(all.by.contains_key(name), "{name}");
    }
    for (name, component) in &all.by {
        if !component.inside.is_empty() {
            for inside in &component.inside {
                assert!(all.by.contains_key(inside), "{name}: {inside}");
            }
        }
    }
}
