//! The models at hand: shipped with the program or added by the user.

use crate::card::{CARD_FILE, Card, Source, WEIGHTS_FILE, check_id};
use crate::files::{sha256_file, write_atomic};
use crate::{Error, Result, import, weights};
use std::path::{Path, PathBuf};

/// One model.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its id, also the name of its folder.
    pub id: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Its card; a stand-in with only id and name where `problem` says that it is not readable.
    pub card: Card,
    /// Why it cannot be used, one sentence; hash and shapes are checked on load.
    pub problem: Option<String>,
    /// Whether the user added it.
    pub added: bool,
}

/// All models.
#[derive(Debug, Clone, Default)]
pub struct Store {
    entries: Vec<Entry>,
    added: Option<PathBuf>,
}

/// The folders with shipped weights: `LIGHTBOX_WEIGHTS`, else `weights/` in the current folder, beside the binary or
/// in a parent of it; the first that exists.
pub fn default_weight_dirs() -> Vec<PathBuf> {
    if let Some(dir) = std::env::var_os("LIGHTBOX_WEIGHTS").filter(|d| !d.is_empty()) {
        return vec![PathBuf::from(dir)];
    }
    let beside = std::env::current_exe().ok();
    let parents = beside.iter().flat_map(|exe| exe.ancestors().skip(1)).map(|dir| dir.join("weights"));
    std::iter::once(PathBuf::from("weights")).chain(parents).find(|dir| dir.is_dir()).into_iter().collect()
}

/// The folder for added models: `LIGHTBOX_MODELS`, else the user's data folder; `None` where the system tells none.
pub fn default_added_dir() -> Option<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(dir) = var("LIGHTBOX_MODELS") {
        return Some(dir);
    }
    let data = if cfg!(target_os = "windows") {
        var("APPDATA")
    } else if cfg!(target_os = "macos") {
        var("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        var("XDG_DATA_HOME").or_else(|| var("HOME").map(|home| home.join(".local/share")))
    };
    data.map(|dir| dir.join("lightbox").join("models"))
}

impl Store {
    /// The models in the default folders.
    pub fn open_default() -> Self {
        Self::discover(&default_weight_dirs(), default_added_dir().as_deref())
    }

    /// Looks for model folders (those with a card) in the shipped folders and in that of the added ones.
    ///
    /// A folder whose card cannot be used is listed with its problem. Of two models with one id the first counts,
    /// shipped before added.
    pub fn discover(shipped: &[PathBuf], added: Option<&Path>) -> Self {
        let mut store = Self { entries: Vec::new(), added: added.map(Path::to_owned) };
        let dirs = shipped.iter().map(|d| (d.as_path(), false)).chain(added.map(|d| (d, true)));
        for (dir, added) in dirs {
            // An absent folder simply holds no models.
            let Ok(children) = std::fs::read_dir(dir) else { continue };
            // A name that begins with a dot is a copy that a kill left half done.
            let whole = |p: &PathBuf| p.file_name().is_some_and(|n| !n.to_string_lossy().starts_with('.'));
            let mut folders: Vec<PathBuf> = children
                .filter_map(|e| e.ok().map(|e| e.path()))
                .filter(|p| whole(p) && p.join(CARD_FILE).is_file())
                .collect();
            folders.sort();
            for folder in folders {
                let entry = read_entry(folder, added);
                if store.entries.iter().any(|e| e.id == entry.id) {
                    log::warn!("a second model '{}' is left out", entry.id);
                } else {
                    store.entries.push(entry);
                }
            }
        }
        store.entries.sort_by(|a, b| a.id.cmp(&b.id));
        store
    }

    /// All models, sorted by id.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The model with an id.
    ///
    /// # Errors
    /// [`Error::UnknownModel`].
    pub fn get(&self, id: &str) -> Result<&Entry> {
        self.entries.iter().find(|e| e.id == id).ok_or_else(|| {
            let known: Vec<&str> = self.entries.iter().map(|e| e.id.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Error::UnknownModel { id: id.into(), known }
        })
    }

    /// Imports weights of any container ([`crate::import`]) with their card after checking that they fit together.
    ///
    /// A sha256 in `card` that is not all zeros must be that of the file; the stored card gets that of the stored
    /// weights, and the file's as its source.
    ///
    /// # Errors
    /// [`Error::Tensors`], [`Error::Weights`], [`Error::WrongHash`], [`Error::Card`]; [`Error::AlreadyThere`];
    /// [`Error::Write`] or [`Error::DiskFull`]. After each of them nothing is left behind.
    pub fn add(&mut self, files: &[PathBuf], mut card: Card) -> Result<&Entry> {
        let added = self.added.clone().ok_or_else(|| no_folder(&card.id))?;
        let Some(file) = files.first() else {
            return Err(Error::Card { id: card.id, reason: "no file of weights was given".into() });
        };
        check_id(&card.id)?;
        let dir = added.join(&card.id);
        if self.entries.iter().any(|e| e.id == card.id) || dir.exists() {
            return Err(Error::AlreadyThere { id: card.id });
        }
        card.check()?;
        let mut container = import::open(files, &mut card.architecture)?;
        let found = sha256_file(file)?;
        if !card.sha256.bytes().all(|b| b == b'0') && !card.sha256.eq_ignore_ascii_case(&found) {
            return Err(Error::WrongHash { id: card.id, expected: card.sha256, found });
        }
        if let Some(start) = hash_in_name(file)
            && !found.starts_with(&start)
        {
            return Err(Error::WrongHash { id: card.id, expected: format!("{start}…, by the file's name"), found });
        }
        let (tensors, notes) = import::convert(container.as_mut(), &mut card, file)?;
        drop(container);
        // The import may have set numbers of the architecture.
        card.check()?;
        weights::check(&card.id, &tensors, &card.architecture.shapes())?;
        card.source = Some(Source {
            file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            kind: notes.kind.into(),
            sha256: found,
        });
        self.put(&added, card, &tensors)
    }

    /// Puts a model that was trained here among the added ones.
    ///
    /// # Errors
    /// [`Error::Card`], [`Error::AlreadyThere`], [`Error::Write`] or [`Error::DiskFull`]. After each of them nothing is
    /// left behind.
    pub fn keep(&mut self, trained: &crate::rcnn::Trained) -> Result<&Entry> {
        let card = trained.card.clone();
        let added = self.added.clone().ok_or_else(|| no_folder(&card.id))?;
        check_id(&card.id)?;
        if self.entries.iter().any(|e| e.id == card.id) || added.join(&card.id).exists() {
            return Err(Error::AlreadyThere { id: card.id });
        }
        card.check()?;
        self.put(&added, card, &trained.tensors)
    }

    /// Writes a model that was checked and lists it.
    fn put(&mut self, added: &Path, card: Card, tensors: &crate::arch::Tensors) -> Result<&Entry> {
        let entry = read_entry(write_model(added, card, tensors)?, true);
        let at = self.entries.partition_point(|e| e.id < entry.id);
        self.entries.insert(at, entry);
        Ok(&self.entries[at])
    }

    /// Removes an added model with its files.
    ///
    /// # Errors
    /// [`Error::UnknownModel`], [`Error::Shipped`], [`Error::Write`].
    pub fn remove(&mut self, id: &str) -> Result<()> {
        let entry = self.get(id)?;
        if !entry.added {
            return Err(Error::Shipped { id: id.into() });
        }
        let dir = entry.dir.clone();
        std::fs::remove_dir_all(&dir).map_err(Error::write(&dir))?;
        self.entries.retain(|e| e.id != id);
        Ok(())
    }
}

/// Writes a model into a folder of its id, whole or not at all: the folder gets its name when both files are in it. Where it
/// lies.
pub(crate) fn write_model(added: &Path, mut card: Card, tensors: &crate::arch::Tensors) -> Result<PathBuf> {
    std::fs::create_dir_all(added).map_err(Error::write(added))?;
    let dir = added.join(&card.id);
    let part = added.join(format!(".{}.part", card.id));
    let written = (|| {
        if part.exists() {
            std::fs::remove_dir_all(&part).map_err(Error::write(&part))?;
        }
        std::fs::create_dir_all(&part).map_err(Error::write(&part))?;
        card.sha256 = weights::write(&part.join(WEIGHTS_FILE), tensors)?;
        write_atomic(&part.join(CARD_FILE), card.to_toml()?.as_bytes())?;
        std::fs::rename(&part, &dir).map_err(Error::write(&dir))
    })();
    if let Err(error) = written {
        // What is left of a failed copy is of no use; the first error is the one to tell.
        let _ = std::fs::remove_dir_all(&part);
        return Err(error);
    }
    Ok(dir)
}

fn no_folder(id: &str) -> Error {
    Error::Card { id: id.into(), reason: "there is no folder for added models; set LIGHTBOX_MODELS".into() }
}

/// Checks the hash of an entry's weights without loading them.
///
/// # Errors
/// [`Error::WrongHash`], [`Error::Card`], [`Error::Read`].
pub fn verify(entry: &Entry) -> Result<()> {
    if let Some(reason) = &entry.problem {
        return Err(Error::Card { id: entry.id.clone(), reason: reason.clone() });
    }
    let found = sha256_file(&entry.dir.join(WEIGHTS_FILE))?;
    if found.eq_ignore_ascii_case(&entry.card.sha256) {
        Ok(())
    } else {
        Err(Error::WrongHash { id: entry.id.clone(), expected: entry.card.sha256.clone(), found })
    }
}

/// The first eight hex digits of the SHA-256 that torchvision puts into names: `resnet50-0676ba61.pth`.
fn hash_in_name(file: &Path) -> Option<String> {
    if file.extension().is_none_or(|e| e != "pth") {
        return None;
    }
    let stem = file.file_stem()?.to_str()?;
    let (_, tail) = stem.rsplit_once('-')?;
    let is_hash = tail.len() == 8 && tail.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    // Eight digits alone are a date.
    (is_hash && tail.bytes().any(|b| b.is_ascii_alphabetic())).then(|| tail.to_owned())
}

fn read_entry(dir: PathBuf, added: bool) -> Entry {
    let folder = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match Card::read(&dir) {
        Ok(card) => {
            let mut problem = None;
            if card.id != folder {
                problem = Some(format!("the card says '{}', the folder is '{folder}'", card.id));
            } else if !dir.join(WEIGHTS_FILE).is_file() {
                problem = Some(format!("{WEIGHTS_FILE} is missing"));
            }
            Entry { id: folder, dir, card, problem, added }
        }
        Err(error) => Entry { card: Card::stand_in(&folder), id: folder, dir, problem: Some(error.to_string()), added },
    }
}
