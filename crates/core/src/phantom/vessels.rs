//! Vessels of a lung: a tree that grows from the hilum to points spread over the lung, thickened by Murray's law.

use glam::Vec3;

use super::noise::Dice;
use super::shape::Tube;
use super::thorax::{NODULE, Side, Thorax};

/// Radius of the last branches.
const LEAF_RADIUS_MM: f32 = 0.52;
/// Exponent of Murray's law; 3 in theory, 2.6 to 3 in lungs.
const MURRAY: f32 = 2.7;

struct Node {
    position: Vec3,
    parent: usize,
    /// Way to the root in mm.
    way: f32,
    direction: Vec3,
    radius: f32,
}

/// Grows one tree. `root` is (position, direction) at the hilum; `ends` its number of end points; `spare_mm` how far the
/// ends stay below the pleura.
fn grow(thorax: &Thorax, side: Side, root: (Vec3, Vec3), ends: usize, spare_mm: f32, seed: u64) -> Vec<Tube> {
    let mut dice = Dice::new(seed);
    let mut targets = Vec::with_capacity(ends);
    // The lung fills about a third of this box; the bound keeps the loop finite whatever the shapes become.
    for _ in 0..ends * 12 {
        if targets.len() == ends {
            break;
        }
        let p =
            Vec3::new(dice.between(4.0, 140.0) * side.sign(), dice.between(-84.0, 90.0), dice.between(-150.0, 116.0));
        let level = thorax.level(p.z);
        let cavity = level.cavity.distance(p.x, p.y);
        if level.lung_distance(side, p.x, p.y, cavity) < -spare_mm && NODULE.centre.distance(p) > 11.0 {
            targets.push(p);
        }
    }
    targets.sort_by(|a, b| a.distance_squared(root.0).total_cmp(&b.distance_squared(root.0)));

    let mut nodes = vec![Node { position: root.0, parent: 0, way: 0.0, direction: root.1.normalize(), radius: 0.0 }];
    for target in targets {
        let mut best = (0, f32::INFINITY);
        for (i, node) in nodes.iter().enumerate() {
            let to = target - node.position;
            let distance = to.length();
            // A short detour is paid for by a short way to the heart, and a vessel does not turn back on itself.
            let turn = 1.0 - to.dot(node.direction) / distance.max(1e-3);
            let cost = distance * (1.0 + 0.55 * turn) + 0.22 * node.way;
            if cost < best.1 {
                best = (i, cost);
            }
        }
        let (from, start, way) = (best.0, nodes[best.0].position, nodes[best.0].way);
        let span = start.distance(target);
        let pieces = (span / 6.0).ceil().max(1.0) as usize;
        let control = start + nodes[from].direction * (span * 0.35);
        let (mut last, mut parent) = (start, from);
        for k in 1..=pieces {
            let t = k as f32 / pieces as f32;
            // Quadratic Bézier: leaves the parent in its direction and bends to the target.
            let p = start * ((1.0 - t) * (1.0 - t)) + control * (2.0 * t * (1.0 - t)) + target * (t * t);
            let step = p - last;
            nodes.push(Node {
                position: p,
                parent,
                way: way + span * t,
                direction: step.normalize_or(nodes[from].direction),
                radius: 0.0,
            });
            (last, parent) = (p, nodes.len() - 1);
        }
    }

    // Children come after their parents, so one sweep from the back adds up the flow: the radius to the power of MURRAY is kept at a fork.
    let mut flow = vec![0.0_f32; nodes.len()];
    for i in (1..nodes.len()).rev() {
        if flow[i] == 0.0 {
            flow[i] = LEAF_RADIUS_MM.powf(MURRAY);
        }
        let parent = nodes[i].parent;
        flow[parent] += flow[i];
        nodes[i].radius = flow[i].powf(1.0 / MURRAY);
    }
    nodes[0].radius = flow[0].powf(1.0 / MURRAY);
    (1..nodes.len())
        .map(|i| {
            let (n, p) = (&nodes[i], &nodes[nodes[i].parent]);
            // A side branch begins with its own width, not with that of the trunk.
            Tube::new(p.position, n.position, p.radius.min(n.radius * 1.25), n.radius)
        })
        .collect()
}

/// Arteries and veins of both lungs.
pub(super) fn lung_vessels(thorax: &Thorax) -> Vec<Tube> {
    let mut out = Vec::new();
    for side in Side::BOTH {
        let s = side.sign();
        let (artery, vein) = match side {
            Side::Right => (Vec3::new(-38.0, 12.0, -28.0), Vec3::new(-24.0, 18.0, -44.0)),
            Side::Left => (Vec3::new(44.0, 18.0, -22.0), Vec3::new(34.0, 18.0, -42.0)),
        };
        let seed = if side == Side::Right { 11 } else { 23 };
        out.extend(grow(thorax, side, (artery, Vec3::new(0.7 * s, 0.2, -0.4)), 760, 4.0, seed));
        out.extend(grow(thorax, side, (vein, Vec3::new(0.9 * s, -0.1, -0.2)), 340, 7.0, seed + 1));
    }
    out
}
