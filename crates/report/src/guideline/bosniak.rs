//! Cystic renal masses on CT.

use super::Source;

/// The source.
pub const SOURCE: Source = Source {
    short: "Bosniak 2019",
    citation: "Silverman SG et al. Bosniak classification of cystic renal masses, version 2019. Radiology 2019;292:475-488",
    version: "2019",
    doi: "10.1148/radiol.2019182646",
};

/// What is seen of a well-defined cystic mass.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Features {
    /// Thickness of the wall in mm.
    pub wall_mm: f64,
    /// Whether wall or septa enhance.
    pub enhances: bool,
    /// How many septa.
    pub septa: u32,
    /// Thickness of the thickest septum in mm, 0 where there is none.
    pub septum_mm: f64,
    /// The largest convex protrusion with obtuse margins in mm, 0 where there is none.
    pub obtuse_protrusion_mm: f64,
    /// Whether an enhancing nodule of any size with acute margins is there.
    pub acute_nodule: bool,
    /// Whether calcification of any kind is there.
    pub calcified: bool,
}

/// The classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Benign simple cyst.
    I,
    /// Benign.
    II,
    /// Follow.
    IIF,
    /// Indeterminate.
    III,
    /// Most are malignant.
    IV,
}

/// The class on CT with contrast. A wall or septum is thin up to 2 mm, slightly thick at 3 mm, thick from 4 mm.
pub fn class(features: &Features) -> Class {
    let thickest_mm = features.wall_mm.max(features.septum_mm);
    if features.acute_nodule || features.enhances && features.obtuse_protrusion_mm >= 4.0 {
        Class::IV
    } else if features.enhances && (thickest_mm >= 4.0 || features.obtuse_protrusion_mm > 0.0) {
        Class::III
    } else if features.enhances && (thickest_mm > 2.0 || features.septa >= 4) {
        Class::IIF
    } else if features.septa > 0 || features.calcified {
        Class::II
    } else {
        Class::I
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_feature() {
        let enhancing = Features { enhances: true, ..Features::default() };
        assert_eq!(class(&Features { wall_mm: 1.0, ..Features::default() }), Class::I);
        assert_eq!(class(&Features { septa: 2, septum_mm: 1.0, ..enhancing }), Class::II);
        assert_eq!(class(&Features { septa: 5, septum_mm: 1.0, ..enhancing }), Class::IIF);
        assert_eq!(class(&Features { wall_mm: 3.0, ..enhancing }), Class::IIF);
        assert_eq!(class(&Features { wall_mm: 4.0, ..enhancing }), Class::III);
        assert_eq!(class(&Features { obtuse_protrusion_mm: 3.0, ..enhancing }), Class::III);
        assert_eq!(class(&Features { obtuse_protrusion_mm: 4.0, ..enhancing }), Class::IV);
        assert_eq!(class(&Features { acute_nodule: true, ..enhancing }), Class::IV);
    }
}
