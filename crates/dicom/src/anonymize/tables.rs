//! The standard's tables as data: what happens to which attribute, and which attributes an object must have.

use std::collections::HashMap;
use std::sync::LazyLock;

use dicom_core::Tag;

/// Edition of table E.1-1.
pub(super) const EDITION: &str = "PS3.15 2026c";

/// Action codes of PS3.15 table E.1-1a.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// Dummy.
    D,
    /// Zero length (or dummy).
    Z,
    /// Remove.
    X,
    /// Another UID.
    U,
    /// Z unless the type asks for D.
    Zd,
    /// X unless the type asks for Z.
    Xz,
    /// X unless the type asks for D.
    Xd,
    /// X unless the type asks for Z or D.
    Xzd,
    /// X unless the type asks for Z or for the references in it to be mapped.
    Xzu,
}

/// What an option says about an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OptionCode {
    Keep,
    Clean,
}

/// A row of table E.1-1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) basic: Code,
    /// By column, see [`super::ProfileOption::column`].
    pub(super) options: [Option<OptionCode>; COLUMNS],
}

pub(super) const COLUMNS: usize = 9;

/// Type of an attribute (PS3.5 7.4), the strictest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    Three,
    TwoC,
    Two,
    OneC,
    One,
}

pub(super) static PROFILE: LazyLock<HashMap<Tag, Row>> = LazyLock::new(|| {
    lines(include_str!("../../tables/profile.tsv")).filter_map(|line| row(line.split('\t').collect())).collect()
});

fn row(cells: Vec<&str>) -> Option<(Tag, Row)> {
    let basic = match *cells.get(1)? {
        "D" => Code::D,
        "Z" => Code::Z,
        "X" => Code::X,
        "U" => Code::U,
        "Z/D" => Code::Zd,
        "X/Z" => Code::Xz,
        "X/D" => Code::Xd,
        "X/Z/D" => Code::Xzd,
        "X/Z/U*" => Code::Xzu,
        _ => return None,
    };
    let mut options = [None; COLUMNS];
    for (to, from) in options.iter_mut().zip(cells.get(2)?.bytes()) {
        *to = match from {
            b'K' => Some(OptionCode::Keep),
            b'C' => Some(OptionCode::Clean),
            _ => None,
        };
    }
    Some((tag(cells.first()?)?, Row { basic, options }))
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|l| !l.starts_with('#') && !l.is_empty())
}

fn tag(hex: &str) -> Option<Tag> {
    let n = u32::from_str_radix(hex, 16).ok()?;
    Some(Tag((n >> 16) as u16, n as u16))
}

/// Private attributes that identify nobody: group, element within its block, creator (PS3.15 table E.3.10-1).
pub(super) static SAFE_PRIVATE: LazyLock<Vec<(u16, u8, &'static str)>> = LazyLock::new(|| {
    lines(include_str!("../../tables/safe_private.tsv"))
        .filter_map(|line| {
            let mut cells = line.split('\t');
            let group = u16::from_str_radix(cells.next()?, 16).ok()?;
            let element = u8::from_str_radix(cells.next()?, 16).ok()?;
            Some((group, element, cells.next()?))
        })
        .collect()
});

type Places = HashMap<(Tag, Tag), Type>;

struct Types {
    by_class: HashMap<&'static str, &'static str>,
    by_object: HashMap<&'static str, Vec<&'static str>>,
    by_module: HashMap<&'static str, Places>,
    /// The strictest of all modules, for objects that the table does not know.
    any: Places,
}

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let mut types =
        Types { by_class: HashMap::new(), by_object: HashMap::new(), by_module: HashMap::new(), any: HashMap::new() };
    let mut module = "";
    for line in lines(include_str!("../../tables/types.txt")) {
        let cells: Vec<&str> = line.split(' ').collect();
        match cells.as_slice() {
            ["M", name] => module = name,
            ["I", name, modules @ ..] => {
                types.by_object.insert(name, modules.to_vec());
            }
            ["S", uid, object] => {
                types.by_class.insert(uid, object);
            }
            [parent, own, kind] => {
                let kind = match *kind {
                    "1" => Type::One,
                    "1C" => Type::OneC,
                    "2" => Type::Two,
                    _ => Type::TwoC,
                };
                if let (Some(parent), Some(own)) = (tag(parent), tag(own)) {
                    types.by_module.entry(module).or_default().insert((parent, own), kind);
                    let any = types.any.entry((parent, own)).or_insert(kind);
                    *any = (*any).max(kind);
                }
            }
            _ => {}
        }
    }
    types
});

/// The types of the attributes of one kind of object.
pub(super) struct ObjectTypes {
    modules: Option<Vec<&'static Places>>,
}

impl ObjectTypes {
    pub(super) fn of(sop_class_uid: &str) -> Self {
        let object = TYPES.by_class.get(sop_class_uid).and_then(|o| TYPES.by_object.get(o));
        Self { modules: object.map(|m| m.iter().filter_map(|m| TYPES.by_module.get(m)).collect()) }
    }

    /// The type of `own` within the items of `parent` (`0000,0000`: outermost).
    pub(super) fn get(&self, parent: Tag, own: Tag) -> Type {
        let place = (parent, own);
        match &self.modules {
            Some(modules) => modules.iter().filter_map(|m| m.get(&place)).max().copied().unwrap_or(Type::Three),
            None => TYPES.any.get(&place).copied().unwrap_or(Type::Three),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_whole() {
        assert_eq!(
            PROFILE.len(),
            652,
            "rows of PS3.15 table E.1-1 without groups 50xx and 60xx and private attributes"
        );
        assert_eq!(SAFE_PRIVATE.len(), 87);
        let count = |column: usize| PROFILE.values().filter(|r| r.options[column].is_some()).count();
        assert_eq!((0..COLUMNS).map(count).collect::<Vec<_>>(), [60, 59, 10, 19, 169, 169, 140, 4, 1]);
        let row = |group, element| PROFILE.get(&Tag(group, element)).copied().expect("a row");
        assert_eq!(row(0x0010, 0x0010).basic, Code::Z);
        assert_eq!(row(0x0020, 0x000D).basic, Code::U);
        assert_eq!(row(0x0020, 0x000D).options[0], Some(OptionCode::Keep));
        assert_eq!((row(0x0008, 0x0022).basic, row(0x0008, 0x0022).options[5]), (Code::Xz, Some(OptionCode::Clean)));
        assert_eq!(row(0x0008, 0x1140).basic, Code::Xzu);
    }

    #[test]
    fn types_are_those_of_the_object() {
        let root = Tag(0, 0);
        let ct = ObjectTypes::of("1.2.840.10008.5.1.4.1.1.2");
        assert_eq!(ct.get(root, Tag(0x0010, 0x0010)), Type::Two);
        assert_eq!(ct.get(root, Tag(0x0010, 0x4000)), Type::Three);
        let enhanced = ObjectTypes::of("1.2.840.10008.5.1.4.1.1.2.1");
        assert_eq!(enhanced.get(root, Tag(0x0018, 0x1000)), Type::One, "Device Serial Number");
        assert_eq!(ObjectTypes::of("1.2.3").get(root, Tag(0x0018, 0x1000)), Type::One, "unknown: the strictest");
    }
}
