//! One notch of a wheel is one event.
//!
//! On X11 a pointer without scroll axes (VNC, remote desktops, test tools) tells a notch by pressing and releasing button
//! 4, 5, 6 or 7, and winit 0.30 makes a wheel event of the press and another of the release (mended after that:
//! rust-windowing/winit#4386). The raw event that comes before each says which of the two it was, so the second is
//! dropped before eframe sees it. Wheels with scroll axes send no such buttons, and lose nothing here.

use eframe::UserEvent;
use winit::application::ApplicationHandler;
use winit::event::{DeviceEvent, DeviceId, ElementState, MouseScrollDelta, StartCause, WindowEvent};
use winit::event_loop::ActiveEventLoop;
use winit::window::WindowId;

/// The application of eframe without the wheel events of releases.
pub(crate) struct OneNotch<'a> {
    inner: eframe::EframeWinitApplication<'a>,
    releases: Releases,
}

impl<'a> OneNotch<'a> {
    pub(crate) fn new(inner: eframe::EframeWinitApplication<'a>) -> Self {
        Self { inner, releases: Releases::default() }
    }
}

/// Releases of wheel buttons whose wheel event has not come yet.
#[derive(Debug, Default)]
struct Releases {
    waiting: u32,
}

impl Releases {
    /// Takes a raw event.
    fn note(&mut self, event: &DeviceEvent) {
        // Other systems number the buttons otherwise: 4 and 5 go back and on.
        if !cfg!(target_os = "linux") {
            return;
        }
        match event {
            DeviceEvent::Button { button: 4..=7, state: ElementState::Released } => self.waiting += 1,
            DeviceEvent::Button { button: 4..=7, state: ElementState::Pressed } => self.waiting = 0,
            _ => {}
        }
    }

    /// Whether an event of the window is a release, told as a notch.
    fn drops(&mut self, event: &WindowEvent) -> bool {
        match event {
            // The wheel was turned over another window in between.
            WindowEvent::CursorEntered { .. } | WindowEvent::CursorLeft { .. } => self.waiting = 0,
            WindowEvent::MouseWheel { delta: MouseScrollDelta::LineDelta(x, y), .. }
                if self.waiting > 0 && x.abs() + y.abs() == 1.0 =>
            {
                self.waiting -= 1;
                return true;
            }
            _ => {}
        }
        false
    }
}

impl ApplicationHandler<UserEvent> for OneNotch<'_> {
    fn device_event(&mut self, events: &ActiveEventLoop, device: DeviceId, event: DeviceEvent) {
        self.releases.note(&event);
        self.inner.device_event(events, device, event);
    }

    fn window_event(&mut self, events: &ActiveEventLoop, window: WindowId, event: WindowEvent) {
        if !self.releases.drops(&event) {
            self.inner.window_event(events, window, event);
        }
    }

    fn new_events(&mut self, events: &ActiveEventLoop, cause: StartCause) {
        self.inner.new_events(events, cause);
    }

    fn resumed(&mut self, events: &ActiveEventLoop) {
        self.inner.resumed(events);
    }

    fn user_event(&mut self, events: &ActiveEventLoop, event: UserEvent) {
        self.inner.user_event(events, event);
    }

    fn about_to_wait(&mut self, events: &ActiveEventLoop) {
        self.inner.about_to_wait(events);
    }

    fn suspended(&mut self, events: &ActiveEventLoop) {
        self.inner.suspended(events);
    }

    fn exiting(&mut self, events: &ActiveEventLoop) {
        self.inner.exiting(events);
    }

    fn memory_warning(&mut self, events: &ActiveEventLoop) {
        self.inner.memory_warning(events);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use winit::event::TouchPhase;

    fn button(button: u32, state: ElementState) -> DeviceEvent {
        DeviceEvent::Button { button, state }
    }

    fn turn(lines: f32) -> WindowEvent {
        let (device_id, phase) = (DeviceId::dummy(), TouchPhase::Moved);
        WindowEvent::MouseWheel { device_id, delta: MouseScrollDelta::LineDelta(0.0, lines), phase }
    }

    #[test]
    fn a_press_and_its_release_are_one_notch() {
        let mut releases = Releases::default();
        for _ in 0..3 {
            releases.note(&button(5, ElementState::Pressed));
            assert!(!releases.drops(&turn(-1.0)));
            releases.note(&button(5, ElementState::Released));
            assert!(releases.drops(&turn(-1.0)));
        }
    }

    #[test]
    fn a_wheel_with_axes_loses_nothing() {
        let mut releases = Releases::default();
        for lines in [1.0, -1.0, 0.125, 2.0] {
            assert!(!releases.drops(&turn(lines)));
        }
        releases.note(&button(1, ElementState::Released));
        assert!(!releases.drops(&turn(1.0)));
    }

    #[test]
    fn a_release_over_another_window_takes_no_notch_later() {
        let mut releases = Releases::default();
        releases.note(&button(4, ElementState::Released));
        assert!(!releases.drops(&WindowEvent::CursorEntered { device_id: DeviceId::dummy() }));
        assert!(!releases.drops(&turn(1.0)));
    }
}
