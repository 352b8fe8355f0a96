//! The language models against transformers and torch, from the small files that `tests/parity/make --language` wrote, loaded as
//! a user would: a folder of Hugging Face, a `.pt` with a card, a GGUF. And what they do with files that lie.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

use candle_core::quantized::gguf_file::{self, Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use lightbox_model::arch::Architecture;
use lightbox_model::language::causal::{Causal, Sampling, write};
use lightbox_model::language::gguf::ChatModel;
use lightbox_model::language::recurrent::State;
use lightbox_model::language::{Built, TextModel, TextTokenizer, hub};
use lightbox_model::{Card, RunCx, Store};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const LIMIT: f32 = 1e-4;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/language").join(name)
}

/// What the published implementation gave, whole numbers as u32.
fn expected(dir: &Path) -> BTreeMap<String, Tensor> {
    let all = candle_core::safetensors::load(dir.join("expected.safetensors"), &Device::Cpu).unwrap();
    all.into_iter()
        .map(|(name, t)| {
            let whole = t.dtype() == candle_core::DType::I64;
            (name, if whole { t.to_dtype(candle_core::DType::U32).unwrap() } else { t })
        })
        .collect()
}

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest difference relative to the largest value.
fn difference(ours: &Tensor, theirs: &Tensor) -> f32 {
    assert_eq!(ours.dims(), theirs.dims());
    let (ours, theirs) = (values(ours), values(theirs));
    let largest = theirs.iter().fold(0f32, |m, v| m.max(v.abs()));
    ours.iter().zip(&theirs).fold(0f32, |m, (a, b)| m.max((a - b).abs())) / largest.max(1e-6)
}

#[track_caller]
fn close(what: &str, ours: &Tensor, theirs: &Tensor) {
    let off = difference(ours, theirs);
    #[allow(clippy::print_stdout, reason = "the figures of the README, with --nocapture")]
    {
        println!("{what}: {off:.1e}");
    }
    assert!(off <= LIMIT, "{what}: {off:.2e} above {LIMIT:.0e}");
}

fn load(name: &str) -> (TextModel, BTreeMap<String, Tensor>) {
    let dir = fixture(name);
    (hub::load(&dir).unwrap_or_else(|e| panic!("{name}: {e}")), expected(&dir))
}

#[test]
fn bert_gives_the_published_numbers() {
    let (model, e) = load("bert");
    let Some(Built::Bert(net)) = model.net() else { panic!() };
    let hidden = net.forward(&e["ids"], Some(&e["kinds"]), Some(&e["mask"])).unwrap();
    // Behind the padding nobody looks.
    close("bert hidden", &hidden.get(0).unwrap(), &e["hidden"].get(0).unwrap());
    let (ours, theirs) = (hidden.get(1).unwrap(), e["hidden"].get(1).unwrap());
    close("bert hidden, padded", &ours.narrow(0, 0, 6).unwrap(), &theirs.narrow(0, 0, 6).unwrap());
    close("bert pooled", &net.pooled(&hidden).unwrap(), &e["pooled"]);
    assert!(net.masked_words(&hidden).is_err() && net.classes(&hidden).is_err());

    let (model, e) = load("bert_masked");
    let Some(Built::Bert(net)) = model.net() else { panic!() };
    let hidden = net.forward(&e["ids"], None, None).unwrap();
    close("bert masked words", &net.masked_words(&hidden).unwrap(), &e["logits"]);

    let (model, e) = load("bert_classes");
    let Some(Built::Bert(net)) = model.net() else { panic!() };
    close("bert classes", &net.classes(&net.forward(&e["ids"], None, None).unwrap()).unwrap(), &e["classes"]);

    let (model, e) = load("roberta");
    let Some(Built::Bert(net)) = model.net() else { panic!() };
    close("roberta hidden", &net.forward(&e["ids"], None, None).unwrap(), &e["hidden"]);
    // A text beyond the table of places, and a token beyond the vocabulary, are errors.
    let long = Tensor::zeros((1, 40), candle_core::DType::U32, &Device::Cpu).unwrap();
    assert!(net.forward(&long, None, None).unwrap_err().to_string().contains("40 tokens"));
    assert!(net.forward(&Tensor::new(&[[4000u32]], &Device::Cpu).unwrap(), None, None).is_err());
}

/// Writes 12 tokens with what is remembered, and without.
fn goes_on(net: &dyn Causal, start: &[u32], count: usize) -> (Vec<u32>, Vec<u32>) {
    let best = |logits: Vec<f32>| {
        logits.iter().enumerate().fold((0, f32::NEG_INFINITY), |b, (i, v)| if *v > b.1 { (i, *v) } else { b }).0 as u32
    };
    let (mut with, mut without) = (start.to_vec(), start.to_vec());
    let mut past = net.start();
    let mut logits = net.advance(&mut past, start).unwrap();
    for _ in 0..count {
        let next = best(logits);
        with.push(next);
        logits = net.advance(&mut past, &[next]).unwrap();
        let all = net.advance(&mut net.start(), &without).unwrap();
        without.push(best(all));
    }
    (with, without)
}

#[test]
fn gpt2_gives_the_published_numbers_and_texts() {
    let (model, e) = load("gpt2");
    let Some(Built::Gpt2(net)) = model.net() else { panic!() };
    close("gpt2 hidden", &net.hidden(&e["ids"], &mut net.start()).unwrap(), &e["hidden"]);
    close("gpt2 logits", &net.forward(&e["ids"], &mut net.start()).unwrap(), &e["logits"]);
    // In two parts with what is remembered: the same numbers.
    let mut cache = net.start();
    net.forward(&e["ids"].narrow(1, 0, 4).unwrap().contiguous().unwrap(), &mut cache).unwrap();
    let rest = net.forward(&e["ids"].narrow(1, 4, 5).unwrap().contiguous().unwrap(), &mut cache).unwrap();
    close("gpt2 logits, in two parts", &rest, &e["logits"].narrow(1, 4, 5).unwrap());
    let written: Vec<u32> = e["written"].to_vec1().unwrap();
    let (with, without) = goes_on(net.as_ref(), &written[..9], 12);
    assert_eq!(with, without);
    assert_eq!(with, written);
    let past_end = goes_on_to_the_end(net.as_ref());
    assert!(past_end.contains("longer than"), "{past_end}");
}

fn goes_on_to_the_end(net: &dyn Causal) -> String {
    let long = vec![1u32; net.longest().unwrap() + 1];
    net.advance(&mut net.start(), &long).unwrap_err().to_string()
}

#[test]
fn t5_gives_the_published_numbers_and_texts() {
    for name in ["t5", "flan_t5"] {
        let (model, e) = load(name);
        let Some(Built::T5(net)) = model.net() else { panic!() };
        let read = net.encode(&e["ids"], Some(&e["mask"])).unwrap();
        close(&format!("{name} hidden"), &read.get(1).unwrap(), &e["hidden"].get(1).unwrap());
        let logits = net.decode(&e["decoder_ids"], &read, Some(&e["mask"]), &mut net.start()).unwrap();
        close(&format!("{name} logits"), &logits, &e["logits"]);
        // Token by token with what is remembered.
        let mut cache = net.start();
        for at in 0..7 {
            let one = e["decoder_ids"].narrow(1, at, 1).unwrap().contiguous().unwrap();
            let logits = net.decode(&one, &read, Some(&e["mask"]), &mut cache).unwrap();
            close(&format!("{name} logits, token {at}"), &logits, &e["logits"].narrow(1, at, 1).unwrap());
        }
        let ids: Vec<u32> = e["ids"].get(1).unwrap().to_vec1().unwrap();
        let written: Vec<u32> = e["written"].to_vec1().unwrap();
        let ours = net.write(&ids, 10, &RunCx::silent()).unwrap();
        let end = written.iter().skip(1).position(|t| *t == 1).unwrap_or(written.len() - 1);
        assert_eq!(ours, written[1..=end], "{name}");
    }
}

fn card(architecture: Architecture) -> Card {
    let text = "id = 'parity'\nname = 'Parity'\ntask = 'language'\nlicence = 'CC0-1.0'\n\
                [architecture]\nname = 'text'\nkind = 'recurrent'\ncell = 'gru'\ninput_size = 1\nhidden_size = 1\n";
    Card { architecture, ..toml::from_str(text).unwrap() }
}

#[test]
fn lstm_and_gru_give_torch_s_numbers() {
    for name in ["lstm_both_ways", "lstm_plain", "gru_both_ways", "gru_deep"] {
        let dir = fixture(name);
        let e = expected(&dir);
        let text = std::fs::read_to_string(dir.join("architecture.toml")).unwrap();
        let architecture = toml::from_str(&format!("name = 'text'\nkind = 'recurrent'\n{text}")).unwrap();
        let home = tempfile::tempdir().unwrap();
        let mut store = Store::discover(&[], Some(home.path()));
        let entry = store.add(&[dir.join("weights.pt")], card(architecture)).unwrap();
        let model = TextModel::load(entry).unwrap();
        let Some(Built::Recurrent(net)) = model.net() else { panic!() };
        let mut state = State::default();
        close(&format!("{name} output"), &net.forward(&e["input"], &mut state).unwrap(), &e["output"]);
        close(&format!("{name} state"), &state.hidden().unwrap(), &e["hidden"]);
        match e.get("cell") {
            Some(cell) => close(&format!("{name} cell"), &state.cell().unwrap().unwrap(), cell),
            None => assert!(state.cell().unwrap().is_none()),
        }
    }
}

#[test]
fn chat_models_give_the_published_numbers_and_texts() {
    for family in ["llama", "qwen2", "qwen3"] {
        let dir = fixture(&format!("gguf_{family}"));
        let e = expected(&dir);
        let model = ChatModel::load(&dir.join("model.gguf")).unwrap_or_else(|e| panic!("{family}: {e}"));
        let ids: Vec<u32> = e["ids"].flatten_all().unwrap().to_vec1().unwrap();
        let last = model.net().advance(&mut model.net().start(), &ids).unwrap();
        let theirs = e["logits"].get(0).unwrap().get(ids.len() - 1).unwrap();
        close(&format!("{family} logits"), &Tensor::from_vec(last, 260, &Device::Cpu).unwrap(), &theirs);
        let written: Vec<u32> = e["written"].to_vec1().unwrap();
        let (with, without) = goes_on(model.net(), &written[..ids.len()], 8);
        assert_eq!(with, without, "{family}");
        assert_eq!(with, written, "{family}");
        let mut told = String::new();
        let sampling = Sampling { tokens: 5, ..Sampling::default() };
        let text = model.answer("You help.", "Is it large?", &sampling, &RunCx::silent(), &mut |p| told += p).unwrap();
        assert!(text.starts_with(&told), "{text:?} {told:?}");
        let stop = RunCx { cancelled: &|| true, progress: &|_, _| {} };
        let stopped = model.answer("", "x", &sampling, &stop, &mut |_| {});
        assert!(matches!(stopped, Err(lightbox_model::Error::Cancelled)));
    }
}

fn read_gguf(path: &Path) -> (Content, std::io::BufReader<std::fs::File>) {
    let mut file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    (Content::read(&mut file).unwrap(), file)
}

/// A copy with other values or other kinds of numbers.
fn changed(from: &Path, to: &Path, kind: Option<GgmlDType>, set: &[(&str, Value)]) {
    let (content, mut file) = read_gguf(from);
    let mut names: Vec<&String> = content.tensor_infos.keys().collect();
    names.sort();
    let tensors: Vec<(&str, QTensor)> = names
        .into_iter()
        .map(|name| {
            let t = content.tensor(&mut file, name, &Device::Cpu).unwrap();
            let plain = t.dequantize(&Device::Cpu).unwrap();
            let fits = t.rank() == 2 && plain.dims()[1] % 32 == 0;
            let t = match kind {
                Some(kind) if fits => QTensor::quantize(&plain, kind).unwrap(),
                _ => t,
            };
            (name.as_str(), t)
        })
        .collect();
    let mut metadata: BTreeMap<&str, &Value> = content.metadata.iter().map(|(k, v)| (k.as_str(), v)).collect();
    metadata.extend(set.iter().map(|(k, v)| (*k, v)));
    let metadata: Vec<(&str, &Value)> = metadata.into_iter().collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(n, t)| (*n, t)).collect();
    gguf_file::write(&mut std::fs::File::create(to).unwrap(), &metadata, &tensors).unwrap();
}

#[test]
fn quantized_numbers_come_near_the_whole_ones() {
    let dir = fixture("gguf_llama");
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("q8.gguf");
    changed(&dir.join("model.gguf"), &path, Some(GgmlDType::Q8_0), &[]);
    let e = expected(&dir);
    let model = ChatModel::load(&path).unwrap();
    let ids: Vec<u32> = e["ids"].flatten_all().unwrap().to_vec1().unwrap();
    let last = model.net().advance(&mut model.net().start(), &ids).unwrap();
    let theirs = e["logits"].get(0).unwrap().get(ids.len() - 1).unwrap();
    let off = difference(&Tensor::from_vec(last, 260, &Device::Cpu).unwrap(), &theirs);
    assert!(off > 1e-6 && off < 0.05, "{off}");
}

#[test]
fn a_gguf_that_lies_is_a_sentence() {
    let whole = fixture("gguf_llama").join("model.gguf");
    let bytes = std::fs::read(&whole).unwrap();
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("lie.gguf");
    let told = || ChatModel::load(&path).unwrap_err().to_string();
    let put = |bytes: &[u8]| std::fs::write(&path, bytes).unwrap();

    put(b"");
    assert!(told().contains("no GGUF"));
    put(b"PK\x03\x04 and so on");
    assert!(told().contains("no GGUF"));
    // Cut at each of many places: a sentence, never a panic.
    for end in (4..bytes.len()).step_by(bytes.len() / 40) {
        put(&bytes[..end]);
        let text = told();
        assert!(text.contains("GGUF") && !text.contains('\n'), "{end}: {text}");
    }
    // Counts of tensors and of fields beyond all reason.
    for at in [8, 16] {
        let mut lie = bytes.clone();
        lie[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        put(&lie);
        assert!(told().contains("header is damaged"), "{}", told());
    }
    // A tensor of more numbers than the file has bytes: its dimensions stand behind its name.
    let name = b"token_embd.weight";
    let at = bytes.windows(name.len()).position(|w| w == name).unwrap() + name.len() + 4;
    for size in [1u64 << 40, u64::MAX / 2, 1 << 62] {
        let mut lie = bytes.clone();
        lie[at + 8..at + 16].copy_from_slice(&size.to_le_bytes());
        put(&lie);
        assert!(told().contains("reaches beyond"), "{}", told());
    }
    // Numbers of the network that its tensors do not have, or that nothing can have.
    for (key, value, said) in [
        ("llama.block_count", Value::U32(3), "lacks the tensor 'blk.2."),
        ("llama.block_count", Value::U32(4_000_000_000), "cannot be"),
        ("llama.attention.head_count", Value::U32(0), "cannot be"),
        ("llama.attention.head_count", Value::U32(5), "do not fit"),
        ("llama.embedding_length", Value::U32(64), "has shape"),
        ("llama.rope.freq_base", Value::F32(f32::NAN), "no number that can be"),
        ("general.architecture", Value::String("gemma9".into()), "gemma9"),
        ("general.alignment", Value::U32(0), "aligned to 0"),
        ("tokenizer.ggml.model", Value::String("llama".into()), "tokenizer.json"),
    ] {
        changed(&whole, &path, None, &[(key, value)]);
        assert!(told().contains(said), "{key}: {}", told());
    }
}

#[test]
fn a_folder_that_lies_is_a_sentence() {
    let home = tempfile::tempdir().unwrap();
    let told = || hub::load(home.path()).unwrap_err().to_string();
    assert!(told().contains("no config.json"));
    let source = fixture("gpt2");
    let config = std::fs::read_to_string(source.join("config.json")).unwrap();
    let put = |text: &str| std::fs::write(home.path().join("config.json"), text).unwrap();
    put(&config);
    assert!(told().contains("no weights"));
    std::fs::copy(source.join("pytorch_model.bin"), home.path().join("pytorch_model.bin")).unwrap();
    assert!(hub::load(home.path()).is_ok());
    for (text, said) in [
        ("not json".to_owned(), "config.json"),
        ("{}".to_owned(), "model_type"),
        (config.replace("\"gpt2\"", "\"mamba\""), "mamba"),
        (config.replace("\"n_embd\": 16", "\"n_embd\": 4000000000"), "n_embd"),
        (config.replace("\"n_embd\": 16", "\"n_embd\": 32"), "shape"),
        (config.replace("\"n_layer\": 2", "\"n_layer\": 3"), "lacks the"),
        (config.replace("\"n_head\": 4", "\"n_head\": 5"), "heads"),
        (config.replace("\"gelu_new\"", "\"quick\""), "activation"),
    ] {
        put(&text);
        assert!(told().contains(said), "{said}: {}", told());
    }
    std::fs::remove_file(home.path().join("pytorch_model.bin")).unwrap();
    put(&config);
    let index = home.path().join("model.safetensors.index.json");
    std::fs::write(&index, r#"{"weight_map": {"wte.weight": "../../etc/passwd"}}"#).unwrap();
    assert!(told().contains("outside of its folder"), "{}", told());
}

#[test]
fn tokenizers_give_the_published_numbers() {
    for name in ["tokenizer_wordpiece", "tokenizer_bpe", "tokenizer_unigram"] {
        let dir = fixture(name);
        let tokenizer = TextTokenizer::from_folder(&dir).unwrap();
        // As it is kept beside weights.
        let again = TextTokenizer::from_json(&tokenizer.to_json().unwrap()).unwrap();
        let cases: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(dir.join("expected.json")).unwrap()).unwrap();
        for case in cases.as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let theirs: Vec<u32> = case["ids"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect();
            assert_eq!(tokenizer.encode_whole(text).unwrap(), theirs, "{name}: {text}");
            assert_eq!(again.encode_whole(text).unwrap(), theirs, "{name}: {text}");
        }
    }
    let bpe = TextTokenizer::from_folder(&fixture("tokenizer_bpe")).unwrap();
    let text = "Größe 3 mm – naïve \u{1F600}";
    assert_eq!(bpe.decode(&bpe.encode(text).unwrap()).unwrap(), text);
    assert!(TextTokenizer::from_folder(&fixture("gru_deep")).unwrap_err().to_string().contains("no tokenizer"));
}

#[test]
fn a_paste_of_5_mb_and_another_language_are_read_without_harm() {
    let bpe = TextTokenizer::from_folder(&fixture("tokenizer_bpe")).unwrap();
    let paste = "Kein Anhalt für Erguß. 肺野清晰。 ".repeat(5 << 20 >> 5);
    assert!(paste.len() > 5 << 20);
    // No more is read than a model could ever hold.
    let ids = bpe.encode(&paste).unwrap();
    assert!(ids.len() <= 1 << 20);
    let (model, _) = load("gpt2");
    let Some(Built::Gpt2(net)) = model.net() else { panic!() };
    let told = write(net.as_ref(), &bpe, &ids, &Sampling::default(), &RunCx::silent(), &mut |_| {}).unwrap_err();
    assert!(told.to_string().contains("the model holds 32"), "{told}");
}
