//! The pages of the reference, made from the tables in the code: what `check` holds files
//! to is what the book says. `AFTERCARE_BLESS=1` brings them up to date (`tools`).

use aftercare::model::codes;
use aftercare::model::event::{DerivedKind, EventKind, FactKind};
use aftercare::model::kind::{Kind, OnUncertain, Scope};
use aftercare::model::names::{self, Field, Type};
use aftercare::render::functions::{self, Signature};
use aftercare::sequence::condition::CALLS;
use aftercare::sequence::keys::KINDS_OF_FILE;
use aftercare::sequence::schema;
use std::fmt::Write as _;

/// What begins the part of the table of contents that lists the codes.
const CODES: &str = "- [Codes](reference/codes.md)\n";

/// Every page that is made: its path under `docs/`, and its text.
pub fn pages() -> Vec<(&'static str, String)> {
    vec![
        ("reference/keys.md", schema::reference(&KINDS_OF_FILE)),
        ("reference/names.md", names()),
        ("reference/facts.md", facts()),
        ("reference/kinds.md", kinds()),
        ("reference/helpers.md", helpers()),
        ("reference/functions.md", calls()),
        ("reference/codes.md", all_codes()),
    ]
}

/// The table of contents with every code below the chapter of codes.
pub fn summary(had: &str) -> String {
    let (before, rest) = had.split_once(CODES).unwrap();
    let after: String = rest
        .split_inclusive('\n')
        .skip_while(|line| line.starts_with("  - "))
        .collect();
    let listed = codes::all().iter().fold(String::new(), |mut text, page| {
        let _ = writeln!(
            text,
            "  - [{}: {}](codes/{}.md)",
            page.code,
            in_link(&page.title),
            page.code
        );
        text
    });
    format!("{before}{CODES}{listed}{after}")
}

/// A text that may stand in the brackets of a link.
fn in_link(text: &str) -> String {
    text.replace('[', "\\[").replace(']', "\\]")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn type_of(of: Type) -> String {
    match of {
        Type::Text => "text".to_owned(),
        Type::Int => "int".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Instant => "instant".to_owned(),
        Type::Money => "money".to_owned(),
        Type::List(Type::Object(fields)) if *fields == names::ITEM => "list of items".to_owned(),
        Type::List(Type::Object(fields)) if *fields == names::SHIPMENT => {
            "list of parcels".to_owned()
        }
        Type::List(Type::Any) => "list".to_owned(),
        Type::List(of) => format!("list of {}", type_of(*of)),
        Type::Object(_) => "object".to_owned(),
        Type::Any => "any".to_owned(),
    }
}

/// The rows of an object, and of those inside it that stand nowhere else.
fn rows(text: &mut String, above: &str, fields: &[Field]) {
    for field in fields {
        let name = format!("{above}{}", field.name);
        let null = if field.optional { "yes" } else { "" };
        let _ = writeln!(
            text,
            "| `{name}` | {} | {null} | {} |",
            type_of(field.of),
            cell(field.says)
        );
        if let Type::Object(inside) = field.of {
            rows(text, &format!("{name}."), inside);
        }
    }
}

fn group(text: &mut String, field: &Field) {
    let _ = write!(text, "\n### {}\n\n{}\n\n", field.name, field.says);
    text.push_str("| Name | Type | Null | Holds |\n|---|---|---|---|\n");
    match field.of {
        Type::Object(fields) => rows(text, &format!("{}.", field.name), fields),
        _ => rows(text, "", &[*field]),
    }
}

fn names() -> String {
    let mut text = String::from(
        "# Names\n\nWhat conditions and mails may name. Which of these a place knows depends on \
         what the sequence starts on and on its key: see \
         [which names are known](../sequences.md#which-names-are-known).\n\n\
         A name that may be null wants `has(…)` or `!= null` in conditions, and `{{#if}}` or \
         `{{default}}` in mails. Money has `amount`, in minor units (cents of the euro), and \
         `currency`. `now` is an instant that conditions alone know.\n\n\
         ## In conditions and mails\n",
    );
    for field in names::SHARED {
        group(&mut text, field);
        if field.name == "item" {
            text.push_str(
                "\nThe same names has each element of `order.items`, `order.items_to_come`, \
                 `shipment.items` and `enrolment.items`.\n",
            );
        }
        if field.name == "shipment" {
            text.push_str("\nThe same names has each element of `order.shipments`.\n");
        }
    }
    text.push_str("\n## In mails alone\n");
    for field in names::IN_MAILS {
        group(&mut text, field);
    }
    text.push_str(
        "\n## In pages\n\nPages of `templates/pages` know these and no others.\n\n\
         | Name | Type | Null | Holds |\n|---|---|---|---|\n",
    );
    rows(&mut text, "", names::IN_PAGES);
    text
}

fn facts() -> String {
    fn row(text: &mut String, fact: FactKind) {
        let stands = match (fact.may_start(), fact.may_be_waited_for()) {
            (true, true) => "start, anchor, stop",
            (true, false) => "start",
            _ => "",
        };
        let about: Vec<String> = fact
            .is_about()
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let brings = fact
            .brings()
            .map(|name| format!("[`{name}`](names.md#{name})"));
        let _ = writeln!(
            text,
            "| `{fact}` | {} | {stands} | {} | {} |",
            cell(fact.says()),
            about.join(" "),
            brings.unwrap_or_default()
        );
    }
    const HEAD: &str = "\n| Fact | What has happened | Stands in | About | Brings |\n\
                        |---|---|---|---|---|\n";
    let mut text = String::from(
        "# Facts\n\nWhat a sequence may start on (`on` in `[start]`), wait for (`after` in \
         `[[step]]`) and stop on (`[[stop]]`). *About* says what beside the customer a fact speaks \
         of, so that `per` may name it; *brings* is what it tells besides, by the \
         [name](names.md) that conditions and mails have for it.\n\n## Events\n\nThey come over \
         the wire: see [events](../events.md#the-27-kinds).\n",
    );
    text.push_str(HEAD);
    for kind in EventKind::ALL {
        row(&mut text, FactKind::Event(*kind));
    }
    text.push_str(
        "\n## Derived facts\n\nThey follow from events, and from time; they never come over the \
         wire. `step.sent` is about what the key of the other sequence names.\n",
    );
    text.push_str(HEAD);
    for kind in DerivedKind::ALL {
        row(&mut text, FactKind::Derived(*kind));
    }
    text
}

fn kinds() -> String {
    let yes = |is| if is { "yes" } else { "no" };
    let mut text = String::from(
        "# Kinds\n\nThe kind of a mail settles what it may do. Where two mails want the same day, \
         the one that stands higher here goes first.\n\n\
         | Kind | For | Class | Limits, hours, unsubscribe | Must be earned | Late after | In doubt |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for kind in Kind::ALL {
        let hours = kind.late_hours();
        let late = if hours % 24 == 0 && hours > 48 {
            format!("{} days", hours / 24)
        } else {
            format!("{hours} h")
        };
        let doubt = match kind.on_uncertain() {
            OnUncertain::Resend => "sent again",
            OnUncertain::Hold => "left",
        };
        let _ = writeln!(
            text,
            "| `{kind}` | {} | {} | {} | {} | {late} | {doubt} |",
            kind.says(),
            kind.class().as_str(),
            yes(kind.is_bound()),
            yes(kind.is_ask()),
        );
    }
    text.push_str(
        "\n\"In doubt\" is what happens when nobody can know whether a mail went out: see \
         [delivery](../delivery.md#uncertain). *Must be earned* means that `[earn]` of \
         `config/store.toml` counts.\n\n## Opt-outs\n\n| Scope |",
    );
    for kind in Kind::ALL {
        let _ = write!(text, " `{kind}` |");
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(Kind::ALL.len()));
    text.push('\n');
    let scopes = [
        Scope::Sequence("ID".to_owned()),
        Scope::Kind(Kind::Education),
        Scope::Kind(Kind::Survey),
        Scope::Kind(Kind::Review),
        Scope::Kind(Kind::Offer),
        Scope::AllMarketing,
        Scope::All,
        Scope::Dead,
    ];
    for scope in scopes {
        let _ = write!(text, "| `{scope}` |");
        for kind in Kind::ALL {
            let stopped = scope.stops(kind, "ID");
            let _ = write!(text, " {} |", if stopped { "stopped" } else { "" });
        }
        text.push('\n');
    }
    text.push_str(
        "\n`sequence:ID` stops the mails of one sequence alone; `dead` is an address that nothing \
         reaches.\n\nOne click on the unsubscribe link of a mail sets:\n\n| Mail | Scope |\n|---|---|\n",
    );
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_bound()) {
        let _ = writeln!(text, "| `{kind}` | `{}` |", Scope::of_one_click(kind));
    }
    text
}

/// How a helper is written: `{{date instant ["form"]}}`.
fn form(one: &Signature) -> String {
    let mut text = one.name.to_owned();
    for (at, value) in one.takes.iter().enumerate() {
        if at < one.values.0 {
            let _ = write!(text, " {value}");
        } else {
            let _ = write!(text, " [{value}]");
        }
    }
    if one.values.1 > one.takes.len() {
        text.push_str(" …");
    }
    for name in one.named {
        let _ = match *name {
            "*" => write!(text, " [name=value …]"),
            name => write!(text, " [{name}=…]"),
        };
    }
    if one.example.starts_with('(') {
        format!("({text})")
    } else {
        format!("{{{{{text}}}}}")
    }
}

fn helpers() -> String {
    let mut text = String::from(
        "# Helpers\n\nWhat templates may call. Values stand in order; what stands in `[ ]` may be \
         left out. A helper is a value of another in round brackets: \
         `{{#if (gt item.quantity 1)}}`, `{{default (lookup order.tags 0) \"none\"}}`. What each \
         gives in four languages is shown in [mails](../mails.md#helpers).\n",
    );
    for one in &functions::ALL {
        let _ = write!(
            text,
            "\n## {}\n\n{}\n\n```handlebars\n{}\n```\n\nFor example:\n\n```handlebars\n{}\n```\n",
            one.name,
            one.says,
            form(one),
            one.example.replace("}}, {{", "}}\n{{")
        );
        if one.function.shows() {
            text.push_str("\nIt prints a part of the page, and cannot be a value of another.\n");
        }
    }
    text
}

fn calls() -> String {
    let mut text = String::from(
        "# Functions\n\nWhat conditions may call. Beside them there are \
         `&& || ! == != < <= > >= + - * / % in ? :` and brackets.\n\n\
         | Function | Type | Gives | Example |\n|---|---|---|---|\n",
    );
    for call in &CALLS {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | `{}` |",
            call.form,
            call.gives,
            cell(call.says),
            cell(call.example)
        );
    }
    text
}

fn all_codes() -> String {
    let mut text = String::from(
        "# Codes\n\nEvery problem has a code: `E` is an error and keeps files from being used, `W` \
         is a warning. `aftercare explain E104` prints the page of one, with a wrong and a right \
         example.\n\n| Code | Says | Found by | Can be turned off |\n|---|---|---|---|\n",
    );
    for page in codes::all() {
        let _ = writeln!(
            text,
            "| [{}](../codes/{}.md) | {} | `{}` | {} |",
            page.code,
            page.code,
            cell(&page.title),
            page.found_by().unwrap_or("check").trim_matches(['`', '.']),
            if page.allowed().is_some() { "yes" } else { "" }
        );
    }
    text
}

/// Whoever may stand somewhere may indeed: the columns of the table of facts are what
/// the reader of sequences does.
#[test]
fn facts_stand_where_the_reference_says() {
    let shop: Vec<(String, String)> =
        aftercare::files::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).0;
    let facts = EventKind::ALL
        .iter()
        .map(|kind| FactKind::Event(*kind))
        .chain(DerivedKind::ALL.iter().map(|kind| FactKind::Derived(*kind)));
    for fact in facts {
        let refused = |start: &str, after: &str, stop: &str| {
            let text = format!(
                "format = 1\nid = \"x\"\nkind = \"education\"\ntitle = \"X\"\nfrom = \"aya\"\n\
                 [start]\n{start}\n[[step]]\nid = \"a\"\nafter = \"{after}\"\n\
                 mail = \"dslr/light\"\n{stop}"
            );
            let mut files: Vec<_> = shop
                .iter()
                .filter(|(path, _)| !path.starts_with("config/scenarios/"))
                .cloned()
                .collect();
            files.push(("config/sequences/x.toml".to_owned(), text));
            let (_, problems) = aftercare::sequence::read(&files);
            problems
                .iter()
                .any(|one| ["E105", "E120", "E126", "E170"].contains(&one.code))
        };
        let extra = match fact {
            FactKind::Derived(DerivedKind::StepSent) => "\nof = \"education-dslr/light\"",
            FactKind::Derived(DerivedKind::Absence) => "\nof = \"order.placed\"\nfor = \"90d\"",
            FactKind::Derived(DerivedKind::Schedule) => "\ncron = \"0 0 9 1 * *\"",
            _ => "",
        };
        let per = if fact.is_about().is_empty() {
            "customer"
        } else {
            "order"
        };
        let start = format!("on = \"{fact}\"{extra}\nper = \"{per}\"");
        assert_eq!(refused(&start, "start", ""), !fact.may_start(), "{fact}");
        let placed = "on = \"order.placed\"";
        let waits = fact.may_be_waited_for();
        assert_eq!(refused(placed, fact.as_str(), ""), !waits, "{fact}");
        let stop = format!("[[stop]]\non = [\"{fact}\"]\n");
        assert_eq!(refused(placed, "start", &stop), !waits, "{fact}");
    }
}
