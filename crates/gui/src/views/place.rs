//! Where a plane lies on the screen.

use egui::{Pos2, Rect, pos2};
use lightbox_core::{PatientPos, PlaneGrid, PlanePos};
use lightbox_session::workspace::ViewState;

/// A plane in a viewport: `screen_from_plane` and back.
#[derive(Debug, Clone, Copy)]
pub struct Placement {
    /// The viewport's image area, in points.
    pub rect: Rect,
    /// The plane.
    pub grid: PlaneGrid,
    /// Points for one mm.
    pub pt_per_mm: f64,
    /// The image's middle on the screen.
    centre: [f64; 2],
}

impl Placement {
    /// From what the viewport shows.
    #[must_use]
    pub fn new(rect: Rect, grid: PlaneGrid, view: &ViewState) -> Self {
        let [px, py] = grid.pixel_mm();
        let (w, h) = (grid.width as f64 * px, grid.height as f64 * py);
        let fit = (f64::from(rect.width()) / w).min(f64::from(rect.height()) / h);
        let pt_per_mm = (fit * view.zoom).max(1e-6);
        let c = rect.center();
        let centre = [f64::from(c.x) + view.pan_mm[0] * pt_per_mm, f64::from(c.y) + view.pan_mm[1] * pt_per_mm];
        Self { rect, grid, pt_per_mm, centre }
    }

    /// A plane position (pixels) on the screen.
    #[must_use]
    pub fn screen_from_plane(&self, p: PlanePos) -> Pos2 {
        let [px, py] = self.grid.pixel_mm();
        let x = self.centre[0] + (p.x + 0.5 - self.grid.width as f64 / 2.0) * px * self.pt_per_mm;
        let y = self.centre[1] + (p.y + 0.5 - self.grid.height as f64 / 2.0) * py * self.pt_per_mm;
        pos2(x as f32, y as f32)
    }

    /// A screen position in the plane's pixels.
    #[must_use]
    pub fn plane_from_screen(&self, p: Pos2) -> PlanePos {
        let [px, py] = self.grid.pixel_mm();
        let x = (f64::from(p.x) - self.centre[0]) / (px * self.pt_per_mm) + self.grid.width as f64 / 2.0 - 0.5;
        let y = (f64::from(p.y) - self.centre[1]) / (py * self.pt_per_mm) + self.grid.height as f64 / 2.0 - 0.5;
        PlanePos::new(x, y)
    }

    /// A screen position in the patient.
    #[must_use]
    pub fn patient_from_screen(&self, p: Pos2) -> PatientPos {
        self.grid.to_patient(self.plane_from_screen(p))
    }

    /// A patient position on the screen, with its distance from the plane in mm.
    #[must_use]
    pub fn screen_from_patient(&self, p: PatientPos) -> (Pos2, f64) {
        let (plane, distance) = self.grid.to_plane(p);
        (self.screen_from_plane(plane), distance)
    }

    /// A pixel corner (0, 0 is the corner of the first pixel) on the screen.
    #[must_use]
    pub fn screen_from_corner(&self, c: [f32; 2]) -> Pos2 {
        self.screen_from_plane(PlanePos::new(f64::from(c[0]) - 0.5, f64::from(c[1]) - 0.5))
    }

    /// The image on the screen, which may reach beyond the viewport.
    #[must_use]
    pub fn image_rect(&self) -> Rect {
        Rect::from_min_max(
            self.screen_from_corner([0.0, 0.0]),
            self.screen_from_corner([self.grid.width as f32, self.grid.height as f32]),
        )
    }

    /// The part of the image that the viewport shows.
    #[must_use]
    pub fn shown(&self) -> Rect {
        self.image_rect().intersect(self.rect)
    }

    /// The point of the shown image that is nearest to a place of the screen.
    #[must_use]
    pub fn patient_on_image(&self, p: Pos2) -> PatientPos {
        let shown = self.shown();
        self.patient_from_screen(if shown.is_positive() { shown.clamp(p) } else { p })
    }

    /// The points moved by `by` in the patient, no further than until the first of them reaches the edge of the image.
    #[must_use]
    pub fn moved(&self, points: &[PatientPos], by: PatientPos) -> Vec<PatientPos> {
        let at: Vec<PlanePos> = points.iter().map(|p| self.grid.to_plane(*p).0).collect();
        let origin = self.grid.to_plane(PatientPos::default()).0;
        let to = self.grid.to_plane(by).0;
        let limit = |wish: f64, of: &dyn Fn(&PlanePos) -> f64, size: usize| {
            let (least, most) =
                at.iter().map(of).fold((f64::MAX, f64::MIN), |(least, most), v| (least.min(v), most.max(v)));
            // A measurement that reaches beyond the edge already may be moved back, not further out.
            wish.clamp((-0.5 - least).min(0.0), (size as f64 - 0.5 - most).max(0.0))
        };
        let dx = limit(to.x - origin.x, &|p| p.x, self.grid.width);
        let dy = limit(to.y - origin.y, &|p| p.y, self.grid.height);
        at.iter()
            .zip(points)
            .map(|(plane, point)| {
                let moved = self.grid.to_patient(PlanePos::new(plane.x + dx, plane.y + dy));
                PatientPos(point.0 + (moved.0 - self.grid.to_patient(*plane).0))
            })
            .collect()
    }

    /// Points for one pixel across.
    #[must_use]
    pub fn pt_per_px(&self) -> f64 {
        self.pt_per_mm * self.grid.pixel_mm()[0]
    }

    /// The shift that keeps the point under `pointer` where it is when the magnification becomes `zoom`.
    #[must_use]
    pub fn pan_for_zoom(&self, view: &ViewState, zoom: f64, pointer: Pos2) -> [f64; 2] {
        let new = self.pt_per_mm * zoom / view.zoom;
        let c = self.rect.center();
        let shift = |p: f64, c: f64, pan: f64| {
            // Distance in mm of the pointer from the image's middle, before: (p - c) / old - pan; after, with the new scale.
            (p - c) / new - ((p - c) / self.pt_per_mm - pan)
        };
        [
            shift(f64::from(pointer.x), f64::from(c.x), view.pan_mm[0]),
            shift(f64::from(pointer.y), f64::from(c.y), view.pan_mm[1]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::vec2;
    use lightbox_core::Plane;
    use lightbox_core::plane::PlaneStack;

    fn view(zoom: f64, pan_mm: [f64; 2]) -> ViewState {
        ViewState {
            stack: None,
            plane: Plane::Native,
            index: 0,
            window: None,
            inverted: false,
            zoom,
            pan_mm,
            layer: None,
        }
    }

    fn grid() -> PlaneGrid {
        let g = lightbox_core::VolumeGeometry::from_dicom(
            [100, 50, 1],
            PatientPos::default(),
            glam_x(),
            glam_y(),
            [2.0, 0.5],
            glam_z(),
        )
        .expect("valid");
        PlaneStack::new(&g, Plane::Native).grid(0)
    }
    fn glam_x() -> lightbox_core::Vec3 {
        lightbox_core::Vec3::X
    }
    fn glam_y() -> lightbox_core::Vec3 {
        lightbox_core::Vec3::Y
    }
    fn glam_z() -> lightbox_core::Vec3 {
        lightbox_core::Vec3::Z
    }

    #[test]
    fn there_and_back_and_the_shape_in_mm() {
        let rect = Rect::from_min_size(pos2(10.0, 20.0), vec2(300.0, 200.0));
        for (zoom, pan) in [(1.0, [0.0, 0.0]), (3.5, [7.0, -4.0])] {
            let p = Placement::new(rect, grid(), &view(zoom, pan));
            let q = PlanePos::new(12.25, 40.5);
            let back = p.plane_from_screen(p.screen_from_plane(q));
            assert!((back.x - q.x).abs() < 1e-3 && (back.y - q.y).abs() < 1e-3);
            let r = p.image_rect();
            assert!((r.width() / r.height() - 50.0 / 100.0).abs() < 1e-4);
        }
    }

    #[test]
    fn nothing_is_moved_out_of_the_image() {
        let rect = Rect::from_min_size(pos2(0.0, 0.0), vec2(300.0, 200.0));
        let p = Placement::new(rect, grid(), &view(1.0, [0.0, 0.0]));
        // 100 pixels of 0.5 mm across, 50 of 2 mm down; positions are pixel centres.
        let points = [PatientPos(glam_x() * 10.0), PatientPos(glam_x() * 20.0)];
        let far = p.moved(&points, PatientPos(glam_x() * 1000.0 + glam_y() * -1000.0));
        assert!((far[1].0.x - 49.75).abs() < 1e-9 && (far[0].0.x - 39.75).abs() < 1e-9, "{far:?}");
        assert!((far[0].0.y + 1.0).abs() < 1e-9);
        let near = p.moved(&points, PatientPos(glam_x() * 3.0));
        assert!((near[0].0.x - 13.0).abs() < 1e-9);
        let outside = p.patient_on_image(pos2(-500.0, 100.0));
        assert!((outside.0.x + 0.25).abs() < 1e-4, "{outside:?}");
    }

    #[test]
    fn zooming_keeps_the_point_under_the_pointer() {
        let rect = Rect::from_min_size(pos2(0.0, 0.0), vec2(300.0, 200.0));
        let before = view(1.3, [4.0, 2.0]);
        let p = Placement::new(rect, grid(), &before);
        let pointer = pos2(80.0, 150.0);
        let pan = p.pan_for_zoom(&before, 5.0, pointer);
        let q = Placement::new(rect, grid(), &view(5.0, pan));
        let (a, b) = (p.plane_from_screen(pointer), q.plane_from_screen(pointer));
        assert!((a.x - b.x).abs() < 1e-3 && (a.y - b.y).abs() < 1e-3);
    }
}
