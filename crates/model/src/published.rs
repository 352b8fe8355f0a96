//! Cards of published configurations: everything but the weights, which the user brings.
//!
//! Numbers are those of the published implementations; `models template NAME` prints one to edit. Each says that it
//! is not for diagnosis, and under which licence the published weights stand.

use crate::arch::detect::{darknet, fast, faster, ssd, ssd_light, yolox};
use crate::arch::{
    Architecture, autoencoder, densenet, fcn, gan, inception, meshnet, monai, resnet, resnet_ae, unet_plane, vgg,
};
use crate::card::{Activation, Card, Channels, InputSpec, Intensity, Label, PostSpec, Resize, Task};

/// Every name that [`template`] knows.
pub const NAMES: [&str; 44] = [
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "googlenet",
    "inception_v3",
    "vgg11",
    "vgg11_bn",
    "vgg16",
    "vgg16_bn",
    "densenet121",
    "xrv_densenet121",
    "xrv_resnet50",
    "monai_breast_density",
    "fcn_resnet50",
    "mb_unet",
    "conv_autoencoder_seg",
    "model18cls",
    "model20chan3cls",
    "model21_104class",
    "model30chan50cls",
    "model5_gw_ae",
    "mindgrab",
    "monai_unet_spleen",
    "monai_segresnet_wb",
    "fasterrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn",
    "ssd300_vgg16",
    "ultralight_rfb320",
    "yolov3",
    "yolov3-tiny",
    "yolox_nano",
    "yolox_tiny",
    "yolox_s",
    "fastrcnn_vgg16",
    "conv_autoencoder",
    "xrv_resnetae101",
    "mednist_gan",
    "dcgan_generator",
    "dcgan_discriminator",
    "srgan_generator",
    "srgan_discriminator",
    "monai_unet_2d",
    "unet_plane",
];

const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// One label per line.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn imagenet() -> Vec<String> {
    lines(include_str!("../data/labels/imagenet.txt"))
}

/// 91 names, the background first.
fn coco() -> Vec<String> {
    lines(include_str!("../data/labels/coco.txt"))
}

/// The 80 that are in use.
fn coco80() -> Vec<String> {
    coco().into_iter().filter(|n| !n.starts_with("__") && !n.starts_with("N/A")).collect()
}

/// TorchXRayVision's 18 findings with the operating points of its `all` network.
const XRV: [(&str, f32); 18] = [
    ("Atelectasis", 0.0742),
    ("Consolidation", 0.0383),
    ("Infiltration", 0.0981),
    ("Pneumothorax", 0.00981),
    ("Edema", 0.0236),
    ("Emphysema", 0.00225),
    ("Fibrosis", 0.0101),
    ("Effusion", 0.1032),
    ("Pneumonia", 0.0568),
    ("Pleural_Thickening", 0.0268),
    ("Cardiomegaly", 0.0503),
    ("Nodule", 0.0240),
    ("Mass", 0.0194),
    ("Hernia", 0.0429),
    ("Lung Lesion", 0.0534),
    ("Fracture", 0.0360),
    ("Lung Opacity", 0.2020),
    ("Enlarged Cardiomediastinum", 0.0502),
];

struct Draft {
    name: &'static str,
    summary: &'static str,
    licence: &'static str,
    architecture: Architecture,
    input: InputSpec,
    labels: Vec<String>,
}

fn window() -> Intensity {
    Intensity::Window { to_low: 0.0, to_high: 1.0 }
}

fn with_imagenet(input: InputSpec) -> InputSpec {
    InputSpec { mean: IMAGENET_MEAN.to_vec(), std: IMAGENET_STD.to_vec(), ..input }
}

fn imagenet_input(shorter: usize, crop: usize) -> InputSpec {
    let input = InputSpec::of(crop, crop, Resize::ShorterSide, window());
    with_imagenet(InputSpec { shorter_px: Some(shorter), ..input })
}

/// TorchXRayVision's range.
fn xrv_input(side: usize) -> InputSpec {
    InputSpec::of(side, side, Resize::CentreSquare, Intensity::StoredRange { to_low: -1024.0, to_high: 1024.0 })
}

const TORCHVISION: &str = "BSD-3-Clause (torchvision); trained on ImageNet, whose terms are for research";
const COCO: &str = "BSD-3-Clause (torchvision); trained on COCO (CC BY 4.0 annotations)";
const OWN: &str = "state the licence of your weights here";

fn classifier(name: &'static str, architecture: Architecture, shorter: usize, crop: usize) -> Draft {
    Draft {
        name,
        summary: "Names the object of a photograph among the 1000 classes of ImageNet.",
        licence: TORCHVISION,
        architecture,
        input: imagenet_input(shorter, crop),
        labels: imagenet(),
    }
}

fn resnet(name: &'static str, blocks: [usize; 4], bottleneck: bool) -> Draft {
    let config = resnet::ResNetConfig { inputs: 3, outputs: 1000, blocks, bottleneck, width: 64 };
    classifier(name, Architecture::Resnet(config), 256, 224)
}

fn vgg(name: &'static str, convs: [usize; 5], batch_norm: bool) -> Draft {
    let stages = convs.iter().zip([64, 128, 256, 512, 512]).map(|(n, w)| vec![w; *n]).collect();
    let config = vgg::VggConfig { inputs: 3, outputs: 1000, stages, batch_norm, hidden: 4096 };
    classifier(name, Architecture::Vgg(config), 256, 224)
}

fn densenet121(inputs: usize, outputs: usize) -> Architecture {
    Architecture::Densenet(densenet::DenseNetConfig {
        inputs,
        outputs,
        blocks: [6, 12, 24, 16],
        growth: 32,
        stem: 64,
        bottleneck: 4,
    })
}

fn inception(transform_input: bool, outputs: usize) -> inception::InceptionConfig {
    inception::InceptionConfig { inputs: 3, outputs, transform_input, width_divisor: 1 }
}

fn brain(
    name: &'static str,
    summary: &'static str,
    channels: usize,
    labels: &'static str,
    dilations: &[usize],
    activation: meshnet::Activation,
    instance_norm: bool,
) -> Draft {
    let labels = lines(labels);
    let config = meshnet::MeshNetConfig {
        outputs: labels.len(),
        channels,
        dilations: dilations.to_vec(),
        activation,
        instance_norm,
    };
    // FreeSurfer's conformed axes; with others the networks find almost nothing but cortex.
    let input = InputSpec {
        slices: 256,
        clip_low: 0.05,
        clip_high: 0.95,
        spacing_mm: Some([1.0; 3]),
        orientation: Some("LIA".into()),
        ..InputSpec::of(256, 256, Resize::Keep, Intensity::Percentile)
    };
    Draft {
        name,
        summary,
        licence: "MIT (neuroneural/brainchop)",
        architecture: Architecture::Meshnet(config),
        input,
        labels,
    }
}

/// Dilations of most published MeshNets.
const MESH: [usize; 9] = [1, 2, 4, 8, 16, 8, 4, 2, 1];

fn yolox(name: &'static str, depth: f64, width: f64, depthwise: bool, side: usize) -> Draft {
    let config = yolox::YoloxConfig::published(80, depth, width, depthwise);
    let intensity = Intensity::Window { to_low: 0.0, to_high: 255.0 };
    Draft {
        name,
        summary: "Finds the 80 kinds of objects of COCO in a photograph.",
        licence: "Apache-2.0 (Megvii YOLOX); trained on COCO",
        architecture: Architecture::Yolox(config),
        input: InputSpec {
            pad: 114.0,
            antialias: false,
            channels: Channels::Bgr,
            ..InputSpec::of(side, side, Resize::LetterboxTopLeft, intensity)
        },
        labels: coco80(),
    }
}

fn yolo(name: &'static str, cfg: String) -> Draft {
    Draft {
        name,
        summary: "Finds the 80 kinds of objects of COCO in a photograph.",
        licence: "public domain (Darknet); trained on COCO",
        architecture: Architecture::Darknet(darknet::DarknetConfig { outputs: 80, score: 0.5, iou: 0.45, cfg }),
        input: InputSpec { pad: 0.5, antialias: false, ..InputSpec::of(416, 416, Resize::Letterbox, window()) },
        labels: coco80(),
    }
}

fn detector(name: &'static str, summary: &'static str, architecture: Architecture) -> Draft {
    let input = InputSpec {
        shorter_px: Some(800),
        longer_px: Some(1333),
        antialias: false,
        ..InputSpec::of(800, 1344, Resize::Detector, window())
    };
    Draft { name, summary, licence: COCO, architecture, input: with_imagenet(input), labels: coco() }
}

fn plain(name: &'static str, summary: &'static str, architecture: Architecture, side: usize, labels: &[&str]) -> Draft {
    Draft {
        name,
        summary,
        licence: OWN,
        architecture,
        input: InputSpec::of(side, side, Resize::Squeeze, window()),
        labels: labels.iter().map(|l| (*l).to_owned()).collect(),
    }
}

fn draft(name: &str) -> Option<Draft> {
    use Architecture as A;
    use meshnet::Activation::{Elu, Gelu, Relu};
    Some(match name {
        "resnet18" => resnet("ResNet-18", [2, 2, 2, 2], false),
        "resnet34" => resnet("ResNet-34", [3, 4, 6, 3], false),
        "resnet50" => resnet("ResNet-50", [3, 4, 6, 3], true),
        "resnet101" => resnet("ResNet-101", [3, 4, 23, 3], true),
        "googlenet" => classifier("GoogLeNet", A::Googlenet(inception(true, 1000)), 256, 224),
        "inception_v3" => classifier("Inception-v3", A::InceptionV3(inception(true, 1000)), 342, 299),
        "vgg11" => vgg("VGG-11", [1, 1, 2, 2, 2], false),
        "vgg11_bn" => vgg("VGG-11 with batch norm", [1, 1, 2, 2, 2], true),
        "vgg16" => vgg("VGG-16", [2, 2, 3, 3, 3], false),
        "vgg16_bn" => vgg("VGG-16 with batch norm", [2, 2, 3, 3, 3], true),
        "densenet121" => classifier("DenseNet-121", densenet121(3, 1000), 256, 224),
        "xrv_densenet121" | "xrv_resnet50" => {
            let dense = name == "xrv_densenet121";
            let architecture = if dense {
                densenet121(1, 18)
            } else {
                let blocks = [3, 4, 6, 3];
                A::Resnet(resnet::ResNetConfig { inputs: 1, outputs: 18, blocks, bottleneck: true, width: 64 })
            };
            Draft {
                name: if dense { "Chest X-ray findings (DenseNet-121)" } else { "Chest X-ray findings (ResNet-50)" },
                summary: "Probabilities of 18 findings on a frontal chest X-ray of an adult.",
                licence: "Apache-2.0 (TorchXRayVision); trained on data sets with research terms",
                architecture,
                input: xrv_input(if dense { 224 } else { 512 }),
                labels: XRV.iter().map(|(n, _)| (*n).to_owned()).collect(),
            }
        }
        "monai_breast_density" => Draft {
            name: "Breast density (Inception-v3)",
            summary: "BI-RADS density A to D of a mammogram.",
            licence: "Apache-2.0 (MONAI model zoo)",
            architecture: A::InceptionV3(inception(false, 4)),
            input: InputSpec::of(299, 299, Resize::Squeeze, Intensity::MinMax { to_low: 0.0, to_high: 1.0 }),
            labels: ["A", "B", "C", "D"].map(String::from).to_vec(),
        },
        "fcn_resnet50" => {
            let config = fcn::FcnConfig { inputs: 3, outputs: 21, blocks: [3, 4, 6, 3], width: 64, aux: true };
            Draft {
                name: "FCN on ResNet-50",
                summary: "Outlines the 20 kinds of objects of Pascal VOC in a photograph.",
                licence: COCO,
                architecture: A::FcnResnet(config),
                input: with_imagenet(InputSpec::of(520, 520, Resize::Squeeze, window())),
                labels: lines(include_str!("../data/labels/voc.txt")),
            }
        }
        "mb_unet" => Draft {
            name: "Brain lesion on FLAIR (U-Net)",
            summary: "Outlines low-grade glioma on three MR channels: before contrast, FLAIR, after contrast.",
            licence: "MIT (mateuszbuda/brain-segmentation-pytorch)",
            architecture: A::UnetPlane(unet_plane::PlaneUNetConfig {
                inputs: 3,
                outputs: 1,
                features: 32,
                levels: 4,
                norm: unet_plane::Norm::Batch,
            }),
            input: InputSpec {
                clip_low: 0.1,
                clip_high: 0.99,
                ..InputSpec::of(256, 256, Resize::Squeeze, Intensity::Standardise)
            },
            labels: vec!["Lesion".into()],
        },
        "unet_plane" => plain(
            "U-Net",
            "Outlines one structure on a plane image.",
            A::UnetPlane(unet_plane::PlaneUNetConfig {
                inputs: 1,
                outputs: 1,
                features: 32,
                levels: 4,
                norm: unet_plane::Norm::Batch,
            }),
            256,
            &["Structure"],
        ),
        "conv_autoencoder_seg" | "conv_autoencoder" => {
            let masks = name == "conv_autoencoder_seg";
            let gives = if masks { autoencoder::Gives::Masks } else { autoencoder::Gives::Image };
            let channels = vec![32, 64, 128, 256];
            let config = autoencoder::AutoencoderConfig { inputs: 1, outputs: 1, channels, gives };
            let summary = if masks {
                "Outlines one structure on a plane image, without skip connections."
            } else {
                "Restores a plane image through a bottleneck; the residual shows what it never saw."
            };
            plain(
                "Convolutional autoencoder",
                summary,
                A::Autoencoder(config),
                256,
                if masks { &["Structure"] } else { &[] },
            )
        }
        "model18cls" => brain(
            "Brain structures, 18 (MeshNet)",
            "Parts a T1 brain volume into 17 structures, both sides together.",
            21,
            include_str!("../data/labels/model18cls.txt"),
            &MESH,
            Elu,
            false,
        ),
        "model20chan3cls" => brain(
            "Grey and white matter (MeshNet, 20 channels)",
            "Parts a T1 brain volume into grey and white matter.",
            20,
            include_str!("../data/labels/model20chan3cls.txt"),
            &MESH,
            Elu,
            false,
        ),
        "model21_104class" => brain(
            "Brain regions, 104 (MeshNet)",
            "Parts a T1 brain volume into 103 regions, cortex included.",
            21,
            include_str!("../data/labels/model21_104class.txt"),
            &[1, 2, 2, 4, 4, 8, 8, 16],
            Relu,
            false,
        ),
        "model30chan50cls" => brain(
            "Brain regions, 50 (MeshNet)",
            "Parts a T1 brain volume into 49 regions, both sides together.",
            30,
            include_str!("../data/labels/model30chan50cls.txt"),
            &MESH,
            Elu,
            false,
        ),
        "model5_gw_ae" => brain(
            "Grey and white matter (MeshNet, 5 channels)",
            "Parts a T1 brain volume into grey and white matter with 5 channels.",
            5,
            include_str!("../data/labels/model5_gw_ae.txt"),
            &MESH,
            Relu,
            false,
        ),
        "mindgrab" => brain(
            "Brain mask (MindGrab)",
            "Outlines the brain in a head volume of any contrast.",
            15,
            include_str!("../data/labels/mindgrab.txt"),
            &[16, 8, 4, 2, 1].repeat(5),
            Gelu,
            true,
        ),
        "monai_unet_spleen" => Draft {
            name: "Spleen on CT (UNet)",
            summary: "Outlines the spleen on a CT of the abdomen.",
            licence: "Apache-2.0 (MONAI model zoo)",
            architecture: A::MonaiUnet(monai::UNetConfig {
                dims: 3,
                inputs: 1,
                outputs: 2,
                channels: vec![16, 32, 64, 128, 256],
                strides: vec![2; 4],
                res_units: 2,
                norm: unet_plane::Norm::Batch,
            }),
            input: InputSpec {
                slices: 96,
                spacing_mm: Some([1.5, 1.5, 2.0]),
                orientation: Some("RAS".into()),
                window_overlap: Some(0.5),
                ..InputSpec::of(
                    96,
                    96,
                    Resize::Keep,
                    Intensity::Range { low: -57.0, high: 164.0, to_low: 0.0, to_high: 1.0, clip: true },
                )
            },
            labels: vec!["background".into(), "spleen".into()],
        },
        "monai_unet_2d" => Draft {
            name: "Ventricles on cardiac MR (UNet)",
            summary: "Outlines blood pools and myocardium on short-axis MR images.",
            licence: "Apache-2.0 (MONAI model zoo)",
            architecture: A::MonaiUnet(monai::UNetConfig {
                dims: 2,
                inputs: 1,
                outputs: 4,
                channels: vec![16, 32, 64, 128, 256],
                strides: vec![2; 4],
                res_units: 2,
                norm: unet_plane::Norm::Batch,
            }),
            input: InputSpec::of(256, 256, Resize::Squeeze, Intensity::MinMax { to_low: 0.0, to_high: 1.0 }),
            labels: ["background", "left ventricle", "myocardium", "right ventricle"].map(String::from).to_vec(),
        },
        "monai_segresnet_wb" => Draft {
            name: "Whole body on CT (SegResNet)",
            summary: "Outlines 104 structures on CT; name the labels in the order of the weights.",
            licence: "Apache-2.0 (MONAI model zoo); trained on TotalSegmentator data (CC BY 4.0)",
            architecture: A::Segresnet(monai::SegResNetConfig {
                dims: 3,
                inputs: 1,
                outputs: 105,
                filters: 32,
                blocks_down: vec![1, 2, 2, 4],
                blocks_up: vec![1, 1, 1],
                groups: 8,
            }),
            input: InputSpec {
                slices: 96,
                spacing_mm: Some([1.5; 3]),
                orientation: Some("RAS".into()),
                window_overlap: Some(0.5),
                ..InputSpec::of(96, 96, Resize::Keep, Intensity::NonzeroStandardise)
            },
            labels: std::iter::once("background".to_owned())
                .chain((1..105).map(|i| format!("structure {i}")))
                .collect(),
        },
        "fasterrcnn_resnet50_fpn" => detector(
            "Faster R-CNN on ResNet-50",
            "Finds the 80 kinds of objects of COCO in a photograph.",
            A::FasterRcnn(faster::FasterConfig::published(91)),
        ),
        "maskrcnn_resnet50_fpn" => detector(
            "Mask R-CNN on ResNet-50",
            "Finds and outlines the 80 kinds of objects of COCO in a photograph.",
            A::MaskRcnn(faster::FasterConfig::published(91)),
        ),
        "fastrcnn_vgg16" => Draft {
            name: "Fast R-CNN on VGG-16",
            summary: "Finds the 20 kinds of objects of Pascal VOC in a photograph, among regions of selective search.",
            licence: "MIT (Fast R-CNN, Microsoft); trained on Pascal VOC",
            architecture: A::FastRcnn(fast::FastConfig::published(21)),
            // Caffe's: blue, green and red of 0 to 255 minus their means; shorter side 600, longer at most 1000.
            input: InputSpec {
                shorter_px: Some(600),
                longer_px: Some(1000),
                antialias: false,
                channels: Channels::Bgr,
                mean: vec![102.9801, 115.9465, 122.7717],
                ..InputSpec::of(600, 1024, Resize::Detector, Intensity::Window { to_low: 0.0, to_high: 255.0 })
            },
            labels: lines(include_str!("../data/labels/voc.txt")),
        },
        "ssd300_vgg16" => Draft {
            name: "SSD300 on VGG-16",
            summary: "Finds the 80 kinds of objects of COCO in a photograph.",
            licence: COCO,
            architecture: A::Ssd300(ssd::SsdConfig::published(91)),
            input: InputSpec {
                mean: vec![0.482_35, 0.458_82, 0.407_84],
                std: vec![1.0 / 255.0; 3],
                antialias: false,
                ..InputSpec::of(300, 300, Resize::Squeeze, window())
            },
            labels: coco(),
        },
        "ultralight_rfb320" => Draft {
            name: "Light SSD (RFB-320)",
            summary: "Finds faces in a photograph.",
            licence: "MIT (Linzaer); trained on WIDER FACE, whose terms are for research",
            architecture: A::SsdLight(ssd_light::LightSsdConfig {
                inputs: 3,
                outputs: 2,
                width: 16,
                score: 0.6,
                iou: 0.3,
            }),
            input: InputSpec {
                mean: vec![127.0; 3],
                std: vec![128.0; 3],
                antialias: false,
                ..InputSpec::of(240, 320, Resize::Squeeze, Intensity::Window { to_low: 0.0, to_high: 255.0 })
            },
            labels: vec!["background".into(), "face".into()],
        },
        "yolov3" => yolo("YOLOv3", darknet::yolov3(80)),
        "yolov3-tiny" => yolo("YOLOv3-tiny", darknet::yolov3_tiny(80)),
        "yolox_nano" => yolox("YOLOX-nano", 0.33, 0.25, true, 416),
        "yolox_tiny" => yolox("YOLOX-tiny", 0.33, 0.375, false, 416),
        "yolox_s" => yolox("YOLOX-s", 0.33, 0.5, false, 640),
        "xrv_resnetae101" => Draft {
            name: "Chest X-ray autoencoder (ResNet-101)",
            summary: "Restores a frontal chest X-ray; what it cannot restore lies outside its data.",
            licence: "Apache-2.0 (TorchXRayVision); trained on data sets with research terms",
            architecture: A::ResnetAutoencoder(resnet_ae::ResNetAeConfig {
                inputs: 1,
                blocks: [3, 4, 23, 2],
                width: 64,
            }),
            input: xrv_input(224),
            labels: Vec::new(),
        },
        "mednist_gan" => plain(
            "Hand radiographs out of noise (MONAI)",
            "Makes up images of 64 x 64 pixels that look like hand radiographs.",
            A::MonaiGenerator(monai::GeneratorConfig {
                latent: 64,
                start: [64, 8, 8],
                channels: vec![32, 16, 8, 1],
                strides: vec![2, 2, 2, 1],
                res_units: 2,
            }),
            64,
            &[],
        ),
        "dcgan_generator" | "dcgan_discriminator" => {
            let config = gan::DcganConfig { latent: 100, channels: 1, features: 64, doublings: 4, norm: true };
            if name == "dcgan_generator" {
                plain("DCGAN generator", "Makes up images of 64 x 64 pixels.", A::DcganGenerator(config), 64, &[])
            } else {
                let what = "Tells real images of 64 x 64 pixels from made-up ones.";
                plain("DCGAN discriminator", what, A::DcganDiscriminator(config), 64, &["real"])
            }
        }
        "srgan_generator" | "srgan_discriminator" => {
            let config = gan::SrganConfig { channels: 3, features: 64, scale: 4, blocks: 5 };
            if name == "srgan_generator" {
                let what = "Makes an image four times as large, with details made up.";
                plain("SRGAN generator", what, A::SrganGenerator(config), 96, &[])
            } else {
                let what = "Tells real images from enlarged ones.";
                plain("SRGAN discriminator", what, A::SrganDiscriminator(config), 96, &["real"])
            }
        }
        _ => return None,
    })
}

/// The card of a published configuration, ready to edit and to give to `models add`.
#[must_use]
pub fn template(name: &str) -> Option<Card> {
    let draft = draft(name).filter(|_| NAMES.contains(&name))?;
    let xrv = name.starts_with("xrv_") && !draft.labels.is_empty();
    let labels = draft
        .labels
        .into_iter()
        .enumerate()
        .map(|(i, name)| Label { name, threshold: if xrv { XRV[i].1 } else { 0.5 }, sides: None })
        .collect();
    let answers = draft.architecture.answers();
    let task = match answers {
        crate::arch::Answer::Classes => Task::Classification,
        crate::arch::Answer::Masks => Task::Segmentation,
        crate::arch::Answer::Boxes => Task::Detection,
        crate::arch::Answer::Image => Task::Reconstruction,
        crate::arch::Answer::Text => Task::Language,
    };
    let activation = match (&draft.architecture, task) {
        (Architecture::MonaiGenerator(_), _) => Activation::Sigmoid,
        (_, Task::Reconstruction | Task::Detection) => Activation::None,
        _ if draft.architecture.outputs() == 1 || xrv => Activation::Sigmoid,
        _ if name == "monai_breast_density" => Activation::Sigmoid,
        _ => Activation::Softmax,
    };
    let mut limits = vec!["Not for diagnosis.".to_owned()];
    if matches!(task, Task::Classification | Task::Detection) && draft.licence.contains("COCO")
        || draft.licence == TORCHVISION
    {
        limits.push("Trained on photographs; on radiological images its labels mean nothing.".into());
    }
    if task == Task::Reconstruction {
        limits.push("What it adds to an image is made up.".into());
    }
    let mut card = Card::stand_in(name);
    card.name = draft.name.into();
    card.summary = draft.summary.into();
    card.task = task;
    card.licence = draft.licence.into();
    card.sha256 = "0".repeat(64);
    card.limits = limits;
    card.architecture = draft.architecture;
    card.input = draft.input;
    card.labels = labels;
    card.post = PostSpec { activation, operating_points: xrv, ..PostSpec::default() };
    if xrv || name == "xrv_resnetae101" {
        card.fits.modality = ["CR", "DX", "DR"].map(String::from).to_vec();
        card.fits.body_part = ["CHEST", "THORAX", "LUNG"].map(String::from).to_vec();
        card.fits.view = ["AP", "PA"].map(String::from).to_vec();
    }
    if matches!(card.architecture, Architecture::Meshnet(_)) {
        card.fits.modality = vec!["MR".into()];
    }
    Some(card)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_a_card_that_comes_back() {
        for name in NAMES {
            let card = template(name).unwrap();
            card.check().unwrap();
            let text = card.to_toml().unwrap();
            let back: Card = toml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(back, card, "{name}");
        }
        assert!(template("resnet19").is_none());
    }

    /// Number of tensors without `num_batches_tracked`, and of parameters, as the published implementations have.
    #[test]
    fn published_sizes() {
        for (name, parameters) in [
            ("resnet18", 11_689_512),
            ("resnet50", 25_557_032),
            ("resnet101", 44_549_160),
            ("vgg11", 132_863_336),
            ("vgg16_bn", 138_365_992),
            ("densenet121", 7_978_856),
            ("yolox_tiny", 5_055_855),
            ("yolox_s", 8_968_255),
        ] {
            let card = template(name).unwrap();
            let statistics = |n: &str| n.ends_with("running_mean") || n.ends_with("running_var");
            let found: usize = card
                .architecture
                .shapes()
                .iter()
                .filter(|(n, _)| !statistics(n))
                .map(|(_, s)| s.iter().product::<usize>())
                .sum();
            assert_eq!(found, parameters, "{name}");
        }
    }
}
