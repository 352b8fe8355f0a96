//! The open studies and their stacks: what the study list shows and the viewports draw from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use glam::DVec3;
use lightbox_core::measure::Calibration;
use lightbox_core::plane::PlaneStack;
use lightbox_core::{Frame, PatientPos, Plane, Volume, VolumeGeometry, Window};
use lightbox_dicom::seg::{LABEL_MAP_STORAGE, SEGMENTATION_STORAGE};
use lightbox_dicom::{Patient, Series, Skipped, Source, Stack, Study, Warning};

use crate::event::PixelNote;
use crate::ids::{StackId, StackKey};

/// An open study.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenStudy {
    /// Study Instance UID.
    pub uid: String,
    /// `YYYY-MM-DD` or empty.
    pub date: String,
    /// `HH:MM` or empty.
    pub time: String,
    /// Study Description.
    pub description: String,
    /// Accession Number.
    pub accession: String,
    /// Whom it shows.
    pub patient: Patient,
    /// Its stacks in list order.
    pub stacks: Vec<StackId>,
    /// Segmentations that lie among its files, with the description of their series.
    pub masks: Vec<(String, Source)>,
}

/// How far a stack's pixels are.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadState {
    /// Nobody asked for them yet.
    Waiting,
    /// Frames loaded so far.
    Loading(usize),
    /// All there.
    Loaded,
    /// Why not; frames that were read stay.
    Failed(String),
}

/// A small grey picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Thumbnail {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Grey, row-major.
    pub grey: Vec<u8>,
}

/// A stack with what is loaded of it.
#[derive(Debug, Clone)]
pub struct OpenStack {
    /// Its number.
    pub id: StackId,
    /// Its name over restarts.
    pub key: StackKey,
    /// Study Instance UID.
    pub study_uid: String,
    /// The series' header, without its stacks.
    pub series: Arc<Series>,
    /// The stack's header.
    pub info: Arc<Stack>,
    /// Whether the geometry is the patient's; if not, it only gives the pixels their size and the frames an order.
    pub in_patient: bool,
    /// The frames, as far as they are loaded.
    pub volume: Volume,
    /// Loading.
    pub load: LoadState,
    /// Grows with every frame that arrives.
    pub revision: u64,
    /// For the list; `None` until made.
    pub thumbnail: Option<Arc<Thumbnail>>,
    /// The window that the stack opens with, once it is known.
    pub default_window: Option<Window>,
    /// Loaded frames whose pixels were damaged, with what is wrong.
    pub pixel_notes: BTreeMap<usize, PixelNote>,
}

impl OpenStack {
    /// A stack with nothing loaded. Frames without a place in the patient get one of their own: pixels of their size (or
    /// 1), one step apart, so that drawing and editing need no second way.
    #[must_use]
    pub fn new(id: StackId, study_uid: &str, series: Arc<Series>, info: Stack) -> Self {
        let in_patient = info.geometry.is_some();
        let geometry = info.geometry.clone().unwrap_or_else(|| flat_geometry(&info));
        let default_window = info.windows.first().map(|(_, w)| *w);
        Self {
            id,
            key: StackKey { series_uid: series.uid.clone(), key: info.key.clone() },
            study_uid: study_uid.to_owned(),
            series,
            in_patient,
            volume: Volume::empty(geometry),
            info: Arc::new(info),
            load: LoadState::Waiting,
            revision: 0,
            thumbnail: None,
            default_window,
            pixel_notes: BTreeMap::new(),
        }
    }

    /// Where the frames lie.
    #[must_use]
    pub fn geometry(&self) -> &VolumeGeometry {
        self.volume.geometry()
    }

    /// The frame of reference; stacks without one have their own, so that they are linked to nothing else.
    #[must_use]
    pub fn frame_of_reference(&self) -> String {
        if self.in_patient && !self.info.frame_of_reference.is_empty() {
            self.info.frame_of_reference.clone()
        } else {
            format!("{} {}", self.key.series_uid, self.key.key)
        }
    }

    /// Number of frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.info.frames.len()
    }

    /// A frame, if loaded.
    #[must_use]
    pub fn frame(&self, i: usize) -> Option<&Arc<Frame>> {
        self.volume.slice(i)
    }

    /// Planes that can be shown, the acquired one first.
    #[must_use]
    pub fn planes(&self) -> Vec<Plane> {
        if !(self.info.is_volume && self.in_patient) {
            return vec![Plane::Native];
        }
        let mut planes = vec![Plane::Axial, Plane::Coronal, Plane::Sagittal];
        planes.sort_by_key(|p| PlaneStack::new(self.geometry(), *p).is_interpolated());
        planes
    }

    /// The plane in which the stack opens.
    #[must_use]
    pub fn acquired_plane(&self) -> Plane {
        self.planes()[0]
    }

    /// The planes of one kind.
    #[must_use]
    pub fn plane_stack(&self, plane: Plane) -> PlaneStack {
        let plane = if self.planes().contains(&plane) { plane } else { self.acquired_plane() };
        PlaneStack::new(self.geometry(), plane)
    }

    /// Letters at the left, right, top and bottom edge; empty where the header tells nothing.
    #[must_use]
    pub fn edge_letters(&self, plane: Plane) -> [String; 4] {
        if self.in_patient {
            return self.plane_stack(plane).grid(0).edge_letters();
        }
        let (row, column) = self.info.patient_orientation.clone().unwrap_or_default();
        [opposite(&row), row, opposite(&column), column]
    }

    /// Whether the left of the image is the patient's right, as read; `None` when the header does not tell.
    #[must_use]
    pub fn left_is_patient_right(&self, plane: Plane) -> Option<bool> {
        match self.edge_letters(plane)[0].chars().next() {
            Some('R') => Some(true),
            Some('L') => Some(false),
            _ => None,
        }
    }

    /// How millimetres are known.
    #[must_use]
    pub fn calibration(&self) -> Calibration {
        self.info.calibration
    }

    /// Name for lists: series description, else modality and number.
    #[must_use]
    pub fn title(&self) -> String {
        let mut title = if self.series.description.is_empty() {
            match (self.series.modality.as_str(), self.series.number) {
                ("", Some(n)) => format!("Series {n}"),
                ("", None) => "Unnamed series".to_owned(),
                (modality, Some(n)) => format!("{modality} series {n}"),
                (modality, None) => format!("{modality} series"),
            }
        } else {
            self.series.description.clone()
        };
        if !self.key.key.is_empty() {
            title.push_str(", ");
            title.push_str(&self.key.key);
        }
        title
    }

    /// What readers have to know about this series.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.series.warnings
    }

    /// Unit of the values under the cursor.
    #[must_use]
    pub fn unit(&self) -> &str {
        if self.info.unit.is_empty() { "stored" } else { &self.info.unit }
    }
}

/// The other side: `"AL"` from `"PR"`.
#[must_use]
fn opposite(letters: &str) -> String {
    letters
        .chars()
        .map(|c| match c {
            'L' => 'R',
            'R' => 'L',
            'A' => 'P',
            'P' => 'A',
            'H' => 'F',
            'F' => 'H',
            other => other,
        })
        .collect()
}

fn flat_geometry(info: &Stack) -> VolumeGeometry {
    let spacing = info.pixel_spacing_mm.filter(|s| s.iter().all(|v| v.is_finite() && *v > 0.0)).unwrap_or([1.0, 1.0]);
    let build =
        |dims, spacing| VolumeGeometry::from_dicom(dims, PatientPos::default(), DVec3::X, DVec3::Y, spacing, DVec3::Z);
    build([info.columns.max(1), info.rows.max(1), info.frames.len().max(1)], spacing)
        .or_else(|_| build([1, 1, 1], [1.0, 1.0]))
        .unwrap_or_else(|_| unreachable!("one voxel of 1 mm is a geometry"))
}

/// All that is open.
#[derive(Debug, Clone, Default)]
pub struct Library {
    /// Studies in list order.
    pub studies: Vec<OpenStudy>,
    stacks: Vec<OpenStack>,
    next: u32,
    /// Files that the last scans left out.
    pub skipped: Vec<Skipped>,
    /// Paths that were opened, for the journal.
    pub paths: Vec<PathBuf>,
}

impl Library {
    /// A stack by number.
    #[must_use]
    pub fn stack(&self, id: StackId) -> Option<&OpenStack> {
        self.stacks.iter().find(|s| s.id == id)
    }

    /// A stack by number, to change it.
    pub fn stack_mut(&mut self, id: StackId) -> Option<&mut OpenStack> {
        self.stacks.iter_mut().find(|s| s.id == id)
    }

    /// A stack by its lasting name.
    #[must_use]
    pub fn by_key(&self, key: &StackKey) -> Option<&OpenStack> {
        self.stacks.iter().find(|s| s.key == *key)
    }

    /// All stacks in list order.
    pub fn stacks(&self) -> impl Iterator<Item = &OpenStack> {
        self.studies.iter().flat_map(|s| &s.stacks).filter_map(|id| self.stack(*id))
    }

    /// The study of a stack.
    #[must_use]
    pub fn study_of(&self, id: StackId) -> Option<&OpenStudy> {
        self.studies.iter().find(|s| s.stacks.contains(&id))
    }

    /// Adds a study; stacks that are already open stay as they are. Returns the numbers of the new stacks.
    pub fn add(&mut self, study: Study) -> Vec<StackId> {
        let mut new = Vec::new();
        let at = match self.studies.iter().position(|s| s.uid == study.uid) {
            Some(at) => at,
            None => {
                self.studies.push(OpenStudy {
                    uid: study.uid.clone(),
                    date: study.date,
                    time: study.time,
                    description: study.description,
                    accession: study.accession,
                    patient: study.patient,
                    stacks: Vec::new(),
                    masks: Vec::new(),
                });
                self.studies.len() - 1
            }
        };
        for mut series in study.series {
            let stacks = std::mem::take(&mut series.stacks);
            let is_mask = |class: &str| [SEGMENTATION_STORAGE, LABEL_MAP_STORAGE].contains(&class);
            for object in series.objects.iter().filter(|object| is_mask(&object.sop_class_uid)) {
                let masks = &mut self.studies[at].masks;
                if masks.iter().all(|(_, source)| *source != object.source) {
                    masks.push((series.description.clone(), object.source.clone()));
                }
            }
            let series = Arc::new(series);
            for stack in stacks {
                let key = StackKey { series_uid: series.uid.clone(), key: stack.key.clone() };
                if self.by_key(&key).is_some() {
                    continue;
                }
                let id = StackId(self.next);
                self.next += 1;
                self.stacks.push(OpenStack::new(id, &study.uid, Arc::clone(&series), stack));
                self.studies[at].stacks.push(id);
                new.push(id);
            }
        }
        if self.studies[at].stacks.is_empty() {
            self.studies.remove(at);
        }
        new
    }

    /// Why files were left out, with how many, the commonest first.
    #[must_use]
    pub fn left_out(&self) -> Vec<(&str, usize)> {
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        for file in &self.skipped {
            match reasons.iter_mut().find(|(reason, _)| *reason == file.reason) {
                Some((_, n)) => *n += 1,
                None => reasons.push((&file.reason, 1)),
            }
        }
        reasons.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        reasons
    }

    /// Closes a study and forgets its pixels. Returns the numbers of its stacks.
    pub fn remove(&mut self, study_uid: &str) -> Vec<StackId> {
        let Some(at) = self.studies.iter().position(|s| s.uid == study_uid) else { return Vec::new() };
        let gone = self.studies.remove(at).stacks;
        self.stacks.retain(|s| !gone.contains(&s.id));
        gone
    }
}
