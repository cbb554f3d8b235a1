//! What MJML has: elements, their attributes, where they may stand, and names of colours,
//! as `scripts/mjml-components` wrote them down from the reference implementation.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Written by `scripts/mjml-components`.
const COMPONENTS: &str = include_str!("../mjml_components.tsv");
/// An element of MJML.
#[derive(Debug, Default)]
pub struct Component {
    /// Whether its inside is words and HTML rather than elements of MJML.
    pub words: bool,
    pub inside: Vec<&'static str>,
    /// By name, with the type of its value.
    pub attributes: BTreeMap<&'static str, &'static str>,
}

/// All elements by name, and the names of colours.
#[derive(Debug, Default)]
pub struct Components {
    pub by: BTreeMap<&'static str, Component>,
    pub(super) colours: Vec<&'static str>,
}

impl Components {
    /// The reference implementation's.
    pub fn get() -> &'static Components {
        static ALL: OnceLock<Components> = OnceLock::new();
        ALL.get_or_init(|| read(COMPONENTS))
    }
}

fn read(table: &'static str) -> Components {
    let mut all = Components::default();
    let mut name = "";
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut cells = line.split('\t');
        let (first, second, third) = (
            cells.next().unwrap_or_default(),
            cells.next().unwrap_or_default(),
            cells.next().unwrap_or_default(),
        );
        let list = || third.split(',').filter(|one| !one.is_empty());
        match first {
            "colours" => all.colours = list().collect(),
            "" => {
                if let Some(component) = all.by.get_mut(name) {
                    component.attributes.insert(second, third);
                }
            }
            _ => {
                name = first;
                all.by.insert(
                    name,
                    Component {
                        words: second == "words",
                        inside: list().collect(),
                        attributes: BTreeMap::new(),
                    },
                );
            }
        }
    }
    all
}
