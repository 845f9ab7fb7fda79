//! Doc comments, from the `package-docs` section.
//!
//! The section is read here and hidden from `wit-parser`, which refuses a whole component when the
//! documentation names a world or a function that it does not find.

use super::bounds::DOCS;
use serde_json::Value;

/// The documentation of one package, or nothing.
#[derive(Debug, Default)]
pub(super) struct Docs(Value);

impl Docs {
    /// Reads a section: a version byte, then JSON. What cannot be read documents nothing.
    pub(super) fn read(section: Option<&[u8]>) -> Self {
        match section {
            Some([0 | 1, json @ ..]) => Self(serde_json::from_slice(json).unwrap_or_default()),
            _ => Self::default(),
        }
    }

    /// The documentation of the tool: its world's, or else its package's.
    pub(super) fn tool(&self) -> Option<String> {
        self.worlds().find_map(|world| text(&world["docs"])).or_else(|| text(&self.0["docs"]))
    }

    /// The documentation of a function.
    pub(super) fn function(&self, interface: Option<&str>, name: &str) -> Option<String> {
        match interface {
            None => self.worlds().find_map(|world| {
                own_text(&world["func_exports"][name]).or_else(|| own_text(&world["funcs"][name]))
            }),
            Some(interface) => {
                self.interface(interface).find_map(|it| own_text(&it["funcs"][name]))
            }
        }
    }

    /// The documentation of a type.
    pub(super) fn ty(&self, interface: Option<&str>, name: &str) -> Option<String> {
        self.types(interface, name).and_then(own_text)
    }

    /// The documentation of a field, case or flag of a type.
    pub(super) fn part(&self, interface: Option<&str>, ty: &str, part: &str) -> Option<String> {
        self.types(interface, ty).and_then(|it| text(&it["items"][part]))
    }

    fn types(&self, interface: Option<&str>, name: &str) -> Option<&Value> {
        match interface {
            None => self.worlds().find_map(|world| world["types"].get(name)),
            Some(interface) => self.interface(interface).find_map(|it| it["types"].get(name)),
        }
    }

    fn worlds(&self) -> impl Iterator<Item = &Value> {
        self.0["worlds"].as_object().into_iter().flat_map(|worlds| worlds.values())
    }

    /// What is said of an interface: of `ns:pkg/name@version` by its name, of an inline one by
    /// the world that holds it.
    fn interface(&self, interface: &str) -> impl Iterator<Item = &Value> {
        let name = short(interface).to_owned();
        let packaged = self.0["interfaces"].get(&name);
        let inline = self.worlds().flat_map(move |world| {
            ["interface_exports", "interfaces"].into_iter().filter_map({
                let name = name.clone();
                move |key| world[key].get(&name)
            })
        });
        packaged.into_iter().chain(inline)
    }
}

/// The name of an interface without its package and version.
pub(super) fn short(interface: &str) -> &str {
    let name = interface.rsplit_once('/').map_or(interface, |(_, name)| name);
    name.split_once('@').map_or(name, |(name, _)| name)
}

/// In the first format a function's documentation is a plain string, later it is an object.
fn own_text(item: &Value) -> Option<String> {
    text(item).or_else(|| text(item.get("docs")?))
}

fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    let mut cut: String = text.chars().take(DOCS).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    (!cut.is_empty()).then_some(cut)
}
