//! Language models trained on a made-up text: the loss falls, a killed training goes on as if nothing had been, the card has
//! its figures, and what is made completes words.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

use lightbox_model::evaluate::Cases;
use lightbox_model::language::complete::Completer;
use lightbox_model::language::recipe::TextRecipe;
use lightbox_model::language::train::train;
use lightbox_model::language::{TextModel, evaluate};
use lightbox_model::train::TrainOptions;
use lightbox_model::{Card, Error, RunCx, Store};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Captions of three kinds in which words follow each other by rule.
fn data(root: &Path) {
    let mut text = String::from("split\troco_id\tpmc_file\tlicence\tcaption\n");
    for n in 0..120 {
        let side = ["left", "right"][n % 2];
        let caption = match n % 3 {
            0 => format!("Chest radiograph shows a {side} pleural effusion."),
            1 => format!("Axial computed tomography shows a fracture of the {side} femur."),
            _ => "No pneumothorax and no pleural effusion on the chest radiograph.".to_owned(),
        };
        text += &format!("test\tR{n}\tPMC{n}_a.jpg\tCC BY\t{caption}\n");
    }
    std::fs::create_dir_all(root.join("text")).unwrap();
    std::fs::write(root.join("text/roco_radiology_captions_ccby.tsv"), text).unwrap();
}

fn recipe(id: &str, architecture: &str, more: &str) -> TextRecipe {
    let text = format!(
        "id = '{id}'\nname = 'Tiny'\ntask = 'language'\nlicence = 'CC0-1.0'\nlimits = ['Made up.']\nbaseline = 'ngram'\n\
         [architecture]\nname = 'text'\n{architecture}\n\
         [data]\nset = 'radiology-text'\ndescription = 'x'\nlicence = 'CC0-1.0'\ncredit = 'y'\n\
         [data.split]\nseed = 3\nvalidation = 0.15\ntest = 0.15\n{more}"
    );
    assert!(TextRecipe::is(&text));
    TextRecipe::parse(&text).unwrap_or_else(|e| panic!("{e}"))
}

const TRAINING: &str = "[training]\nseed = 1\nsteps = 60\nbatch = 8\nlearning_rate = 0.02\nwarmup_steps = 5\nweight_decay = 0.0\n\
     clip_norm = 1.0\naverage_decay = 0.5\ncheckpoint_every = 20\nvalidate_every = 30\n\
     [text]\ntokens = 16\ndropout = 0.1\ngeneral_share = 0.2\ngeneral_until = 0.5\n";
const GPT: &str = "kind = 'gpt2'\nvocab_size = 320\nn_positions = 48\nn_embd = 32\nn_layer = 1\nn_head = 2";
const LSTM: &str = "kind = 'recurrent-lm'\nvocab_size = 320\ncell = 'lstm'\nembedding_size = 32\nhidden_size = 32";

fn words(text: &str, completer: &Completer) -> Vec<String> {
    completer.complete(text, 3, &RunCx::silent()).unwrap().into_iter().map(|c| c.word).collect()
}

#[test]
fn networks_learn_and_complete() {
    let home = tempfile::tempdir().unwrap();
    data(home.path());
    for (id, architecture) in [("tiny-gpt", GPT), ("tiny-lstm", LSTM)] {
        let out = home.path().join(id);
        let report =
            train(&recipe(id, architecture, TRAINING), home.path(), &out, &TrainOptions::default(), &RunCx::silent())
                .unwrap();
        let card = Card::read(&out).unwrap();
        assert_eq!(card.sha256, report.sha256);
        for name in ["perplexity", "keystrokes_saved", "keystrokes_saved_alone"] {
            assert!(card.metrics.contains_key(name), "{id} {name}");
        }
        let baseline = &card.baseline.as_ref().unwrap().metrics;
        assert!(baseline["keystrokes_saved"].value > 0.2, "{baseline:?}");
        let curve = std::fs::read_to_string(out.join("curve.csv")).unwrap();
        let losses: Vec<f64> = curve.lines().skip(1).map(|l| l.split(',').nth(1).unwrap().parse().unwrap()).collect();
        assert!(losses.last().unwrap() < &(0.9 * losses[0]), "{id} {losses:?}");
        let model = Arc::new(TextModel::load_from(card, &out.join("model.safetensors")).unwrap());
        let again = evaluate::evaluate(&model, home.path(), Cases::Test, &RunCx::silent()).unwrap();
        assert_eq!(again.metrics, report.evaluation.unwrap().metrics, "{id}");
    }
    let out = home.path().join("tiny-ngram");
    let counted = recipe("tiny-ngram", "kind = 'ngram'\nvocab_size = 3\nrows = [0, 0, 0]", "");
    train(&counted, home.path(), &out, &TrainOptions::default(), &RunCx::silent()).unwrap();
    let store = Store::discover(&[home.path().to_owned()], None);
    let completer = Completer::open(&store, Some("tiny-gpt")).unwrap().unwrap();
    assert_eq!(words("Chest radiograph shows a left pleural ", &completer)[0], "effusion");
    assert_eq!(words("Chest radiograph shows a left pleural eff", &completer)[0], "effusion");
    assert_eq!(words("No pn", &completer)[0], "pneumothorax");
    assert_eq!(words("NO PN", &completer)[0].to_lowercase(), "pneumothorax");
    assert!(words("Chest radiograph", &completer).is_empty());
    // The reader's own reports weigh in.
    let mut own = Completer::open(&store, Some("none")).unwrap().unwrap();
    own.learn(std::iter::repeat_n("No pleural effusion, no pleural plaques. Pleural plaques on both sides.", 5));
    assert!(words("No pleural pl", &own).contains(&"plaques".to_owned()));
    // Nothing that is pasted does harm: five megabytes, another language, no letter at all.
    let paste = "Kein Pneumothorax. 肺野清晰 \u{1F600} ".repeat(160_000);
    for text in [paste.as_str(), "", "   ", "....", "肺", "a\u{301}b", "\n\n\n"] {
        for completer in [&completer, &own] {
            completer.complete(text, 3, &RunCx::silent()).unwrap();
        }
    }
    let stop = RunCx { cancelled: &|| true, progress: &|_, _| {} };
    assert!(matches!(completer.complete("No ", 3, &stop), Err(Error::Cancelled)));
    assert!(Completer::open(&Store::default(), None).unwrap().is_none());
}

#[test]
fn a_killed_training_goes_on_as_if_nothing_had_been() {
    let home = tempfile::tempdir().unwrap();
    data(home.path());
    let recipe = recipe("tiny", GPT, TRAINING);
    let whole =
        train(&recipe, home.path(), &home.path().join("a"), &TrainOptions::default(), &RunCx::silent()).unwrap();
    let out = home.path().join("b");
    let asked = AtomicUsize::new(0);
    let stop = RunCx { cancelled: &|| asked.fetch_add(1, Ordering::Relaxed) > 34, progress: &|_, _| {} };
    let stopped = train(&recipe, home.path(), &out, &TrainOptions::default(), &stop);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert!(!out.join("card.toml").exists());
    let options = TrainOptions { resume: true, ..TrainOptions::default() };
    let resumed = train(&recipe, home.path(), &out, &options, &RunCx::silent()).unwrap();
    assert_eq!(whole.sha256, resumed.sha256);
    let other = TextRecipe { licence: "MIT".into(), ..recipe.clone() };
    assert!(train(&other, home.path(), &out, &options, &RunCx::silent()).is_ok());
    let mut other = recipe;
    other.training.as_mut().unwrap().seed = 2;
    let refused = train(&other, home.path(), &out, &options, &RunCx::silent()).unwrap_err().to_string();
    assert!(refused.contains("another recipe"), "{refused}");
}

#[test]
fn recipes_and_data_that_cannot_be_are_sentences() {
    let home = tempfile::tempdir().unwrap();
    let told = |r: &TextRecipe| {
        train(r, home.path(), &home.path().join("x"), &TrainOptions::default(), &RunCx::silent())
            .unwrap_err()
            .to_string()
    };
    assert!(told(&recipe("tiny", GPT, TRAINING)).contains("no text is there"));
    let parse = |architecture: &str, more: &str| {
        let text = format!(
            "id = 'a'\nname = 'b'\ntask = 'language'\nlicence = 'c'\nbaseline = 'ngram'\n[architecture]\nname = 'text'\n{architecture}\n\
             [data]\nset = 'radiology-text'\ndescription = 'x'\nlicence = 'c'\ncredit = 'y'\n\
             [data.split]\nseed = 3\nvalidation = 0.1\ntest = 0.1\n{more}"
        );
        TextRecipe::parse(&text).unwrap_err().to_string()
    };
    assert!(parse(GPT, "").contains("[training]"));
    assert!(parse(GPT, &TRAINING.replace("tokens = 16", "tokens = 4000")).contains("tokens of [text]"));
    assert!(parse(&GPT.replace("n_head = 2", "n_head = 5"), TRAINING).contains("heads"));
    assert!(parse("kind = 'word-vectors'\nwords = 10\nwidth = 4", "").contains("[vectors]"));
    assert!(parse(GPT, &TRAINING.replace("dropout = 0.1", "dropout = 1.5")).contains("dropout"));
}
