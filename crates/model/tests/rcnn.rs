//! R-CNN on a made-up task: discs and frames among bars, from a few drawn boxes, on images that it never saw.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

use lightbox_model::arch::detect::boxes::iou;
use lightbox_model::rcnn::{Backbone, Drawn, Example, Plan, Recipe, Settings, Trained, train};
use lightbox_model::{Card, Error, Found, FoundBox, Model, Picture, RunCx, Store, card};

const SIZE: [usize; 2] = [200, 150];

/// Numbers from 0 to 1.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// One object in each of six fields: discs (label 0), frames (label 1), bars, which have no label, or nothing.
fn example(seed: u64) -> Example {
    let mut dice = Dice(seed.wrapping_mul(77).wrapping_add(5));
    let [columns, rows] = SIZE;
    let mut values: Vec<f32> = (0..columns * rows).map(|_| 60.0 + 12.0 * dice.next()).collect();
    let mut boxes = Vec::new();
    for field in 0..6 {
        let (fx, fy) = ((field % 3) as f32 * 66.0, (field / 3) as f32 * 75.0);
        let r = 13.0 + 8.0 * dice.next();
        let (cx, cy) = (fx + 24.0 + 16.0 * dice.next(), fy + 26.0 + 20.0 * dice.next());
        let kind = (field + seed as usize) % 4;
        let bright = 130.0 + 90.0 * dice.next();
        for y in 0..rows {
            for x in 0..columns {
                let (dx, dy) = ((x as f32 + 0.5 - cx).abs(), (y as f32 + 0.5 - cy).abs());
                let inside = match kind {
                    0 => dx.hypot(dy) < r,
                    1 => dx.max(dy) < r && dx.max(dy) > r - 6.0,
                    2 => dx < r && dy < 4.0,
                    _ => false,
                };
                if inside {
                    values[y * columns + x] = bright + 12.0 * dice.next();
                }
            }
        }
        if kind < 2 {
            boxes.push(Drawn { rect: [cx - r, cy - r, cx + r, cy + r], label: kind });
        }
    }
    let picture = Picture { columns, rows, planes: vec![values], full_range: None, window: None };
    Example { picture, boxes }
}

fn plan() -> Plan {
    Plan {
        id: "discs".into(),
        name: "Discs and frames".into(),
        licence: "CC0-1.0".into(),
        labels: vec!["disc".into(), "frame".into()],
        fits: card::Fits::default(),
        settings: Settings { most: 120, ..Settings::default() },
    }
}

fn trained() -> Trained {
    let examples: Vec<Example> = (0..4).map(example).collect();
    assert!(examples.iter().map(|e| e.boxes.len()).sum::<usize>() <= 14, "a handful");
    train(&examples, &Backbone::random(1).unwrap(), &plan(), &RunCx::silent()).unwrap()
}

fn found(model: &Model, picture: &Picture) -> Vec<FoundBox> {
    match model.answer(picture, &RunCx::silent()).unwrap().found {
        Found::Boxes(all) => all,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_few_boxes_are_enough_and_the_model_is_kept() {
    let trained = trained();
    let report = &trained.report;
    assert!(report.covered > 0.9 && report.recognised > 0.9 && report.rounds >= 1, "{report:?}");
    // As any other model: kept, listed, loaded by its hash.
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::discover(&[], Some(dir.path()));
    let entry = store.keep(&trained).unwrap().clone();
    assert!(matches!(store.keep(&trained), Err(Error::AlreadyThere { .. })));
    assert_eq!(Store::discover(&[], Some(dir.path())).entries()[0].card, entry.card);
    let model = Model::load(&entry).unwrap();
    assert_eq!(model.card().architecture.name(), "rcnn");

    let (mut right, mut given, mut wanted, mut overlap) = (0, 0, 0, 0.0);
    for seed in 10..14 {
        let test = example(seed);
        let all = found(&model, &test.picture);
        given += all.len();
        wanted += test.boxes.len();
        for truth in &test.boxes {
            let label = &plan().labels[truth.label];
            let own = all.iter().filter(|b| b.label == *label).map(|b| iou(&b.rect, &truth.rect));
            let best = own.fold(0.0, f32::max);
            if best >= 0.5 {
                right += 1;
                overlap += best;
            }
        }
    }
    let (recall, precision) = (right as f32 / wanted as f32, right as f32 / given as f32);
    let overlap = overlap / right.max(1) as f32;
    assert!(
        recall > 0.85 && precision > 0.85 && overlap > 0.75,
        "{recall} {precision} {overlap}: {right} {given} {wanted}"
    );
    // The same drawings make the same model.
    assert_eq!(card_of(&trained), card_of(&self::trained()));
}

fn card_of(trained: &Trained) -> Card {
    let dir = tempfile::tempdir().unwrap();
    trained.save(dir.path()).unwrap();
    Card::read(dir.path()).unwrap()
}

/// A large image with a few small discs, and large bodies that have no label.
fn small(seed: u64) -> Example {
    let mut dice = Dice(seed.wrapping_mul(31).wrapping_add(9));
    let (columns, rows) = (900, 700);
    let mut values: Vec<f32> = (0..columns * rows).map(|_| 60.0 + 10.0 * dice.next()).collect();
    let mut boxes = Vec::new();
    let mut disc = |cx: f32, cy: f32, r: f32, bright: f32| {
        for y in (cy - r) as usize..=(cy + r) as usize {
            for x in (cx - r) as usize..=(cx + r) as usize {
                if (x as f32 + 0.5 - cx).hypot(y as f32 + 0.5 - cy) < r {
                    values[y * columns + x] += bright;
                }
            }
        }
    };
    disc(450.0, 380.0, 150.0 + 40.0 * dice.next(), 50.0);
    for i in 0..4 {
        let (cx, cy, r) =
            (60.0 + 240.0 * i as f32 + 40.0 * dice.next(), 60.0 + 60.0 * dice.next(), 14.0 + 5.0 * dice.next());
        disc(cx, cy, r, 100.0);
        boxes.push(Drawn { rect: [cx - r, cy - r, cx + r, cy + r], label: 0 });
    }
    let picture = Picture { columns, rows, planes: vec![values], full_range: None, window: None };
    Example { picture, boxes }
}

#[test]
fn small_objects_are_searched_for_at_their_size() {
    let mut plan = plan();
    plan.labels.truncate(1);
    let trained = train(&[small(1), small(2)], &Backbone::random(1).unwrap(), &plan, &RunCx::silent()).unwrap();
    assert!(trained.report.covered > 0.9, "{:?}", trained.report);
    let test = small(3);
    let all = found(&trained.model().unwrap(), &test.picture);
    let right = test.boxes.iter().filter(|t| all.iter().any(|b| iou(&b.rect, &t.rect) > 0.5)).count();
    assert!(right >= 3 && all.len() <= right + 1, "{right} of {}: {all:?}", test.boxes.len());
}

#[test]
fn given_regions_are_judged_in_place_of_proposals() {
    let model = trained().model().unwrap();
    let test = example(20);
    let Drawn { rect, label } = test.boxes[0];
    let answer = model.answer_on(&test.picture, &[rect], &RunCx::silent()).unwrap();
    let Found::Boxes(all) = answer.found else { panic!("{:?}", answer.found) };
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].label, plan().labels[label]);
    assert!(iou(&all[0].rect, &rect) > 0.7, "{:?}", all[0]);
    let none = model.answer_on(&test.picture, &[], &RunCx::silent()).unwrap();
    assert_eq!(none.found, Found::Boxes(Vec::new()));
    let said = model.answer_on(&test.picture, &[[5.0, 5.0, 5.0, f32::NAN]], &RunCx::silent()).unwrap_err().to_string();
    assert!(said.contains("no box"), "{said}");
}

#[test]
fn what_cannot_be_trained_is_refused_with_the_reason() {
    let backbone = Backbone::random(1).unwrap();
    let said =
        |examples: &[Example], plan: &Plan| train(examples, &backbone, plan, &RunCx::silent()).unwrap_err().to_string();
    let one = example(0);
    let with = |rect: [f32; 4], label: usize| Example { boxes: vec![Drawn { rect, label }], ..one.clone() };
    assert!(said(&[], &plan()).contains("nothing was drawn for 'disc'"));
    let first = Example { boxes: one.boxes.iter().filter(|b| b.label == 0).copied().collect(), ..one.clone() };
    assert!(said(&[first], &plan()).contains("nothing was drawn for 'frame'"));
    let mut disc = plan();
    disc.labels.truncate(1);
    for rect in [[f32::NAN; 4], [500.0, 500.0, 600.0, 600.0], [10.0, 10.0, 9.0, 20.0], [f32::INFINITY; 4]] {
        assert!(said(&[with(rect, 0)], &disc).contains("smaller than 3 x 3"), "{rect:?}");
    }
    let mut odd = with([0.0, 0.0, 30.0, 30.0], 0);
    odd.boxes.push(Drawn { label: 7, ..odd.boxes[0] });
    assert!(said(&[odd], &disc).contains("label 7 of 1"));
    let mut bad = plan();
    bad.labels.clear();
    assert!(said(std::slice::from_ref(&one), &bad).contains("no label"));
    bad = plan();
    bad.settings.cost = -1.0;
    assert!(said(std::slice::from_ref(&one), &bad).contains("cost is -1"));
    bad = plan();
    bad.settings.tap = Some("layer9".into());
    assert!(said(std::slice::from_ref(&one), &bad).contains("no layer 'layer9'"));
    bad = plan();
    bad.id = "../up".into();
    assert!(said(std::slice::from_ref(&one), &bad).contains("lower-case"));
    // A colour picture on a backbone of one channel.
    let mut colour = one.clone();
    colour.picture.planes = vec![colour.picture.planes[0].clone(); 3];
    assert!(said(&[colour], &plan()).contains("3 channels"));
    // A picture in which everything is the object.
    let whole = with([0.0, 0.0, SIZE[0] as f32, SIZE[1] as f32], 0);
    let flat = Example { picture: Picture { planes: vec![vec![1.0; SIZE[0] * SIZE[1]]], ..whole.picture }, ..whole };
    bad = plan();
    bad.labels.truncate(1);
    bad.settings.copies = 0;
    let said_flat = said(&[flat], &bad);
    assert!(said_flat.contains("no background") || said_flat.contains("same of every region"), "{said_flat}");
    let stop = RunCx { cancelled: &|| true, progress: &|_, _| {} };
    assert!(matches!(train(&[one], &backbone, &plan(), &stop), Err(Error::Cancelled)));
}

#[test]
fn a_backbone_is_a_classifier_at_hand() {
    // The random filters, kept as a classifier, give the same features as a backbone that is read from its files.
    let dir = tempfile::tempdir().unwrap();
    trained().save(dir.path()).unwrap();
    let said = Backbone::in_folder(dir.path()).unwrap_err().to_string();
    assert!(said.contains("'discs' is no classifier"), "{said}");
}

#[test]
fn cards_of_impossible_networks_are_refused() {
    let good = trained().card;
    let text = good.to_toml().unwrap();
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        toml_card(&text.replacen(from, to, 1)).check().unwrap_err().to_string()
    };
    assert!(refused("side_px = 64", "side_px = 5").contains("side_px is 5"));
    assert!(refused("context_px = 6", "context_px = 60").contains("context_px is 60"));
    assert!(refused("tap = \"layer3\"", "tap = \"nowhere\"").contains("no layer 'nowhere'"));
    assert!(refused("cells = 4", "cells = 90").contains("cells is 90"));
    assert!(refused("\"frame\"", "\"frame\", \"more\"").contains("3 labels for 2 outputs"));
}

fn toml_card(text: &str) -> Card {
    toml::from_str(text).unwrap()
}

#[test]
fn recipes_say_what_is_wrong_with_them() {
    let text = "method = 'rcnn'\nid = 'a'\nname = 'A'\nlicence = 'CC0-1.0'\n[[image]]\npath = 'a.png'\n\
                boxes = [{ label = 'x', box = [1, 2, 30, 40] }, { label = 'y', box = [1, 2, 30, 40] }]\n";
    let recipe = Recipe::parse(text).unwrap().unwrap();
    assert_eq!(recipe.plan().labels, ["x", "y"]);
    assert_eq!(recipe.plan().settings, Settings::default());
    assert!(Recipe::parse("id = 'a'\n").unwrap().is_none());
    let said = |text: &str| Recipe::parse(text).unwrap_err().to_string();
    assert!(said(&text.replace("rcnn", "magic")).contains("known is 'rcnn'"));
    assert!(said(&text.replace("label = 'x'", "lable = 'x'")).contains("lable"));
    assert!(said(&text.replace("[1, 2, 30, 40] }]", "[1, 2] }]")).contains("line"));
}
