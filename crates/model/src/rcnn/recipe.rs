//! Boxes on files as TOML, for `lightbox train`.

use super::{Plan, Settings};
use crate::card::{Fits, one_line};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What to train, and on which boxes of which files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// `rcnn`; by it the file is told from a recipe of another kind.
    pub method: String,
    /// Id of the model.
    pub id: String,
    /// A few words for a list.
    pub name: String,
    /// Licence of the weights.
    pub licence: String,
    /// What describes regions: the id or the folder of a classifier; left out, random filters.
    #[serde(default)]
    pub backbone: Option<String>,
    /// Which images the card allows.
    #[serde(default)]
    pub fits: Fits,
    /// How.
    #[serde(default)]
    pub settings: Settings,
    /// The files.
    pub image: Vec<Drawing>,
}

/// A file with what it shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawing {
    /// Its path, from the recipe's folder.
    pub path: PathBuf,
    /// Which of its frames, counted from 0.
    #[serde(default)]
    pub frame: usize,
    /// Every object of the labels on it.
    #[serde(default)]
    pub boxes: Vec<RecipeBox>,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeBox {
    /// What it is.
    pub label: String,
    /// `[x0, y0, x1, y1]` in pixels of the image, edges.
    #[serde(rename = "box")]
    pub rect: [f32; 4],
}

impl Recipe {
    /// Reads a recipe; none where the file is one of another kind.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Recipe`].
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = std::fs::read_to_string(path).map_err(Error::read(path))?;
        Self::parse(&text)
    }

    /// As [`Recipe::read`], of the text.
    ///
    /// # Errors
    /// [`Error::Recipe`].
    pub fn parse(text: &str) -> Result<Option<Self>> {
        let is_ours = toml::from_str::<toml::Table>(text).is_ok_and(|t| t.contains_key("method"));
        if !is_ours {
            return Ok(None);
        }
        let recipe: Self = toml::from_str(text).map_err(|e| Error::Recipe { reason: one_line(&e, text) })?;
        if recipe.method != "rcnn" {
            return Err(Error::Recipe { reason: format!("the method is '{}', known is 'rcnn'", recipe.method) });
        }
        if recipe.image.is_empty() {
            return Err(Error::Recipe { reason: "it names no image".into() });
        }
        Ok(Some(recipe))
    }

    /// What the model is to be, labels in the order in which they come.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let mut labels: Vec<String> = Vec::new();
        for b in self.image.iter().flat_map(|i| &i.boxes) {
            if !labels.contains(&b.label) {
                labels.push(b.label.clone());
            }
        }
        Plan {
            id: self.id.clone(),
            name: self.name.clone(),
            licence: self.licence.clone(),
            labels,
            fits: self.fits.clone(),
            settings: self.settings.clone(),
        }
    }
}
