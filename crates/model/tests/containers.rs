//! Files of weights as strangers bring them: each container, and what is wrong with it in one sentence.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where")]

use lightbox_model::{Card, Error, Model, RunCx, Store, npy, published};
use std::path::{Path, PathBuf};

const MESH: &str = r#"
id = "mesh"
name = "Mesh"
task = "segmentation"
licence = "CC0-1.0"
labels = ["background", "a"]

[architecture]
name = "meshnet"
outputs = 2
channels = 1
dilations = [1]
activation = "relu"

[input]
rows = 16
columns = 16
slices = 16
resize = "keep"

[post]
activation = "softmax"
"#;

fn card(text: &str) -> Card {
    toml::from_str(text).unwrap()
}

struct Case(tempfile::TempDir);

impl Case {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn models(&self) -> PathBuf {
        self.0.path().join("models")
    }

    fn add(&self, file: &Path, card: Card) -> Result<Model, Error> {
        let mut store = Store::discover(&[], Some(&self.models()));
        let entry = store.add(&[file.to_owned()], card)?.clone();
        Model::load(&entry)
    }

    /// The refusal of a file, after which nothing is left behind.
    fn refused(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.file(name, bytes);
        let said = self.add(&path, card(MESH)).unwrap_err().to_string();
        let left = std::fs::read_dir(self.models()).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{name} left something behind");
        assert!(!said.contains('\n'), "{said}");
        said
    }
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn a_file_s_word_on_its_size_is_not_taken() {
    let case = Case::new();
    // A header of 10 GB in a file of a few bytes, a tensor of 10 GB in one of a kilobyte.
    let said = case.refused("a.safetensors", &[&(10u64 << 30).to_le_bytes()[..], b"{}"].concat());
    assert!(said.contains("damaged"), "{said}");
    let tensor = r#"{"layers.0.weight":{"dtype":"F32","shape":[2684354560],"data_offsets":[0,10737418240]}}"#;
    assert!(case.refused("b.safetensors", &safetensors(tensor, &[0; 1000])).contains("damaged"));
    // The same in the older PyTorch layout: a storage of 2^40 numbers.
    let mut legacy = vec![0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
    legacy.extend(b"\x80\x02M\xe9\x03.\x80\x02}.");
    legacy.extend(b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\n");
    legacy.extend(b"FloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01NtQK\x00K\x01\x85K\x01\x85\x89}tRs.");
    legacy.extend(b"\x80\x02]X\x01\x00\x00\x000a.");
    legacy.extend((1i64 << 40).to_le_bytes());
    assert!(case.refused("c.pth", &legacy).contains("cut short"));
}

#[test]
fn pickles_run_nothing() {
    let case = Case::new();
    let mut evil = vec![0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
    evil.extend(b"\x80\x02M\xe9\x03.\x80\x02}.");
    evil.extend(b"\x80\x02cposix\nsystem\nX\x0a\x00\x00\x00touch /tmp\x85R.");
    let said = case.refused("evil.pth", &evil);
    assert!(said.contains("posix.system") && said.contains("nothing of it was executed"), "{said}");
}

#[test]
fn files_of_other_kinds_are_named() {
    let case = Case::new();
    assert!(case.refused("x.pth", b"").contains("empty"));
    assert!(case.refused("x.h5", b"\x89HDF\r\n\x1a\n________").contains("HDF5"));
    assert!(case.refused("x.onnx", b"\x08\x07\x12\x07pytorch").contains("ONNX"));
    assert!(case.refused("x.gguf", b"GGUF\x03\x00\x00\x00").contains("GGUF"));
    assert!(case.refused("x.pth", b"PK\x03\x04 and nothing else").contains("zip"));
    assert!(case.refused("x.json", b"{\"a\": 1}").contains("weightsManifest"));
    assert!(case.refused("x.pkl", b"\x80\x04\x95\x00.").contains("PyTorch"));
    assert!(case.refused("x.txt", b"hello, this is text").contains("none of safetensors"));
    let escape = br#"{"weightsManifest":[{"paths":["../../etc/passwd"],"weights":[]}]}"#;
    assert!(case.refused("model.json", escape).contains("outside its folder"));
}

#[test]
fn a_network_of_keras_is_read_and_runs() {
    let case = Case::new();
    let topology = r#"{"model_config":{"config":{"layers":[
        {"class_name":"InputLayer","config":{"name":"in"}},
        {"class_name":"Conv3D","config":{"name":"one"}},
        {"class_name":"Activation","config":{"name":"act"}},
        {"class_name":"Conv3D","config":{"name":"two"}}]}}}"#;
    let manifest = r#"[{"paths":["w.bin"],"weights":[
        {"name":"one/kernel","shape":[3,3,3,1,1],"dtype":"float32"},{"name":"one/bias","shape":[1],"dtype":"float32"},
        {"name":"two/kernel","shape":[1,1,1,1,2],"dtype":"float32"},{"name":"two/bias","shape":[2],"dtype":"float32"}]}]"#;
    let json = format!(r#"{{"format":"layers-model","modelTopology":{topology},"weightsManifest":{manifest}}}"#);
    // The first layer copies (1 in the middle of its kernel), the second gives 2 x + 1 and 3 x.
    let mut values = [0f32; 27 + 1 + 2 + 2];
    (values[13], values[28], values[29], values[30]) = (1.0, 2.0, 3.0, 1.0);
    case.file("w.bin", &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    let path = case.file("model.json", json.as_bytes());
    let model = case.add(&path, card(MESH)).unwrap();
    let x = npy::Array { shape: vec![1, 1, 2, 2, 2], values: (0..8).map(|v| v as f32).collect() };
    let out = model.raw(&x, &RunCx::silent()).unwrap();
    let expected: Vec<f32> = (0..8).map(|v| 2.0 * v as f32 + 1.0).chain((0..8).map(|v| 3.0 * v as f32)).collect();
    assert_eq!(out["masks"], npy::floats(&[1, 2, 2, 2, 2], &expected));
    assert_eq!(model.card().source.as_ref().unwrap().kind, "TensorFlow.js");
    // Weights that are not there.
    std::fs::remove_file(case.0.path().join("w.bin")).unwrap();
    let other = Card { id: "other".into(), ..card(MESH) };
    assert!(case.add(&path, other).unwrap_err().to_string().contains("w.bin"));
}

#[test]
fn cards_that_contradict_themselves_or_the_weights() {
    let bad = |text: &str| card(text).check().unwrap_err().to_string();
    assert!(bad(&MESH.replace("task = \"segmentation\"", "task = \"detection\"")).contains("is for segmentation"));
    assert!(bad(&MESH.replace("\"a\"]", "\"a\", \"b\"]")).contains("3 labels for 2 outputs"));
    assert!(bad(&MESH.replace("dilations = [1]", "dilations = [0]")).contains("a dilation is 0"));
    assert!(bad(&MESH.replace("slices = 16", "slices = 2")).contains("slices"));
    assert!(bad(&MESH.replace("channels = 1", "channels = 100000")).contains("channels is 100000"));
    let case = Case::new();
    let none = safetensors("{\"layers.0.bias\":{\"dtype\":\"F32\",\"shape\":[7],\"data_offsets\":[0,28]}}", &[0; 28]);
    let said = case.refused("x.safetensors", &none);
    for part in ["lacks the 3 tensors 'layers.0.weight' of shape [1, 1, 3, 3, 3]", "'layers.0.bias' has shape [7]"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn the_hash_in_a_file_s_name_is_checked() {
    let case = Case::new();
    let path = case.file("net-0123abcd.pth", &safetensors("{}", &[]));
    let said = case.add(&path, card(MESH)).unwrap_err().to_string();
    assert!(said.contains("0123abcd") && said.contains("by the file's name"), "{said}");
}

#[test]
fn darknet_files_have_the_length_of_their_cfg() {
    let case = Case::new();
    let tiny = published::template("yolov3-tiny").unwrap();
    let path = case.file("y.weights", &[&[0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0][..], &[0; 8]].concat());
    let said = case.add(&path, tiny).unwrap_err().to_string();
    // The published file has 35434956 bytes.
    assert!(said.contains("its length is 20 bytes, but the card's cfg needs 35434956"), "{said}");
    let big = published::template("yolov3").unwrap();
    let said = case.add(&path, big).unwrap_err().to_string();
    assert!(said.contains("248007048"), "{said}");
}

/// The mesh's 32 numbers as a safetensors file.
fn mesh_file(values: &[f32; 32]) -> Vec<u8> {
    let header = r#"{"layers.0.weight":{"dtype":"F32","shape":[1,1,3,3,3],"data_offsets":[0,108]},
        "layers.0.bias":{"dtype":"F32","shape":[1],"data_offsets":[108,112]},
        "layers.1.weight":{"dtype":"F32","shape":[2,1,1,1,1],"data_offsets":[112,120]},
        "layers.1.bias":{"dtype":"F32","shape":[2],"data_offsets":[120,128]}}"#;
    safetensors(header, &values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
}

#[test]
fn weights_that_are_no_numbers_are_refused() {
    let case = Case::new();
    for (n, bad) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].into_iter().enumerate() {
        let mut values = [0.1; 32];
        values[29] = bad;
        let said = case.refused(&format!("nan{n}.safetensors"), &mesh_file(&values));
        assert!(said.contains("'layers.1.weight'") && said.contains("not finite"), "{said}");
    }
    // The same file with numbers is taken.
    let good = case.file("good.safetensors", &mesh_file(&[0.1; 32]));
    case.add(&good, card(MESH)).unwrap();
}

/// A PyTorch zip archive with this `data.pkl` and one storage.
fn archive(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("archive/data.pkl", pickle), ("archive/version", b"3\n"), ("archive/data/0", storage)] {
        zip.start_file(name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn archives_run_nothing_and_are_not_taken_at_their_word() {
    let case = Case::new();
    for (name, call) in [("system", "cposix\nsystem\n"), ("eval", "c__builtin__\neval\n")] {
        let pickle = [b"\x80\x02", call.as_bytes(), b"X\x0a\x00\x00\x00touch /tmp\x85R."].concat();
        let said = case.refused(&format!("{name}.pth"), &archive(&pickle, &[]));
        assert!(said.contains(name) && said.contains("nothing of it was executed"), "{said}");
    }
    // A tensor of 2^40 numbers over a storage of 28 bytes: by its name, size and stride as PyTorch writes them.
    let text = |t: &str| [b"X".as_slice(), &(t.len() as u32).to_le_bytes(), t.as_bytes()].concat();
    let huge = b"\x8a\x06\x00\x00\x00\x00\x00\x01";
    let tensor = |name: &str| {
        [
            text(name),
            b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
            text("storage"),
            b"ctorch\nFloatStorage\n".to_vec(),
            text("0"),
            text("cpu"),
            huge.to_vec(),
            b"tQK\x00".to_vec(),
            huge.to_vec(),
            b"\x85K\x01\x85\x89}tR".to_vec(),
        ]
        .concat()
    };
    let all = [b"\x80\x02}(".to_vec(), tensor("layers.0.bias"), tensor("layers.1.bias"), b"u.".to_vec()].concat();
    let said = case.refused("huge.pth", &archive(&all, &[0; 28]));
    assert!(said.contains("'layers.0.bias' has shape [1099511627776]"), "{said}");
    // The shape is right, the storage too short for it.
    let right = [
        b"\x80\x02}(".to_vec(),
        ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]
            .iter()
            .zip([[1u8, 1, 3, 3, 3].as_slice(), &[1], &[2, 1, 1, 1, 1], &[2]])
            .flat_map(|(name, shape)| {
                let tuple =
                    |v: &[u8]| [b"(".to_vec(), v.iter().flat_map(|n| [b'K', *n]).collect(), b"t".to_vec()].concat();
                let mut strides = vec![1u8; shape.len()];
                for i in (0..shape.len() - 1).rev() {
                    strides[i] = strides[i + 1] * shape[i + 1];
                }
                [
                    text(name),
                    b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
                    text("storage"),
                    b"ctorch\nFloatStorage\n".to_vec(),
                    text("0"),
                    text("cpu"),
                    b"K\x20tQK\x00".to_vec(),
                    tuple(shape),
                    tuple(&strides),
                    b"\x89}tR".to_vec(),
                ]
                .concat()
            })
            .collect(),
        b"u.".to_vec(),
    ]
    .concat();
    let path = case.file("right.pth", &archive(&right, &[0; 128]));
    case.add(&path, card(MESH)).unwrap();
    std::fs::remove_dir_all(case.models()).unwrap();
    let said = case.refused("short.pth", &archive(&right, &[0; 28]));
    assert!(said.contains("cut short") || said.contains("beyond"), "{said}");
}

#[test]
fn a_manifest_s_word_on_its_size_is_not_taken() {
    let case = Case::new();
    let layers = r#"{"model_config":{"config":{"layers":[{"class_name":"Conv3D","config":{"name":"one"}}]}}}"#;
    let weights = r#"[{"paths":["w.bin"],"weights":[
        {"name":"one/kernel","shape":[3,3,3,100000,100000],"dtype":"float32"},
        {"name":"one/bias","shape":[1],"dtype":"float32"}]}]"#;
    case.file("w.bin", &[0; 64]);
    let json = format!(r#"{{"format":"layers-model","modelTopology":{layers},"weightsManifest":{weights}}}"#);
    let said = case.refused("model.json", json.as_bytes());
    assert!(said.contains("shape") || said.contains("short") || said.contains("bytes"), "{said}");
}
