//! Networks that find boxes, and the parts that they share.

pub mod anchors;
pub mod blobs;
pub mod boxes;
pub mod darknet;
pub mod fast;
pub mod faster;
pub mod fpn;
pub mod proposals;
pub mod rcnn;
pub mod roi;
pub mod ssd;
pub mod ssd_light;
pub mod warp;
pub mod yolox;
