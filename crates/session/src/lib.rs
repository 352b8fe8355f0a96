//! The state of the application, its commands and its jobs; headless.
