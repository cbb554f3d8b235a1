//! Words in Fluent files, right-to-left mails, links and lists, from files to bytes.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::{Campaign, Context, LoadPolicy, Rendered, Templates};
use crate::model::diagnostic::{Diagnostic, position};
use crate::model::kind::Kind;
use crate::model::names::Known;
use crate::model::policy::CampaignParameters;
use crate::model::product::Products;
use crate::model::time::TimeZone;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

const LAYOUT: &str = r#"<mjml lang="{{mail.locale}}" dir="{{mail.dir}}">
<mj-head><mj-style>.content ul { padding: 0; padding-{{mail.start}}: 22px; }</mj-style></mj-head>
<mj-body><mj-section><mj-column>
<mj-text css-class="content" align="{{mail.start}}">{{{content}}}</mj-text>
<mj-text align="{{mail.end}}">{{shop.name}}, {{shop.address}} <a href="{{links.unsubscribe}}">x</a></mj-text>
</mj-column></mj-section></mj-body></mjml>"#;

fn files(given: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all = vec![(
        "templates/layouts/default.mjml".to_owned(),
        LAYOUT.to_owned(),
    )];
    for (path, text) in given {
        all.retain(|(had, _)| had != path);
        all.push(((*path).to_owned(), (*text).to_owned()));
    }
    all.sort();
    all
}

fn policy(locales: &[&str]) -> LoadPolicy {
    LoadPolicy {
        locales: locales.iter().map(|one| (*one).to_owned()).collect(),
        ..LoadPolicy::default()
    }
}

fn mail(body: &str) -> String {
    format!("+++\nsubject = \"About {{{{order.order_number}}}}\"\n+++\n{body}\n")
}

fn context(locale: &str, values: Value) -> Context {
    let mut all = json!({
        "customer": {"first_name": "Ann", "tags": ["a", "b", "c"]},
        "order": {
            "order_number": "#1042",
            "total": {"amount": 4200, "currency": "EUR"},
            "items": [{"title": "Nikon Z8", "variant_title": null, "quantity": 1}, {"title": "Card", "variant_title": "64 GB", "quantity": 2}],
        },
        "shop": {"name": "Harbor & Pine", "url": "https://shop.example", "address": "12 Quay Street"},
        "sender": {"name": "Aya", "email": "aya@shop.example", "reply_to": "aya@shop.example"},
        "links": {"unsubscribe": "https://m.example/u/abc", "preferences": "https://m.example/u/def", "status": null},
    });
    for (name, value) in values.as_object().unwrap() {
        all[name] = value.clone();
    }
    let Value::Object(values) = all else {
        unreachable!("an object")
    };
    Context::new(
        values,
        locale.into(),
        TimeZone::get("Europe/Berlin").unwrap(),
        Arc::new(Products::default()),
        BTreeSet::new(),
        None,
        Campaign {
            sequence: "care".into(),
            step: "basics".into(),
        },
    )
}

fn render(given: &[(&str, &str)], shop: &LoadPolicy, locale: &str) -> Rendered {
    let (templates, problems) = Templates::load(&files(given), shop);
    assert_eq!(problems, []);
    templates
        .render("a/b", &[locale.to_owned()], &context(locale, json!({})))
        .unwrap()
}

/// Problems of loading and of checking `a/b`, with the words they are about.
fn problems(given: &[(&str, &str)], shop: &LoadPolicy) -> Vec<(Diagnostic, String, u32)> {
    let files = files(given);
    let (templates, mut found) = Templates::load(&files, shop);
    let known = Known::customer().with("order").with("item");
    if templates.mails().any(|mail| mail == "a/b") {
        found.extend(templates.check(
            "a/b",
            &known,
            Kind::Education,
            &shop.locales,
            shop.fallback.as_deref(),
        ));
    }
    found
        .into_iter()
        .filter(|problem| !matches!(problem.code, "E201" | "E210"))
        .map(|problem| {
            let text = files
                .iter()
                .find(|(path, _)| *path == problem.file)
                .map_or("", |(_, text)| text.as_str());
            let words = text
                .get(problem.span.clone())
                .unwrap_or_default()
                .to_owned();
            let line = position(text, problem.span.start).0;
            (problem, words, line)
        })
        .collect()
}

#[test]
fn words_know_plurals_terms_and_each_other() {
    let strings = "-shop = Harbor\n    .gender = feminine\nhello = Hello { $who }, { parcels }\nparcels = { $n ->\n    [0] no parcels\n    [one] one parcel\n   *[other] { $n } parcels\n} from { -shop }\nplace = { NUMBER($n, type: \"ordinal\") ->\n    [one] { $n }st\n    [two] { $n }nd\n    [few] { $n }rd\n   *[other] { $n }th\n}\nwhose = { -shop.gender ->\n    [feminine] hers\n   *[other] its\n}\ncurly = { \"{\" }x{ \"}\" }";
    let body = mail(
        "{{t \"hello\" who=customer.first_name n=1234}} | {{t \"hello\" who=\"Bo\" n=1}} | {{t \"parcels\" n=0}} | {{t \"place\" n=22}} {{t \"place\" n=3}} | {{t \"whose\"}} {{t \"curly\"}}",
    );
    let rendered = render(
        &[
            ("templates/mail/a/b.en.md", &body),
            ("templates/strings/en.ftl", strings),
        ],
        &policy(&["en"]),
        "en",
    );
    let text = rendered.text.replace('\n', " ");
    assert!(
        text.starts_with("Hello Ann, 1,234 parcels from Harbor | Hello Bo, one parcel from Harbor | no parcels from Harbor | 22nd 3rd | hers {x}"),
        "{text}"
    );
}

#[test]
fn polish_has_four_forms() {
    let strings = "parcels = { $n ->\n    [one] { $n } paczka\n    [few] { $n } paczki\n    [many] { $n } paczek\n   *[other] { $n } paczki\n}";
    let body = mail(
        "{{t \"parcels\" n=1}}, {{t \"parcels\" n=2}}, {{t \"parcels\" n=5}}, {{t \"parcels\" n=22}}",
    );
    let rendered = render(
        &[
            ("templates/mail/a/b.pl.md", &body),
            ("templates/strings/pl.ftl", strings),
        ],
        &policy(&["pl"]),
        "pl",
    );
    assert!(
        rendered
            .text
            .starts_with("1 paczka, 2 paczki, 5 paczek, 22 paczki"),
        "{}",
        rendered.text
    );
}

#[test]
fn slips_in_words_are_told_at_their_place() {
    let body = mail("{{t \"one\"}}");
    let of = |strings: &str, body: &str| {
        problems(
            &[
                ("templates/mail/a/b.en.md", &mail(body)),
                ("templates/strings/en.ftl", strings),
            ],
            &policy(&["en"]),
        )
    };
    for (strings, body, code, words, line, help) in [
        (
            "one = 1\ntwo 2\n",
            "{{t \"one\"}}",
            "E260",
            "two 2",
            2,
            "name = Words",
        ),
        (
            "one = { $n ->\n    [one] a\n    [other] b\n}\n",
            "{{t \"one\" n=1}}",
            "E261",
            "",
            0,
            "star",
        ),
        (
            "one = 1",
            "{{t \"onee\"}}",
            "E211",
            "{{t \"onee\"}}",
            4,
            "did you mean `one`?",
        ),
        (
            "one = { $who }",
            "{{t \"one\"}}",
            "E263",
            "{{t \"one\"}}",
            4,
            "$who",
        ),
        (
            "one = { $who }",
            "{{t \"one\" hwo=\"x\"}}",
            "E263",
            "{{t \"one\" hwo=\"x\"}}",
            4,
            "instead of `hwo`",
        ),
        (
            "one = 1",
            "{{t \"one\" n=2}}",
            "W263",
            "{{t \"one\" n=2}}",
            4,
            "leave it out",
        ),
        (
            "one = { tow }\ntwo = 2",
            "{{t \"one\"}} {{t \"two\"}}",
            "E264",
            "tow",
            1,
            "did you mean `two`?",
        ),
        (
            "one = { two }\ntwo = { one }",
            "{{t \"one\"}}",
            "E265",
            "one",
            2,
            "one → two → one",
        ),
        (
            "one = { DATETIME($d) }",
            "{{t \"one\"}}",
            "E266",
            "DATETIME",
            1,
            "template",
        ),
        (
            "one = 1\n    .title = 2",
            "{{t \"one\"}}",
            "E266",
            "title",
            2,
            "message of its own",
        ),
        (
            "one = 1\none = 2",
            "{{t \"one\"}}",
            "E267",
            "one",
            2,
            "last one",
        ),
        (
            "one = 1\ntwo = 2",
            "{{t \"one\"}}",
            "W261",
            "two",
            2,
            "take it out",
        ),
        (
            "one = { $n ->\n    [one] a\n    [few] b\n   *[other] c\n}",
            "{{t \"one\" n=1}}",
            "W265",
            "n",
            1,
            "never taken",
        ),
    ] {
        let found = of(strings, body);
        let codes: Vec<&str> = found.iter().map(|(problem, ..)| problem.code).collect();
        let hit = found.iter().find(|(problem, ..)| problem.code == code);
        let (problem, at, on) = hit.unwrap_or_else(|| panic!("{strings}: {code} in {found:#?}"));
        if line > 0 {
            assert_eq!((at.as_str(), *on), (words, line), "{problem}");
        }
        assert!(problem.help.join(" ").contains(help), "{:?}", problem.help);
        assert_eq!(
            codes.iter().filter(|one| **one == code).count(),
            1,
            "{codes:?}"
        );
    }
    assert!(
        problems(
            &[
                ("templates/mail/a/b.en.md", &body),
                ("templates/strings/en.ftl", "one = 1")
            ],
            &policy(&["en"])
        )
        .is_empty()
    );
    let old = problems(
        &[
            ("templates/mail/a/b.en.md", &mail("x")),
            ("templates/strings/en.toml", "one = \"1\""),
        ],
        &policy(&["en"]),
    );
    assert_eq!(old[0].0.code, "E268");
}

#[test]
fn a_language_that_lacks_words_is_told_once() {
    let body = mail("{{t \"one\"}} {{t \"two\"}}");
    let given = [
        ("templates/mail/a/b.en.md", body.as_str()),
        ("templates/mail/a/b.de.md", body.as_str()),
        ("templates/strings/en.ftl", "one = 1\ntwo = 2"),
        ("templates/strings/de.ftl", "# noch nichts"),
    ];
    let mut shop = policy(&["en", "de"]);
    let found = problems(&given, &shop);
    let said: Vec<String> = found
        .iter()
        .map(|(problem, ..)| problem.to_string())
        .collect();
    assert_eq!(
        said,
        ["error[E262]: templates/strings/de.ftl: no German words for `one`, `two`"]
    );
    shop.fallback = Some("en".into());
    let found = problems(&given, &shop);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0.code, "W262");
    let (templates, _) = Templates::load(&files(&given), &shop);
    let rendered = templates
        .render("a/b", &["de".into()], &context("de", json!({})))
        .unwrap();
    assert!(rendered.text.starts_with("1 2"));
}

#[test]
fn a_mail_in_arabic_runs_from_right_to_left() {
    let body = mail(
        "مرحبا {{customer.first_name}}، طلبك {{order.order_number}} في الطريق.\n\n{{t \"thanks\" what=\"Nikon Z8\"}}\n\n{{list order.items}}\n\n{{money order.total}}\n\n{{items order.items}}",
    );
    let rendered = render(
        &[
            ("templates/mail/a/b.ar.md", &body),
            ("templates/strings/ar.ftl", "thanks = شكرا على { $what }"),
        ],
        &policy(&["ar"]),
        "ar",
    );
    let html = &rendered.html;
    assert!(html.contains("lang=\"ar\" dir=\"rtl\""), "{html}");
    assert!(
        html.contains("text-align:right"),
        "the words begin at the right"
    );
    assert!(
        html.contains("padding-right: 22px"),
        "lists are indented there"
    );
    assert!(
        html.contains("text-align:left"),
        "and what is set to the end, at the left"
    );
    assert!(
        html.contains("<bdi>Ann</bdi>") && html.contains("<bdi>#1042</bdi>"),
        "{html}"
    );
    assert!(html.contains("شكرا على <bdi>Nikon Z8</bdi>"));
    assert!(
        html.contains("<bdi>Nikon Z8</bdi> و<bdi>Card</bdi>"),
        "{html}"
    );
    assert!(!html.contains('\u{2068}') && !html.contains("{{"));
    assert_eq!(
        html.matches("<bdi>").count(),
        html.matches("</bdi>").count()
    );
    assert_eq!(rendered.subject, "About \u{2068}#1042\u{2069}");
    assert!(
        rendered
            .text
            .contains("طلبك \u{2068}#1042\u{2069} في الطريق."),
        "{}",
        rendered.text
    );
}

#[test]
fn hebrew_words_in_an_english_sentence_keep_to_themselves() {
    let body = mail(
        "Dear {{customer.first_name}}, <span title=\"{{customer.first_name}}\">hello</span> {{order.order_number}}",
    );
    let (templates, problems) = Templates::load(
        &files(&[("templates/mail/a/b.en.md", &body)]),
        &policy(&["en"]),
    );
    assert_eq!(problems, []);
    let who = json!({"customer": {"first_name": "שירה\u{202e}"}});
    let rendered = templates
        .render("a/b", &["en".into()], &context("en", who))
        .unwrap();
    assert!(
        rendered.html.contains("Dear <bdi>שירה</bdi>,"),
        "{}",
        rendered.html
    );
    assert!(
        rendered.html.contains("title=\"\u{2068}שירה\u{2069}\""),
        "no element inside an attribute"
    );
    assert!(rendered.html.contains("dir=\"ltr\"") && !rendered.html.contains("<bdi>#1042"));
    assert!(rendered.text.contains("Dear \u{2068}שירה\u{2069},"));
}

#[test]
fn a_layout_without_direction_is_told_where_a_language_needs_it() {
    let layout = "<html lang=\"{{mail.locale}}\"><body>{{{content}}}{{shop.address}}<a href=\"{{links.unsubscribe}}\">x</a></body></html>";
    let given = |locale: &str| {
        let path = format!("templates/mail/a/b.{locale}.md");
        let given = [
            (path.as_str(), "+++\nsubject = \"x\"\n+++\nx\n"),
            ("templates/layouts/default.mjml", LAYOUT),
            ("templates/layouts/a.html", layout),
        ];
        problems(&given, &policy(&[locale]))
    };
    let arabic = given("ar");
    assert_eq!(arabic.len(), 1, "{arabic:?}");
    assert_eq!(arabic[0].0.code, "W266");
    assert!(given("en").is_empty());
}

#[test]
fn links_keep_what_they_have_and_carry_the_shops_parameters() {
    let link = |address: &str, campaign: CampaignParameters| {
        let body = mail("[x]({{link customer.address}}) {{customer.first_name}}");
        let shop = LoadPolicy {
            campaign,
            ..policy(&["en"])
        };
        let (templates, problems) =
            Templates::load(&files(&[("templates/mail/a/b.en.md", &body)]), &shop);
        assert_eq!(problems, []);
        let who = json!({"customer": {"first_name": "Ann", "address": address}});
        templates
            .render("a/b", &["en".into()], &context("en", who))
            .map(|rendered| {
                let from = rendered.text.find('<').unwrap() + 1;
                let to = rendered.text.find('>').unwrap();
                rendered.text[from..to].to_owned()
            })
    };
    let usual = CampaignParameters::default;
    const UTM: &str = "utm_source=aftercare&utm_medium=email&utm_campaign=care&utm_content=basics";
    for (address, wanted) in [
        (
            "https://shop.example/a",
            format!("https://shop.example/a?{UTM}"),
        ),
        (
            "https://shop.example/a?x=1",
            format!("https://shop.example/a?x=1&{UTM}"),
        ),
        (
            "https://shop.example/a#b",
            format!("https://shop.example/a?{UTM}#b"),
        ),
        (
            "https://shop.example/a?utm_source=own#b",
            format!(
                "https://shop.example/a?utm_source=own&{}#b",
                UTM.split_once('&').unwrap().1
            ),
        ),
        (
            "https://other.example/",
            format!("https://other.example/?{UTM}"),
        ),
    ] {
        assert_eq!(link(address, usual()).unwrap(), wanted);
    }
    for bad in [
        "mailto:a@b.example",
        "javascript:alert(1)",
        "ftp://x.example/",
        "/relative",
    ] {
        assert!(link(bad, usual()).is_err(), "{bad}");
    }
    let own = CampaignParameters {
        source: "post".into(),
        medium: String::new(),
        campaign: "{sequence}-{locale}".into(),
        content: String::new(),
        elsewhere: false,
        ..usual()
    };
    assert_eq!(
        link("https://shop.example/a", own.clone()).unwrap(),
        "https://shop.example/a?utm_source=post&utm_campaign=care-en"
    );
    assert_eq!(
        link("https://other.example/a", own).unwrap(),
        "https://other.example/a"
    );
}

#[test]
fn stars_speak_and_replace_an_older_rating() {
    let body = mail("{{stars \"https://shop.example/r?rating=9&x=1#form\"}}");
    let strings =
        "stars = { $n ->\n    [one] { $n } star of { $of }\n   *[other] { $n } stars of { $of }\n}";
    let rendered = render(
        &[
            ("templates/mail/a/b.en.md", &body),
            ("templates/strings/en.ftl", strings),
        ],
        &policy(&["en"]),
        "en",
    );
    assert!(
        rendered.html.contains("aria-label=\"1 star of 5\"")
            && rendered.html.contains("aria-label=\"4 stars of 5\""),
        "{}",
        rendered.html
    );
    assert_eq!(rendered.html.matches("aria-hidden=\"true\">★").count(), 5);
    assert!(rendered.html.contains("?x=1&amp;utm_source=aftercare"));
    assert!(rendered.html.contains("rating=4#form") && !rendered.html.contains("rating=9"));
    assert!(
        rendered.text.contains("★★★☆☆ 3 stars of 5:"),
        "{}",
        rendered.text
    );
}

#[test]
fn lists_are_joined_as_the_language_does() {
    let body = mail(
        "{{list customer.tags}}; {{list customer.tags type=\"or\"}}; {{list order.items}}; {{list order.items \"quantity\"}}; {{list order.items type=\"unit\"}}",
    );
    let rendered = render(
        &[("templates/mail/a/b.de.md", &body)],
        &policy(&["de"]),
        "de",
    );
    assert!(
        rendered
            .text
            .starts_with("a, b und c; a, b oder c; Nikon Z8 und Card; 1 und 2; Nikon Z8, Card"),
        "{}",
        rendered.text
    );
}

#[test]
fn a_brand_has_its_own_clothes_and_borrows_the_rest() {
    let given = |head: &str| {
        let mail = format!(
            "+++\nsubject = \"x\"\n{head}+++\n{{{{> hello}}}} {{{{> bye}}}} {{{{t \"name\"}}}} {{{{t \"stop\"}}}}\n"
        );
        files(&[
            ("templates/mail/a/b.en.md", &mail),
            ("templates/partials/hello.hbs", "Hello"),
            ("templates/partials/bye.hbs", "Bye"),
            ("templates/strings/en.ftl", "name = Common\nstop = Stop"),
            ("templates/brands/outlet/partials/hello.hbs", "Outlet hello"),
            (
                "templates/brands/outlet/layouts/default.html",
                "<html dir=\"{{mail.dir}}\"><body>OUTLET {{{content}}}{{shop.address}}<a href=\"{{links.unsubscribe}}\">x</a></body></html>",
            ),
            ("templates/brands/outlet/strings/en.ftl", "name = Outlet"),
        ])
    };
    let made = |head: &str, brand: Option<&str>| {
        let shop = LoadPolicy {
            brand: brand.map(str::to_owned),
            ..policy(&["en"])
        };
        let (templates, problems) = Templates::load(&given(head), &shop);
        let rendered = templates.render("a/b", &["en".into()], &context("en", json!({})));
        (rendered.map(|one| (one.text, one.html)), problems)
    };
    let (common, problems) = made("", None);
    assert_eq!(problems, []);
    assert!(common.unwrap().0.starts_with("Hello Bye Common Stop"));
    for (head, brand) in [("brand = \"outlet\"\n", None), ("", Some("outlet"))] {
        let (own, problems) = made(head, brand);
        assert_eq!(problems, []);
        let (text, html) = own.unwrap();
        assert!(text.starts_with("Outlet hello Bye Outlet Stop"), "{text}");
        assert!(html.contains("OUTLET"));
    }
    let (_, problems) = made("brand = \"oulet\"\n", None);
    assert_eq!(problems[0].code, "E269");
    assert_eq!(problems[0].help[0], "did you mean \"outlet\"?");
    let (_, problems) = made("", Some("nobody"));
    assert_eq!(
        (problems[0].code, problems[0].file.as_str()),
        ("E269", "config/store.toml")
    );
}

#[test]
fn what_did_not_change_is_taken_over_and_the_outcome_is_the_same() {
    let first = mail("{{> hello}} one");
    let mut files = files(&[
        ("templates/mail/a/b.en.md", &first),
        (
            "templates/mail/a/c.en.md",
            &mail("two {{customer.first_name}}"),
        ),
        ("templates/partials/hello.hbs", "Hello"),
    ]);
    let shop = policy(&["en"]);
    let (before, problems) = Templates::load(&files, &shop);
    assert_eq!(problems, []);
    let change = |files: &mut Vec<(String, String)>, path: &str, text: &str| {
        files.iter_mut().find(|(had, _)| had == path).unwrap().1 = text.to_owned();
    };
    change(&mut files, "templates/partials/hello.hbs", "Good morning");
    let (after, _) = Templates::load_after(&files, &shop, Some(&before));
    let of = |templates: &Templates, mail: &str| Arc::as_ptr(&templates.mails[mail]["en"]);
    assert_ne!(of(&before, "a/b"), of(&after, "a/b"), "its partial changed");
    assert_eq!(
        of(&before, "a/c"),
        of(&after, "a/c"),
        "it has no part in that"
    );
    assert_ne!(before.fingerprint("a/b"), after.fingerprint("a/b"));
    assert_eq!(before.fingerprint("a/c"), after.fingerprint("a/c"));
    let (fresh, _) = Templates::load(&files, &shop);
    let render = |templates: &Templates| {
        templates
            .render("a/b", &["en".into()], &context("en", json!({})))
            .unwrap()
    };
    assert_eq!(render(&after), render(&fresh));
    assert!(render(&after).text.starts_with("Good morning one"));
    change(&mut files, "templates/mail/a/b.en.md", "broken");
    let (_, told) = Templates::load_after(&files, &shop, Some(&after));
    let (_, anew) = Templates::load(&files, &shop);
    assert_eq!(told, anew);
    assert_eq!(told.len(), 1);
}

#[test]
fn words_that_only_a_brand_has_are_lacked_by_its_other_languages() {
    let body = mail("x");
    let given = [
        ("templates/mail/a/c.en.md", body.as_str()),
        ("templates/mail/a/b.en.md", body.as_str()),
        ("templates/mail/a/b.de.md", body.as_str()),
        ("templates/strings/en.ftl", "one = 1"),
        ("templates/strings/de.ftl", "one = 1"),
        ("templates/brands/outlet/strings/en.ftl", "claim = Cheap"),
        (
            "templates/brands/outlet/partials/claim.hbs",
            "{{t \"claim\"}} {{t \"one\"}}",
        ),
    ];
    let said = |given: &[(&str, &str)]| -> Vec<String> {
        let found = problems(given, &policy(&["en", "de"]));
        let all = found.iter().map(|(problem, ..)| problem.to_string());
        all.filter(|one| one.contains("E262")).collect()
    };
    assert_eq!(
        said(&given),
        ["error[E262]: templates/brands/outlet/strings/de.ftl: no German words for `claim`"]
    );
    let mut whole = given.to_vec();
    whole.push(("templates/brands/outlet/strings/de.ftl", "claim = Billig"));
    assert_eq!(said(&whole), [""; 0]);
    // The common words stand behind a brand's.
    whole.pop();
    whole[3].1 = "one = 1\nclaim = Good";
    whole[4].1 = "one = 1\nclaim = Gut";
    assert_eq!(said(&whole), [""; 0]);
}
