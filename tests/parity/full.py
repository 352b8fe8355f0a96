"""The published configurations at full size, through the command line, in the zip and the legacy container.

Random weights saved by torchvision; `lightbox models template`, `models add` and `infer --raw` must give torchvision's
answer. Needs LIGHTBOX (the binary). Usage: full.py [NAME ...]
"""
import os, subprocess, sys, tempfile
import numpy as np, torch, torchvision
from torchvision.models import detection, segmentation

BIN = os.environ["LIGHTBOX"]
SEED = int(os.environ.get("SEED", "1"))
CLASSIFY = {n: 299 if n == "inception_v3" else 224 for n in (
    "resnet18", "resnet34", "resnet50", "resnet101", "googlenet", "inception_v3", "vgg11", "vgg11_bn", "vgg16", "vgg16_bn", "densenet121")}
DETECT = {"ssd300_vgg16": 300, "fasterrcnn_resnet50_fpn": 320, "maskrcnn_resnet50_fpn": 320}
NAMES = list(CLASSIFY) + ["fcn_resnet50"] + list(DETECT)


def build(name):
    torch.manual_seed(SEED)
    kw = {"weights": None}
    if name in DETECT or name == "fcn_resnet50":
        kw["weights_backbone"] = None
    if name == "fcn_resnet50":
        kw["aux_loss"] = True
    if name in ("googlenet", "inception_v3"):
        kw |= {"transform_input": True, "init_weights": False}
    make = getattr(detection, name, None) or getattr(segmentation, name, None) or getattr(torchvision.models, name)
    net = make(**kw).eval()
    for n, b in net.named_buffers():
        if n.endswith("running_mean"):
            b.uniform_(-0.1, 0.1)
        elif n.endswith("running_var"):
            b.uniform_(0.8, 1.2)
    for n, p in net.named_parameters():
        if n.endswith("cls_score.weight") or "classification_head" in n and p.dim() == 4:
            p.data *= 8
    return net


def reference(name, net, x):
    with torch.no_grad():
        if name in CLASSIFY:
            return {"logits": net(x)}
        if name == "fcn_resnet50":
            return {"masks": net(x)["out"]}
        from torchvision.models.detection.image_list import ImageList
        sizes = [tuple(x.shape[-2:])]
        feats = net.backbone(x)
        if name.startswith("ssd"):
            feats = list(feats.values())
            out = net.postprocess_detections(net.head(feats), net.anchor_generator(ImageList(x, sizes), feats), sizes)
        else:
            props, _ = net.rpn(ImageList(x, sizes), feats)
            out, _ = net.roi_heads(feats, props, sizes)
            if "masks" in out[0]:
                out = net.transform.postprocess(out, sizes, sizes)
        return out[0]


def cli(*args):
    p = subprocess.run([BIN, *args], capture_output=True, text=True)
    if p.returncode:
        raise SystemExit(f"{args}: {p.stderr}")
    return p.stdout


def main():
    bad = []
    with tempfile.TemporaryDirectory() as d:
        os.environ["LIGHTBOX_MODELS"] = f"{d}/models"
        for name in sys.argv[1:] or NAMES:
            net = build(name)
            side = CLASSIFY.get(name) or DETECT.get(name) or 256
            x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(SEED))
            np.save(f"{d}/x.npy", x.numpy())
            want = reference(name, net, x)
            for zipped in (True, False):
                torch.save(net.state_dict(), f"{d}/w.pth", _use_new_zipfile_serialization=zipped)
                open(f"{d}/card.toml", "w").write(cli("models", "template", name))
                cli("models", "add", f"{d}/w.pth", "--card", f"{d}/card.toml")
                cli("infer", name, f"{d}/x.npy", "--raw", "--out", f"{d}/out")
                cli("models", "remove", name)
                got = {k: np.load(f"{d}/out/raw/{k}.npy") for k in want}
                if "boxes" in want:
                    n = min(len(want["boxes"]), len(got["boxes"]))
                    off = np.abs(got["boxes"][:n] - want["boxes"].numpy()[:n]).max() if n else np.inf
                    ok = len(want["boxes"]) == len(got["boxes"]) and off < 0.01
                    text = f"{len(got['boxes'])} boxes of {len(want['boxes'])}, {off:.1e} px"
                else:
                    k = next(iter(want))
                    off = np.abs(got[k] - want[k].numpy()).max() / np.abs(want[k].numpy()).max()
                    ok, text = off < 1e-4, f"{off:.1e}"
                print("ok  " if ok else "FAIL", name, "zip" if zipped else "legacy", text, flush=True)
                if not ok:
                    bad.append(name)
    sys.exit(bool(bad))


main()
