//! Mails of a small shop, from files to bytes.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use super::page::page;
use super::{Campaign, Context, LoadPolicy, Rendered, Templates};
use crate::model::diagnostic::{Diagnostic, position};
use crate::model::kind::Kind;
use crate::model::names::Known;
use crate::model::product::{Family, Product, Products, Variant};
use crate::model::time::TimeZone;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const LAYOUT: &str = r#"<mjml lang="{{mail.locale}}">
<mj-head>
  <mj-title>{{mail.subject}}</mj-title>
  <mj-preview>{{mail.preheader}}</mj-preview>
  <mj-style>.content p { margin: 0 0 18px; } @media (prefers-color-scheme: dark) { .content p { color: #eee !important; } }</mj-style>
</mj-head>
<mj-body>
  <mj-section><mj-column><mj-text css-class="content">{{{content}}}</mj-text></mj-column></mj-section>
  <mj-section><mj-column><mj-text>{{shop.name}}, {{shop.address}}<br />
    <a href="{{links.unsubscribe}}" title="{{t "stop"}}">{{t "stop"}}</a> &#160;·&#160;
    <a href="mailto:{{sender.email}}">{{sender.email}}</a></mj-text></mj-column></mj-section>
</mj-body>
</mjml>"#;

const PLAIN_LAYOUT: &str = "<html><body>{{{content}}}<p>{{shop.name}}</p></body></html>";

type Files = Vec<(String, String)>;

fn shop(files: &[(&str, &str)]) -> Files {
    let mut all: Files = vec![
        ("templates/layouts/default.mjml".into(), LAYOUT.into()),
        ("templates/layouts/plain.html".into(), PLAIN_LAYOUT.into()),
        (
            "templates/strings/en.ftl".into(),
            "stop = Unsubscribe\nhello = Hello { $who }, { $n ->\n    [one] once\n   *[other] { $n } times\n}\npage = Your mails"
                .into(),
        ),
        (
            "templates/strings/de.ftl".into(),
            "stop = Abbestellen\npage = Ihre E-Mails".into(),
        ),
    ];
    for (path, text) in files {
        all.push(((*path).into(), (*text).into()));
    }
    all
}

fn policy() -> LoadPolicy {
    LoadPolicy {
        locales: vec!["en".into(), "de".into()],
        fallback: None,
        ..LoadPolicy::default()
    }
}

fn mail(body: &str) -> String {
    format!("+++\nsubject = \"A subject\"\npreheader = \"Before it\"\n+++\n{body}\n")
}

/// Loads files. Most of these mails have no use for most of the words.
fn read(files: &[(String, String)], shop: &LoadPolicy) -> (Templates, Vec<Diagnostic>) {
    let (templates, mut problems) = Templates::load(files, shop);
    problems.retain(|problem| problem.code != "W261");
    (templates, problems)
}

fn load(files: &[(&str, &str)]) -> Templates {
    let (templates, problems) = read(&shop(files), &policy());
    assert_eq!(problems, [], "loads without problems");
    templates
}

fn values() -> Value {
    json!({
        "customer": {"first_name": "Ann", "last_name": null, "email": "ann@x.example", "tags": ["a", "b"]},
        "order": {
            "order_id": "1001", "order_number": "#1001", "total": {"amount": 4200, "currency": "EUR"},
            "placed_at": "2026-03-06T22:30:00Z", "paid": true, "status_url": "https://shop.example/o?a=1&b=2",
            "items": [
                {"title": "Camera", "variant_title": "Black", "quantity": 1, "product_url": "https://shop.example/c?v=1"},
                {"title": "Card", "variant_title": null, "quantity": 2, "product_url": null},
            ],
            "ship_to": {"city": "Kiel"},
        },
        "item": {"title": "Camera", "quantity": 1200, "image_url": "https://shop.example/c.jpg"},
        "enrolment": {"items": []},
        "shop": {"name": "Harbor & Pine", "url": "https://shop.example", "address": "12 Quay Street"},
        "sender": {"name": "Aya", "email": "aya@shop.example", "reply_to": "aya@shop.example"},
        "mail": {"kind": "education"},
        "links": {"unsubscribe": "https://m.example/u/abc", "preferences": "https://m.example/u/def", "status": null},
        "sequence": {"id": "education-dslr"}, "step": {"id": "basics"},
    })
}

fn products() -> Products {
    let product = |id: &str, url: Option<&str>, units: i64| Product {
        product_id: id.into(),
        title: format!("Tripod {id}"),
        titles: BTreeMap::from([("de".to_owned(), format!("Stativ {id}"))]),
        vendor: None,
        tags: vec!["tripod".into()],
        categories: vec![],
        image_url: None,
        product_url: url.map(str::to_owned),
        status: None,
        related: vec![],
        replenish_days: None,
        variants: vec![Variant {
            sku: Some(format!("SKU-{id}")),
            prices: BTreeMap::from([("EUR".to_owned(), 8900), ("JPY".to_owned(), 12_800)]),
            inventory_quantity: Some(units),
            ..Variant::default()
        }],
    };
    Products::new(
        vec![
            product("P1", None, 0),
            product("P2", None, 5),
            product("P3", Some("https://shop.example/p3"), 5),
        ],
        vec![Family {
            id: "tripod".into(),
            tags: vec!["tripod".into()],
            ..Family::default()
        }],
    )
}

fn context_of(values: Value, locale: &str, owned: &[&str]) -> Context {
    let Value::Object(values) = values else {
        unreachable!("an object")
    };
    Context::new(
        values,
        locale.into(),
        TimeZone::get("Europe/Berlin").unwrap(),
        Arc::new(products()),
        owned
            .iter()
            .map(|one| (*one).to_owned())
            .collect::<BTreeSet<_>>(),
        Some(if locale == "ja" { "JPY" } else { "EUR" }.into()),
        Campaign {
            sequence: "education-dslr".into(),
            step: "basics".into(),
        },
    )
}

fn render_with(body: &str, values: Value) -> Result<Rendered, super::RenderError> {
    let text = mail(body);
    let templates = load(&[("templates/mail/a/b.en.md", &text)]);
    templates.render("a/b", &["en".into()], &context_of(values, "en", &[]))
}

fn render(body: &str) -> Rendered {
    render_with(body, values()).expect("renders")
}

/// What the layout wraps around stays; this is the inside of the mail.
fn inside(html: &str) -> String {
    let start = html.find("font-family").unwrap();
    let from = html[start..].find('>').unwrap() + start + 1;
    let end = html[from..].find("</div>").unwrap() + from;
    html[from..end].trim().to_owned()
}

fn text_of(rendered: &Rendered) -> &str {
    rendered.text.split("\n-- \n").next().unwrap().trim_end()
}

fn known() -> Known {
    Known::customer().with("order").with("item")
}

fn checked(body: &str, kind: Kind) -> Vec<(Diagnostic, String)> {
    let text = mail(body);
    let files = shop(&[
        ("templates/mail/a/b.en.md", &text),
        ("templates/mail/a/b.de.md", &mail("Hallo")),
        (
            "templates/partials/greeting.hbs",
            "{{#if customer.first_name}}Hello {{customer.first_name}},{{else}}{{fallback}},{{/if}}",
        ),
        ("templates/partials/who.hbs", "{{name}}"),
    ]);
    let (templates, mut problems) = read(&files, &policy());
    problems.extend(templates.check("a/b", &known(), kind, &["en".into(), "de".into()], None));
    problems
        .into_iter()
        .map(|problem| {
            let file = files.iter().find(|(path, _)| *path == problem.file);
            let words = file
                .and_then(|(_, text)| text.get(problem.span.clone()))
                .unwrap_or_default()
                .to_owned();
            (problem, words)
        })
        .collect()
}

#[test]
fn markdown_becomes_a_page_and_a_text() {
    let rendered = render(
        "Hello {{customer.first_name}},\n\n## News of *{{item.title}}*\n\nLook **[here]({{link order.status_url}})** or\n[there]({{order.status_url}}), please.\n\n{{#if order.paid}}\n- one\n- two & three\n{{/if}}\n\n> Quoted {{customer.email}}\n\n{{items order.items}}\n\n{{#each order.items}}\n{{#if this.product_url}}\n**[See {{this.title}}]({{link this.product_url}})**\n{{else}}\n{{this.title}}\n{{/if}}\n{{/each}}\nBye",
    );
    assert_eq!(
        text_of(&rendered),
        "Hello Ann,\n\nNews of Camera\n\nLook here\n<https://shop.example/o?a=1&b=2&utm_source=aftercare&utm_medium=email&utm_campaign=education-dslr&utm_content=basics>\nor there <https://shop.example/o?a=1&b=2>, please.\n\n- one\n- two & three\n\n> Quoted ann@x.example\n\n- 1 × Camera (Black)\n- 2 × Card\n\nSee Camera:\nhttps://shop.example/c?v=1&utm_source=aftercare&utm_medium=email&utm_campaign=education-dslr&utm_content=basics\n\nCard\n\nBye"
    );
    let footer = rendered.text.split("\n-- \n").nth(1).unwrap();
    assert_eq!(
        footer,
        "Harbor & Pine, 12 Quay Street\nUnsubscribe: https://m.example/u/abc\naya@shop.example\n"
    );
    let html = &rendered.html;
    assert!(
        html.contains("margin: 0 0 18px;\">Hello Ann,</p>"),
        "inlined: {html}"
    );
    assert!(html.contains("@media (prefers-color-scheme: dark)"));
    assert!(html.contains("href=\"https://m.example/u/abc\" title=\"Unsubscribe\""));
    assert!(html.contains("href=\"https://shop.example/o?a=1&amp;b=2\""));
    assert!(html.contains("lang=\"en\""));
    assert!(html.contains("<title>A subject</title>") && html.contains("Before it"));
    assert!(!html.contains("fonts.googleapis"), "nothing is fetched");
    assert!(!html.contains("{{") && !html.contains("qxhbz") && !html.contains("<p></p>"));
    let again = render_with("x", values()).unwrap();
    assert_eq!(
        again,
        render_with("x", values()).unwrap(),
        "same inputs, same bytes"
    );
}

#[test]
fn every_helper_prints_what_it_says() {
    let one = |body: &str| -> String { text_of(&render(body)).to_owned() };
    for (body, wanted) in [
        ("{{money order.total}}", "€42.00"),
        ("{{date order.placed_at \"long\"}}", "March 6, 2026"),
        ("{{date order.placed_at \"time\"}}", "11:30\u{202f}PM"),
        ("{{number item.quantity}}", "1,200"),
        (
            "{{plural item.quantity one=\"{n} parcel\" other=\"{n} parcels\"}}",
            "1,200 parcels",
        ),
        ("{{default customer.last_name \"friend\"}}", "friend"),
        (
            "{{t \"hello\" who=customer.first_name n=item.quantity}}",
            "Hello Ann, 1,200 times",
        ),
        (
            "{{#if (and order.paid (eq item.title \"Camera\"))}}yes{{else}}no{{/if}}",
            "yes",
        ),
        (
            "{{#if (gt item.quantity 1)}}many{{else if order.paid}}paid{{else}}no{{/if}}",
            "many",
        ),
        (
            "{{#unless order.paid}}open{{else if (not item.title)}}b{{else}}c{{/unless}}",
            "c",
        ),
        ("{{len order.items}}", "2"),
        ("{{lookup customer \"email\"}}", "ann@x.example"),
        (
            "{{#each order.items as |line at|}}{{at}}{{@index}}{{line.title}}{{#unless @last}}, {{/unless}}{{/each}}",
            "00Camera, 11Card",
        ),
        (
            "{{#each order.items}}{{@root.item.title}}{{../customer.first_name}} {{/each}}",
            "CameraAnn CameraAnn",
        ),
        (
            "{{#with order.ship_to as |to|}}{{city}}{{this.city}}{{to.city}}{{/with}}",
            "KielKielKiel",
        ),
        (
            "{{#with (complement \"tripod\")}}{{title}} {{money price}}{{/with}}",
            "Tripod P2 €89.00",
        ),
        (
            "{{#with (complement \"nothing\")}}x{{else}}none{{/with}}",
            "none",
        ),
        ("a {{~ item.title ~}} b", "aCamerab"),
        ("two \\{{ braces", "two {{ braces"),
        ("{{! said to nobody }}seen {{!-- }} --}}too", "seen too"),
    ] {
        assert_eq!(one(body), wanted, "{body}");
    }
    let image = render("{{image item.image_url item.title}}");
    assert!(
        image
            .html
            .contains("<img src=\"https://shop.example/c.jpg\" alt=\"Camera\"")
    );
    assert_eq!(text_of(&image), "Camera");
    let stars = render("{{stars \"https://shop.example/r\"}}");
    assert_eq!(stars.html.matches('★').count(), 5);
    assert!(
        stars
            .text
            .contains("★★☆☆☆\nhttps://shop.example/r?utm_source=aftercare")
    );
}

#[test]
fn a_complement_is_in_stock_not_owned_and_in_the_readers_words() {
    let text = mail(
        "{{#with (complement \"tripod\")}}{{this.title}} {{#if this.price}}{{money this.price}}{{/if}}{{/with}}",
    );
    let templates = load(&[("templates/mail/a/b.de.md", &text)]);
    let of = |owned: &[&str]| {
        let rendered = templates
            .render("a/b", &["de".into()], &context_of(values(), "de", owned))
            .unwrap();
        text_of(&rendered).to_owned()
    };
    assert_eq!(of(&[]), "Stativ P2 89,00\u{a0}€");
    assert_eq!(of(&["SKU-P2"]), "Stativ P3 89,00\u{a0}€");
    assert!(!of(&["P2", "P3"]).contains("Stativ"));
}

#[test]
fn nothing_missing_is_ever_printed_as_a_blank() {
    for (body, wanted) in [
        (
            "x\n\n{{customer.last_name}}",
            "`customer.last_name` has no value",
        ),
        (
            "x\n\n{{customer.nickname}}",
            "`customer.nickname` has no value",
        ),
        (
            "x\n\n{{money order.tax}}",
            "`order.tax` has no value, money needs",
        ),
        (
            "x\n\n{{link links.status}}",
            "`links.status` has no value, link needs",
        ),
        ("x\n\n[a]({{links.status}})", "`links.status` has no value"),
        ("x\n\n{{order}}", "`order` is an object"),
        ("x\n\n{{order.items}}", "`order.items` is a list"),
        ("x\n\n{{order.paid}}", "`order.paid` is yes or no"),
        (
            "x\n\n{{default customer.last_name customer.nickname}}",
            "(default) has no value",
        ),
        (
            "x\n\n{{#each order.items}}{{this.product_url}}{{/each}}",
            "`this.product_url` has no value",
        ),
    ] {
        let error = render_with(body, values()).expect_err(body);
        assert!(error.message.contains(wanted), "{body}: {}", error.message);
        assert_eq!(
            (error.template.as_str(), error.line),
            ("templates/mail/a/b.en.md", 7),
            "{body}"
        );
        assert!(!error.message.contains("Camera"), "no values in messages");
    }
    let mut blank = values();
    blank["customer"]["first_name"] = json!("   ");
    assert!(render_with("Dear {{customer.first_name}}", blank).is_err());
}

#[test]
fn only_harmless_addresses_become_links() {
    for bad in [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "https://x.example/\r\nX",
    ] {
        let mut odd = values();
        odd["order"]["status_url"] = json!(bad);
        let error = render_with("[a]({{order.status_url}})", odd.clone()).expect_err(bad);
        assert!(
            error.message.contains("no http, https or mailto address"),
            "{error}"
        );
        if !bad.starts_with("https") {
            assert!(
                render_with("[a]({{link order.status_url}})", odd).is_err(),
                "{bad}"
            );
        }
    }
    let mut odd = values();
    odd["customer"]["email"] = json!("a\"><b>&x");
    let rendered = render_with("[a](https://x.example/?e={{customer.email}})", odd).unwrap();
    assert!(
        rendered
            .html
            .contains("https://x.example/?e=a%22%3E%3Cb%3E%26x\"")
    );
}

/// The HTML tags of a page in their order, with the names of their attributes.
fn shape(html: &str) -> Vec<String> {
    let mut shape = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').map_or(rest.len(), |end| at + end);
        let tag = &rest[at..end];
        let names: Vec<&str> = tag
            .split('"')
            .step_by(2)
            .map(|outside| outside.trim().trim_end_matches('='))
            .collect();
        shape.push(names.join("|"));
        rest = &rest[end..];
    }
    shape
}

#[test]
fn no_value_can_change_the_page() {
    let body = "{{customer.first_name}} **{{item.title}}** [x]({{link order.status_url}} \"{{item.title}}\") {{image item.image_url item.title}}\n\n{{items order.items}}\n\n{{> greeting who=customer.first_name}}\n\n{{#each customer.tags}}{{this}}{{/each}}";
    let head = "+++\nsubject = \"{{customer.first_name}} & {{item.title}}\"\n+++\n";
    let text = format!("{head}{body}");
    let templates = load(&[
        ("templates/mail/a/b.en.md", &text),
        ("templates/partials/greeting.hbs", "Hi {{who}}, _{{who}}_"),
    ]);
    let go = |values: Value| {
        templates
            .render("a/b", &["en".into()], &context_of(values, "en", &[]))
            .unwrap()
    };
    let plain = go(values());
    let naughty = [
        "<b>bold</b>",
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</title></style></div></td><p>",
        "<!-- --> -->",
        "<![endif]-->",
        "**stars** _and_ [a](javascript:x) `code`",
        "# heading\n\n- list\n\n> quote",
        "{{customer.email}} {{{x}}} {{/if}}",
        "qxhbz00001z",
        "a\r\nBcc: all@x.example",
        "\u{202e}gnirts\u{202c}",
        "Ω≈ç√ 田中さん 😀 \u{0}\u{7}",
        "&lt;b&gt; &amp; &#60;",
        "=1+1; DROP TABLE `x`",
    ];
    for word in naughty {
        let mut odd = values();
        odd["customer"]["first_name"] = json!(word);
        odd["customer"]["tags"] = json!([word, word]);
        odd["item"]["title"] = json!(word);
        odd["order"]["items"][0]["title"] = json!(word);
        odd["order"]["items"][0]["variant_title"] = json!(word);
        odd["shop"]["name"] = json!(word);
        let rendered = go(odd);
        assert_eq!(shape(&rendered.html), shape(&plain.html), "{word}");
        for part in [&rendered.subject, &rendered.preheader] {
            assert!(!part.chars().any(char::is_control), "{word}");
        }
        assert!(!rendered.html.contains('\u{202e}') && !rendered.html.contains('\u{0}'));
        assert!(!rendered.text.contains('\u{202e}'));
        assert!(
            !rendered.text.contains("\nBcc"),
            "one value stays on one line"
        );
    }
    let mut odd = values();
    odd["customer"]["first_name"] = json!("A\r\nB <i>");
    assert_eq!(go(odd).subject, "A B <i> & Camera");
}

#[test]
fn loops_and_floods_end_in_an_error() {
    let list: Vec<Value> = (0..300)
        .map(|n| json!({"title": "x".repeat(40), "n": n}))
        .collect();
    let mut big = values();
    big["order"]["items"] = json!(list);
    let error = render_with(
        "{{#each order.items}}{{#each ../order.items}}{{#each @root.order.items}}{{/each}}{{/each}}{{/each}}",
        big.clone(),
    )
    .expect_err("a loop in a loop in a loop");
    assert!(error.message.contains("more than 200000 parts"), "{error}");
    let flood = format!(
        "{{{{#each order.items}}}}{{{{#each @root.order.items}}}}{}{{{{/each}}}}{{{{/each}}}}",
        "y".repeat(200)
    );
    let error = render_with(&flood, big).expect_err("a flood");
    assert!(
        error.message.contains("grows beyond 1048576 bytes"),
        "{error}"
    );
}

#[test]
fn partials_that_print_themselves_are_refused_at_load() {
    for (files, wanted) in [
        (
            vec![
                ("templates/partials/a.hbs", "{{> b}}"),
                ("templates/partials/b.hbs", "{{> a}}"),
            ],
            "a.hbs → b.hbs → a.hbs",
        ),
        (
            vec![("templates/partials/a.hbs", "{{> a}}")],
            "a.hbs → a.hbs",
        ),
    ] {
        let (_, problems) = read(&shop(&files), &policy());
        assert!(
            problems
                .iter()
                .any(|p| p.code == "E214" && p.message.ends_with(wanted)),
            "{problems:?}"
        );
    }
    let deep = format!("{}x{}", "{{#if order}}".repeat(40), "{{/if}}".repeat(40));
    let (_, problems) = read(
        &shop(&[("templates/mail/a/b.en.md", &mail(&deep))]),
        &policy(),
    );
    assert!(
        problems[0].message.contains("nested deeper than 32"),
        "{problems:?}"
    );
    let deep = format!("{{{{x {}1{}}}}}", "(not ".repeat(5000), ")".repeat(5000));
    let (_, problems) = read(
        &shop(&[("templates/mail/a/b.en.md", &mail(&deep))]),
        &policy(),
    );
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[test]
fn what_cannot_be_read_is_said_at_its_place() {
    for (body, words, message, help) in [
        (
            "a {{#if order.paid}} b",
            "{{#if order.paid}}",
            "{{#if}} is never closed",
            "end it with {{/if}}",
        ),
        ("a {{/if}}", "{{/if}}", "{{/if}} closes nothing", ""),
        (
            "{{#if a}}{{#each b}}{{/if}}{{/each}}",
            "{{/if}}",
            "{{/if}} closes {{#each}}",
            "write {{/each}} here first",
        ),
        (
            "{{else}}",
            "{{else}}",
            "this {{else}} belongs to no block",
            "",
        ),
        (
            "a {{customer.first_name",
            "{{customer.first_name",
            "this tag is not closed",
            "end it with }}",
        ),
        (
            "{{#if order.paid == true}}x{{/if}}",
            "{{#if order.paid == true}}",
            "`==` between two values is not understood here",
            "{{#if (eq order.paid true)}}",
        ),
        (
            "{{default customer.name “you”}}",
            "{{default customer.name “you”}}",
            "the quotes in this tag are typographic",
            "straight quotes",
        ),
        ("{{.}}", "{{.}}", "{{.}} is not understood here", "{{this}}"),
        (
            "{{#*inline \"x\"}}{{/inline}}",
            "{{#*inline \"x\"}}",
            "inline partials are not part of mails",
            "templates/partials",
        ),
        (
            "{{> (lookup a b)}}",
            "{{> (lookup a b)}}",
            "a partial must be named, not computed",
            "",
        ),
        (
            "{{&order.order_id}}",
            "{{&order.order_id}}",
            "{{& }} prints without escaping, which is not part of mails",
            "",
        ),
        (
            "{{{order.order_id}}}",
            "{{{order.order_id}}}",
            "{{{order.order_id}}} would print what others wrote as HTML",
            "raw = [\"order.order_id\"]",
        ),
        (
            "{{mony order.total}}",
            "{{mony order.total}}",
            "there is no helper \"mony\"",
            "did you mean `money`?",
        ),
        (
            "{{#order.items}}x{{/order.items}}",
            "{{#order.items}}",
            "{{#order.items}} is a section; here a block is called if, unless, each or with",
            "{{#each order.items}}",
        ),
        (
            "{{#items}}x{{/items}}",
            "{{#items}}",
            "there is no block \"items\"",
            "{{#each list}}",
        ),
        (
            "{{#if}}x{{/if}}",
            "{{#if}}",
            "{{#if}} takes one value, found 0",
            "for example",
        ),
        (
            "{{> greting}}",
            "{{> greting}}",
            "there is no partial \"greting\" for the language \"en\"",
            "did you mean `greeting`?",
        ),
        (
            "Hello {{#if order.paid}}\n\nfoo\n\n{{/if}}",
            "{{#if order.paid}}",
            "this block begins in one place of the page and ends in another",
            "",
        ),
        (
            "Look: {{items order.items}}",
            "{{items order.items}}",
            "{{items}} is a table and cannot stand inside a paragraph",
            "give it a line of its own",
        ),
        (
            "<p style=\"color:{{item.title}}\">x</p>",
            "{{item.title}}",
            "a value may not stand inside a style",
            "",
        ),
    ] {
        let found = checked(body, Kind::Education);
        let hit = found.iter().find(|(problem, _)| problem.message == message);
        let Some((problem, at)) = hit else {
            panic!("{body}: {found:?}");
        };
        assert_eq!(at, words, "{body}");
        assert!(
            problem.help.iter().any(|line| line.contains(help)) || help.is_empty(),
            "{body}: {problem:?}"
        );
        assert!(problem.file.ends_with("a/b.en.md"));
        for (problem, _) in &found {
            assert!(
                !problem.message.contains("symbol_char")
                    && !problem.message.contains("helper_parameter")
            );
        }
    }
}

#[test]
fn names_are_checked_with_their_types() {
    for (body, code, words, message, help) in [
        (
            "Dear {{customer.last_name}},",
            "E201",
            "customer.last_name",
            "`customer.last_name` may be empty here",
            "{{default customer.last_name",
        ),
        (
            "{{#if customer.name}}{{customer.last_name}}{{/if}}",
            "E201",
            "customer.last_name",
            "`customer.last_name` may be empty here",
            "",
        ),
        (
            "{{#unless customer.last_name}}{{customer.last_name}}{{/unless}}",
            "E201",
            "customer.last_name",
            "`customer.last_name` may be empty here",
            "",
        ),
        (
            "{{#if order.traking_url}}x{{/if}}",
            "E203",
            "order.traking_url",
            "`order.traking_url` does not exist",
            "",
        ),
        (
            "{{costumer.email}}",
            "E203",
            "costumer.email",
            "`costumer.email` does not exist",
            "did you mean `customer.email`?",
        ),
        (
            "{{#if shipment.delivered}}x{{/if}}",
            "E203",
            "shipment.delivered",
            "`shipment` is not known in this step",
            "this step knows customer, item, order",
        ),
        (
            "{{order.placed_at}}",
            "E204",
            "order.placed_at",
            "`order.placed_at` is an instant and cannot be printed as it is",
            "{{date order.placed_at",
        ),
        (
            "{{order.total}}",
            "E204",
            "order.total",
            "`order.total` is an amount of money and cannot be printed as it is",
            "{{money order.total}}",
        ),
        (
            "{{order.items}}",
            "E204",
            "order.items",
            "`order.items` is a list and cannot be printed as it is",
            "{{items order.items}}",
        ),
        (
            "{{order.paid}}",
            "E204",
            "order.paid",
            "`order.paid` is yes or no and cannot be printed as it is",
            "{{#if order.paid}}",
        ),
        (
            "{{money order.order_id}}",
            "E204",
            "order.order_id",
            "`order.order_id` is text, money takes an amount of money",
            "",
        ),
        (
            "{{money order.tax}}",
            "E201",
            "order.tax",
            "`order.tax` may be empty here",
            "{{#if order.tax}}",
        ),
        (
            "{{date order.paid_at \"full\"}}",
            "E205",
            "{{date order.paid_at \"full\"}}",
            "a date cannot be \"full\"",
            "long, medium",
        ),
        (
            "{{#each order.items}}{{shop.name}}{{/each}}",
            "E203",
            "shop.name",
            "`shop.name` does not exist",
            "`@root.shop.name`",
        ),
        (
            "{{#each order.items}}{{this.titel}}{{/each}}",
            "E203",
            "this.titel",
            "`this.titel` does not exist",
            "did you mean `this.title`?",
        ),
        (
            "{{#each order.items}}{{this.product_url}}{{/each}}",
            "E201",
            "this.product_url",
            "`this.product_url` may be empty here",
            "",
        ),
        (
            "{{#each customer.email}}x{{/each}}",
            "E204",
            "{{#each customer.email}}",
            "`customer.email` is no list",
            "",
        ),
        (
            "{{@index}}",
            "E203",
            "@index",
            "`@index` is known only inside {{#each}}",
            "",
        ),
        (
            "{{order.items.title}}",
            "E203",
            "order.items.title",
            "`order.items.title` asks a list for \"title\"",
            "{{#each order.items}}",
        ),
        (
            "{{t \"stopp\"}}",
            "E211",
            "{{t \"stopp\"}}",
            "templates/strings has no \"stopp\"",
            "did you mean `stop`?",
        ),
        (
            "{{plural item.quantity one=\"x\"}}",
            "E205",
            "{{plural item.quantity one=\"x\"}}",
            "`plural` needs other=\"…\"",
            "",
        ),
        (
            "{{link}}",
            "E205",
            "link",
            "`link` takes 1 values, found 0",
            "",
        ),
        (
            "{{> who name=customer.last_name}}",
            "E201",
            "name",
            "`name` may be empty here",
            "",
        ),
        (
            "{{> greeting}}",
            "E203",
            "fallback",
            "`fallback` does not exist",
            "",
        ),
        (
            "{{#if (eq ordr.channel \"web\")}}x{{/if}}",
            "E203",
            "ordr.channel",
            "`ordr.channel` does not exist",
            "did you mean `order.channel`?",
        ),
        (
            "{{#with (complement \"tripod\")}}{{this.product_url}}{{/with}}",
            "E201",
            "this.product_url",
            "`this.product_url` may be empty here",
            "",
        ),
        (
            "[x]({{link order.status_url}})",
            "E201",
            "order.status_url",
            "`order.status_url` may be empty here",
            "",
        ),
    ] {
        let found = checked(body, Kind::Education);
        let hit = found.iter().find(|(problem, _)| problem.message == message);
        let Some((problem, at)) = hit else {
            panic!("{body}: {found:?}");
        };
        assert_eq!(problem.code, code, "{body}");
        assert!(at == words || at.contains(words), "{body}: {at}");
        assert!(
            problem.help.iter().any(|line| line.contains(help)) || help.is_empty(),
            "{body}: {problem:?}"
        );
    }
    for fine in [
        "{{> greeting fallback=\"Hello\"}}",
        "{{#if customer.last_name}}{{customer.last_name}}{{/if}}",
        "{{#if (and customer.last_name order.paid)}}{{customer.last_name}}{{/if}}",
        "{{#unless customer.last_name}}x{{else}}{{customer.last_name}}{{/unless}}",
        "{{#if (not customer.last_name)}}x{{else}}{{customer.last_name}}{{/if}}",
        "{{#with order.ship_to}}{{#if city}}{{city}}{{/if}}{{/with}}",
        "{{#if order.ship_to.city}}{{order.ship_to.city}}{{/if}}",
        "{{default customer.last_name \"friend\"}} {{money order.total}}\n\n{{items order.items}}",
        "{{#each order.items}}{{#if this.product_url}}[{{this.title}}]({{link this.product_url}}){{/if}}{{/each}}",
        "{{#with (complement \"tripod\")}}{{this.title}}{{#if this.price}}{{money this.price}}{{/if}}{{/with}}",
        "{{#if links.status}}[x]({{links.status}}){{/if}}",
    ] {
        assert_eq!(checked(fine, Kind::Education), [], "{fine}");
    }
}

/// What is said of a mail beside some partials: code, file, words, message.
fn among(body: &str, partials: &[(&str, &str)]) -> Vec<(&'static str, String, String, String)> {
    let text = mail(body);
    let mut files = vec![("templates/mail/a/b.en.md", text.as_str())];
    files.extend(partials.iter().copied());
    let files = shop(&files);
    let (templates, mut problems) = Templates::load(&files, &policy());
    problems.extend(templates.check("a/b", &known(), Kind::Education, &["en".into()], None));
    problems
        .into_iter()
        // These mails have no use for most of the words.
        .filter(|one| one.code != "W261")
        .map(|one| {
            let text = &files.iter().find(|(path, _)| *path == one.file).unwrap().1;
            let words = text[one.span].to_owned();
            (
                one.code,
                one.file,
                words,
                format!("{}; {}", one.message, one.help.join("; ")),
            )
        })
        .collect()
}

#[test]
fn a_misspelt_name_is_found_wherever_it_stands() {
    for (body, words, help) in [
        ("{{item.titel}}", "item.titel", "`item.title`"),
        ("{{#if item.titel}}x{{/if}}", "item.titel", "`item.title`"),
        (
            "{{#unless item.titel}}x{{/unless}}",
            "item.titel",
            "`item.title`",
        ),
        (
            "x {{#if order.paid}}a{{else if item.titel}}b{{/if}}",
            "item.titel",
            "`item.title`",
        ),
        (
            "{{#each order.itms}}x{{/each}}",
            "order.itms",
            "`order.items`",
        ),
        (
            "{{#with order.ship_too}}x{{/with}}",
            "order.ship_too",
            "`order.ship_to`",
        ),
        (
            "{{#each order.items}}{{this.titel}}{{/each}}",
            "this.titel",
            "`this.title`",
        ),
        (
            "{{#each order.items as |line|}}{{line.titel}}{{/each}}",
            "line.titel",
            "`line.title`",
        ),
        (
            "{{#each order.items as |line|}}{{lin.title}}{{/each}}",
            "lin.title",
            "`line.title`",
        ),
        (
            "{{#each order.items}}{{../order.order_idd}}{{/each}}",
            "../order.order_idd",
            "`../order.order_id`",
        ),
        ("{{#each order.items}}{{@indx}}{{/each}}", "@indx", "@index"),
        ("{{@index}}", "@index", ""),
        ("{{money order.totl}}", "order.totl", "`order.total`"),
        (
            "{{date order.placed_att \"long\"}}",
            "order.placed_att",
            "`order.placed_at`",
        ),
        (
            "{{default item.titel item.title}}",
            "item.titel",
            "`item.title`",
        ),
        (
            "{{#if (and item.title (eq item.titel \"x\"))}}x{{/if}}",
            "item.titel",
            "`item.title`",
        ),
        (
            "{{t \"hello\" who=item.titel n=1}}",
            "item.titel",
            "`item.title`",
        ),
        (
            "{{plural item.quantiti one=\"a\" other=\"b\"}}",
            "item.quantiti",
            "`item.quantity`",
        ),
        (
            "[x]({{link item.product_ur}})",
            "item.product_ur",
            "`item.product_url`",
        ),
        ("{{> card what=item.titel}}", "item.titel", "`item.title`"),
    ] {
        let found = among(body, &[("templates/partials/card.hbs", "{{what}}")]);
        assert_eq!(found.len(), 1, "{body}: {found:?}");
        assert_eq!(found[0].0, "E203", "{found:?}");
        assert_eq!(found[0].2, words, "{found:?}");
        assert!(found[0].3.contains(help), "{found:?}");
    }
    let found = among("{{#if (an item.title order.paid)}}x{{/if}}", &[]);
    assert_eq!(
        (found[0].0, found[0].2.as_str()),
        ("E205", "an"),
        "{found:?}"
    );
}

#[test]
fn what_may_be_empty_wants_a_guard_in_partials_too() {
    let card = "templates/partials/card.hbs";
    let of = |body: &str, partial: &str| among(body, &[(card, partial)]);
    for (body, partial, file, words) in [
        (
            "{{> card}}",
            "{{item.variant_title}}",
            card,
            "item.variant_title",
        ),
        (
            "{{> card item}}",
            "{{this.variant_title}}",
            card,
            "this.variant_title",
        ),
        (
            "{{> card what=item.variant_title}}",
            "{{what}}",
            card,
            "what",
        ),
        (
            "{{#if item.variant_title}}x{{else}}{{item.variant_title}}{{/if}}",
            "",
            "templates/mail/a/b.en.md",
            "item.variant_title",
        ),
        (
            "{{#if (or item.variant_title order.paid)}}{{item.variant_title}}{{/if}}",
            "",
            "templates/mail/a/b.en.md",
            "item.variant_title",
        ),
        (
            "{{#if (gt item.delivered_at item.dispatched_at)}}x{{/if}}",
            "",
            "templates/mail/a/b.en.md",
            "item.delivered_at",
        ),
    ] {
        let found = of(body, partial);
        assert_eq!(found[0].0, "E201", "{body}: {found:?}");
        assert_eq!(
            (found[0].1.as_str(), found[0].2.as_str()),
            (file, words),
            "{body}: {found:?}"
        );
    }
    for (body, partial) in [
        (
            "{{#if item.variant_title}}{{> card}}{{/if}}",
            "{{item.variant_title}}",
        ),
        (
            "{{#if (and order.paid item.variant_title)}}{{item.variant_title}}{{/if}}",
            "",
        ),
        (
            "{{#if (eq item.variant_title \"red\")}}{{item.variant_title}}{{/if}}",
            "",
        ),
        (
            "{{#unless item.variant_title}}x{{else}}{{item.variant_title}}{{/unless}}",
            "",
        ),
        (
            "{{#if (not item.variant_title)}}x{{else}}{{item.variant_title}}{{/if}}",
            "",
        ),
        (
            "{{#if (and item.delivered_at item.dispatched_at (gt item.delivered_at item.dispatched_at))}}x{{/if}}",
            "",
        ),
        ("{{#with item.variant_title}}{{this}}{{/with}}", ""),
        (
            "{{> card what=(default item.variant_title \"plain\")}}",
            "{{what}}",
        ),
    ] {
        assert_eq!(of(body, partial), [], "{body}");
    }
}

#[test]
fn partials_are_given_what_they_need() {
    let card = ("templates/partials/card.hbs", "{{what}}");
    let found = among("{{> card what=\"a\"}} {{> card}}", &[card]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0, found[0].2.as_str()), ("E215", "{{> card}}"));
    assert!(found[0].3.contains("{{> card what="), "{found:?}");
    let found = among("{{> card what=\"a\"}} {{> card wat=\"b\"}}", &[card]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].0, found[0].2.as_str()),
        ("E205", "{{> card wat=\"b\"}}")
    );
    assert!(found[0].3.contains("did you mean `what`"), "{found:?}");
    // Where nobody gives it, the partial itself is wrong.
    let found = among(
        "{{> card what=\"a\"}}",
        &[("templates/partials/card.hbs", "{{wat}}")],
    );
    let blamed = ("E203", "templates/partials/card.hbs", "wat");
    assert!(
        found
            .iter()
            .any(|one| (one.0, one.1.as_str(), one.2.as_str()) == blamed),
        "{found:?}"
    );
}

#[test]
fn text_parts_set_colons_as_their_language_does() {
    for (locale, text) in [
        ("en", "Guide: https://s.de/a"),
        ("fr", "Guide\u{202f}: https://s.de/a"),
        ("ja", "Guide：https://s.de/a"),
    ] {
        let path = format!("templates/mail/a/b.{locale}.md");
        let strings = format!("templates/strings/{locale}.ftl");
        let mut files = vec![(path.clone(), mail("[Guide](https://s.de/a)"))];
        if locale != "en" {
            files.push((strings, "stop = x\npage = x\n".to_owned()));
        }
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(p, t)| (p.as_str(), t.as_str()))
            .collect();
        let templates = load(&files);
        let context = context_of(values(), locale, &[]);
        let rendered = templates.render("a/b", &[locale.into()], &context).unwrap();
        assert!(rendered.text.contains(text), "{}", rendered.text);
    }
}

#[test]
fn footers_follow_the_kind_and_languages_the_policy() {
    let found = checked("x", Kind::Fulfilment);
    assert!(
        found.iter().all(
            |(problem, at)| problem.code == "E208" && at == "links.unsubscribe"
                || at == "{{links.unsubscribe}}"
        ),
        "{found:?}"
    );
    assert!(!found.is_empty());
    let head = "+++\nsubject = \"x\"\nlayout = \"plain\"\n+++\n";
    let text = format!("{head}Hello");
    let templates = load(&[
        ("templates/mail/a/b.en.md", &text),
        ("templates/mail/a/b.de.md", &text),
    ]);
    let locales = ["en".to_owned(), "de".to_owned(), "ja".to_owned()];
    let check = |kind: Kind, fallback: Option<&str>| -> Vec<String> {
        templates
            .check("a/b", &known(), kind, &locales, fallback)
            .into_iter()
            .map(|problem| format!("{} {}", problem.code, problem.message))
            .collect()
    };
    assert_eq!(check(Kind::Fulfilment, Some("en")), Vec::<String>::new());
    assert_eq!(
        check(Kind::Fulfilment, None),
        ["E210 no Japanese text for \"a/b\""]
    );
    assert!(
        check(Kind::Offer, Some("en"))
            .iter()
            .any(|line| line.contains("`shop.address`"))
    );
    assert!(
        check(Kind::Offer, Some("en"))
            .iter()
            .any(|line| line.contains("`links.unsubscribe`"))
    );
    let text = mail("{{#if order.traking_url}}x{{/if}}");
    let with_parcel = load(&[("templates/mail/a/b.en.md", &text)]);
    let found = with_parcel.check(
        "a/b",
        &known().with("shipment"),
        Kind::Offer,
        &locales[..1],
        None,
    );
    assert_eq!(found[0].help, ["did you mean `shipment.tracking_url`?"]);
    let selling = checked(
        "{{#if item.product_url}}[x]({{link item.product_url}}){{/if}}",
        Kind::Fulfilment,
    );
    assert!(
        selling.iter().any(|(problem, _)| problem.code == "W208"),
        "{selling:?}"
    );
    let unknown = templates.check("a/c", &known(), Kind::Offer, &locales, None);
    assert_eq!(unknown[0].help[0], "did you mean `a/b`?");

    let context = context_of(values(), "de-AT", &[]);
    let chain = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        templates
            .render("a/b", &chain(&["de-AT", "de"]), &context)
            .unwrap()
            .locale,
        "de"
    );
    assert_eq!(
        templates
            .render("a/b", &chain(&["ja", "en"]), &context)
            .unwrap()
            .locale,
        "en"
    );
    assert!(templates.render("a/b", &chain(&["ja"]), &context).is_err());
}

#[test]
fn layouts_are_made_into_html_once_and_their_faults_are_told() {
    for (layout, code, message) in [
        (
            "<mjml><mj-body><mj-section><mj-column><mj-divder /><mj-text>{{{content}}}</mj-text></mj-column></mj-section></mj-body></mjml>",
            "E220",
            "MJML has no element \"mj-divder\"; it would vanish without a word",
        ),
        (
            "<mjml><mj-body><mj-include path=\"/etc/passwd\" /></mj-body></mjml>",
            "E225",
            "mj-include is not allowed",
        ),
        (
            "<mjml><mj-body><mj-section><mj-column><mj-text>Hi</mj-text></mj-column></mj-section></mj-body></mjml>",
            "E212",
            "this layout has no place for the mail",
        ),
    ] {
        let mut files = shop(&[("templates/mail/a/b.en.md", &mail("x"))]);
        files[0].1 = layout.into();
        let (_, problems) = read(&files, &policy());
        assert_eq!(problems[0].message, message);
        assert_eq!(problems[0].code, code);
    }
    let (_, problems) = read(
        &shop(&[(
            "templates/mail/a/b.en.md",
            "+++\nsubject = \"x\"\nlayout = \"defalt\"\n+++\nx",
        )]),
        &policy(),
    );
    assert_eq!(problems[0].help[0], "did you mean `default`?");
    assert_eq!(
        position(
            "+++\nsubject = \"x\"\nlayout = \"defalt\"\n",
            problems[0].span.start
        ),
        (3, 11)
    );
    let broken = "<mjml><mj-body><mj-section>{{{content}}}";
    let mut files = shop(&[("templates/mail/a/b.en.md", &mail("x"))]);
    files[0].1 = broken.into();
    let (_, problems) = read(&files, &policy());
    assert!(
        problems[0].message == "<mj-section> is never closed"
            || problems.iter().any(|one| one.code == "E224"),
        "{problems:?}"
    );
}

#[test]
fn blocks_around_rows_stay_in_their_table() {
    let body = "<table>{{#each order.items}}<tr><td>{{this.title}}</td></tr>{{/each}}</table>";
    let rendered = render(body);
    assert_eq!(
        rendered.html.matches("<tr><td>").count(),
        2,
        "{}",
        inside(&rendered.html)
    );
    let page = format!(
        "+++\nsubject = \"x\"\n+++\n<!doctype html><html><body>{body}<a href=\"{{{{shop.url}}}}\">Shop</a></body></html>"
    );
    let templates = load(&[("templates/mail/a/b.en.html", &page)]);
    let rendered = templates
        .render("a/b", &["en".into()], &context_of(values(), "en", &[]))
        .unwrap();
    assert!(
        rendered
            .html
            .contains("<tr><td>Camera</td></tr><tr><td>Card</td></tr>")
    );
    assert!(
        rendered.text.contains("Camera") && rendered.text.contains("https://shop.example"),
        "{}",
        rendered.text
    );
    let templates = load(&[
        ("templates/mail/a/b.en.html", &page),
        (
            "templates/mail/a/b.en.txt",
            "Own words, {{customer.first_name}}",
        ),
    ]);
    let rendered = templates
        .render("a/b", &["en".into()], &context_of(values(), "en", &[]))
        .unwrap();
    assert_eq!(rendered.text, "Own words, Ann\n");
    let mjml = "+++\nsubject = \"x\"\n+++\n<mjml><mj-body>{{#if order.paid}}<mj-section><mj-column><mj-text>Paid</mj-text></mj-column></mj-section>{{/if}}</mj-body></mjml>";
    let (templates, problems) = read(&shop(&[("templates/mail/a/b.en.mjml", mjml)]), &policy());
    if problems.is_empty() {
        let rendered = templates
            .render("a/b", &["en".into()], &context_of(values(), "en", &[]))
            .unwrap();
        assert!(rendered.html.contains("Paid"));
    } else {
        assert_eq!(problems[0].code, "E212");
    }
}

#[test]
fn japanese_emphasis_and_money_come_out_right() {
    let text = mail("**ダイヤルをAに。**次に**「絞り」**を、**設定**。合計{{money order.total}}");
    let (templates, problems) = read(
        &shop(&[
            ("templates/mail/a/b.ja.md", &text),
            ("templates/strings/ja.ftl", "stop = 停止"),
        ]),
        &LoadPolicy {
            locales: vec!["ja".into()],
            fallback: None,
            ..LoadPolicy::default()
        },
    );
    assert_eq!(problems, []);
    let mut yen = values();
    yen["order"]["total"] = json!({"amount": 4200, "currency": "JPY"});
    let rendered = templates
        .render("a/b", &["ja".into()], &context_of(yen, "ja", &[]))
        .unwrap();
    assert!(rendered.html.contains("<strong>ダイヤルをAに。</strong>次に<strong>「絞り」</strong>を、<strong>設定</strong>。合計￥4,200"), "{}", rendered.html);
    assert!(!rendered.text.contains('*'));
}

#[test]
fn pages_speak_the_readers_language() {
    let templates = load(&[(
        "templates/pages/stop.hbs",
        "<html><body>{{#if done}}done{{else}}<form action=\"{{action}}\">{{t \"page\"}} {{shop.name}}</form>{{/if}}</body></html>",
    )]);
    let values = json!({"action": "/u/abc", "done": false, "shop": {"name": "A & B"}});
    let go = |tags: &[&str]| {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        page(
            &templates,
            "stop",
            &tags,
            values.as_object().unwrap().clone(),
        )
        .unwrap()
    };
    assert_eq!(
        go(&["de-AT", "en"]),
        "<html><body><form action=\"/u/abc\">Ihre E-Mails A &amp; B</form></body></html>"
    );
    assert!(
        go(&["xx"]).contains("E-Mails"),
        "any language rather than none"
    );
    assert!(page(&templates, "other", &["en".into()], Default::default()).is_err());
}

#[test]
fn half_written_files_are_told_and_break_nothing() {
    let whole = "+++\nsubject = \"{{#if order.paid}}Paid {{item.title}}{{else}}Open{{/if}}\"\nraw = [\"item.title\"]\n+++\n{{> greeting fallback=\"Hi\"}} **{{item.title}}**\n\n{{#each order.items as |line|}}\n- [{{line.title}}]({{link line.product_url}} \"t\") {{~ this.title ~}}\n{{else if (and order.paid (not (eq 1 -2.5)))}}\n> {{{item.title}}} \\{{x}} {{!-- no --}}\n{{/each}}\n日本語**「x」**。\n";
    let greeting = "{{#if customer.first_name}}Hello {{../x}} {{@root.y}} {{@../index}}{{else}}{{fallback}}{{/if}}";
    let parts = [
        ("templates/mail/a/b.en.md", whole),
        ("templates/partials/greeting.hbs", greeting),
        ("templates/strings/en.ftl", "stop = Unsubscribe"),
        ("templates/layouts/default.mjml", LAYOUT),
    ];
    for (at, (_, text)) in parts.iter().enumerate() {
        // MJML takes longer to read; a sample of places is enough.
        let stride = if at == 3 { 37 } else { 3 };
        for (cut, _) in text.char_indices().step_by(stride) {
            for doubled in [false, true] {
                let mut files: Files = parts
                    .iter()
                    .map(|(path, text)| ((*path).into(), (*text).into()))
                    .collect();
                files[at].1 = if doubled {
                    format!(
                        "{}{}",
                        &text[..cut],
                        &text[cut..].chars().skip(1).collect::<String>()
                    )
                } else {
                    text[..cut].to_owned()
                };
                let (templates, problems) = read(&files, &policy());
                for problem in problems.iter().chain(&templates.check(
                    "a/b",
                    &known(),
                    Kind::Education,
                    &["en".into()],
                    None,
                )) {
                    let file = files.iter().find(|(path, _)| *path == problem.file);
                    if let Some((_, text)) = file {
                        assert!(
                            text.get(problem.span.clone()).is_some(),
                            "{problem} {:?}",
                            problem.span
                        );
                    }
                }
                let _ = templates.render("a/b", &["en".into()], &context_of(values(), "en", &[]));
            }
        }
    }
}
