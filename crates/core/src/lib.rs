//! Geometry, volumes, windowing, raster, label maps and measurement: no IO, no threads.
