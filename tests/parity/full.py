"""The published configurations at full size, through the command line, in the zip and the legacy container.

Random weights saved by torch; `lightbox models template`, `models add` and `infer --raw` must give the published
implementation's answer. Prints a table: the largest difference to PyTorch's f32 answer and to its f64 answer, each
relative to the largest value, and what PyTorch's own two answers differ by. Of detectors the boxes with a partner of the
same label within 0.01 px are counted.
Needs LIGHTBOX (the binary); SEED changes the weights. Usage: full.py [NAME ...]
"""
import os, subprocess, sys, tempfile, time
import numpy as np, torch, torchvision
from torchvision.models import detection, segmentation

BIN = os.environ.get("LIGHTBOX") or sys.exit("LIGHTBOX does not name the lightbox binary")
SEED = int(os.environ.get("SEED", "1"))
LIMIT = 1e-4
# Side of the input; depth, rows and columns for volumes.
CLASSIFY = {n: 299 if n == "inception_v3" else 224 for n in (
    "resnet18", "resnet34", "resnet50", "resnet101", "googlenet", "inception_v3", "vgg11", "vgg11_bn", "vgg16", "vgg16_bn", "densenet121")}
DETECT = {"ssd300_vgg16": 300, "fasterrcnn_resnet50_fpn": 320, "maskrcnn_resnet50_fpn": 320}
OTHER = {"xrv_densenet121": (1, 224, 224), "xrv_resnet50": (1, 512, 512), "xrv_resnetae101": (1, 224, 224), "mb_unet": (3, 256, 256),
         "monai_unet_spleen": (1, 96, 96, 96), "monai_unet_2d": (1, 256, 256), "monai_segresnet_wb": (1, 64, 64, 64)}
NAMES = list(CLASSIFY) + ["fcn_resnet50"] + list(OTHER) + list(DETECT)
LEGACY = {"resnet50", "vgg16", "inception_v3", "densenet121", "ssd300_vgg16", "fasterrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn",
          "fcn_resnet50", "xrv_densenet121"}


class PlaneUNet(torch.nn.Module):
    """The brain-MRI U-Net's layout (mateuszbuda/brain-segmentation-pytorch, MIT)."""
    def __init__(self, c=3, f=32):
        super().__init__()
        nn = torch.nn
        def two(i, o, name):
            s = nn.Sequential()
            for k, n in ((1, i), (2, o)):
                s.add_module(f"{name}conv{k}", nn.Conv2d(n, o, 3, padding=1, bias=False))
                s.add_module(f"{name}norm{k}", nn.BatchNorm2d(o))
                s.add_module(f"{name}relu{k}", nn.ReLU())
            return s
        self.f = [f, 2 * f, 4 * f, 8 * f]
        for k, (i, o) in enumerate(zip([c] + self.f, self.f), 1):
            setattr(self, f"encoder{k}", two(i, o, f"enc{k}"))
            setattr(self, f"upconv{k}", nn.ConvTranspose2d(2 * o, o, 2, 2))
            setattr(self, f"decoder{k}", two(2 * o, o, f"dec{k}"))
        self.bottleneck, self.conv = two(8 * f, 16 * f, "bottleneck"), nn.Conv2d(f, 1, 1)

    def forward(self, x):
        skips = []
        for k in range(1, 5):
            x = getattr(self, f"encoder{k}")(x)
            skips.append(x)
            x = torch.nn.functional.max_pool2d(x, 2)
        x = self.bottleneck(x)
        for k in range(4, 0, -1):
            x = getattr(self, f"decoder{k}")(torch.cat((getattr(self, f"upconv{k}")(x), skips[k - 1]), 1))
        return self.conv(x)


def make(name):
    kw = {"weights": None}
    if name in DETECT or name == "fcn_resnet50":
        kw["weights_backbone"] = None
    if name == "fcn_resnet50":
        kw["aux_loss"] = True
    if name in ("googlenet", "inception_v3"):
        kw |= {"transform_input": True, "init_weights": True}
    if name == "mb_unet":
        return PlaneUNet()
    if name.startswith("xrv"):
        import torchxrayvision as xrv
        if name == "xrv_densenet121":
            return xrv.models.DenseNet(num_classes=18, weights=None)
        if name == "xrv_resnetae101":
            return xrv.autoencoders.ResNetAE101()
        net = torchvision.models.resnet50(num_classes=18, weights=None)
        net.conv1 = torch.nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        return net
    if name.startswith("monai"):
        from monai.networks.nets import SegResNet, UNet
        if name == "monai_segresnet_wb":
            return SegResNet(spatial_dims=3, blocks_down=(1, 2, 2, 4), blocks_up=(1, 1, 1), init_filters=32, in_channels=1, out_channels=105)
        dims, out = (3, 2) if name == "monai_unet_spleen" else (2, 4)
        return UNet(dims, 1, out, (16, 32, 64, 128, 256), (2, 2, 2, 2), num_res_units=2, norm="batch")
    maker = getattr(detection, name, None) or getattr(segmentation, name, None) or getattr(torchvision.models, name)
    return maker(**kw)


def size(name):
    if name in OTHER:
        return OTHER[name]
    side = CLASSIFY.get(name) or DETECT.get(name) or 256
    return (3, side, side)


def build(name):
    torch.manual_seed(SEED + sum(map(ord, name)))
    net = make(name).eval()

    def fit(m, args):  # running statistics that a real checkpoint has: those of its input
        x = args[0].detach()
        v, mu = torch.var_mean(x, dim=[0] + list(range(2, x.dim())))
        m.running_mean.copy_(mu)
        m.running_var.copy_(v + 1e-3)
        m.weight.data.uniform_(0.7, 1.3)
        m.bias.data.uniform_(-0.1, 0.1)

    hooks = [m.register_forward_pre_hook(fit) for m in net.modules() if getattr(m, "running_var", None) is not None]
    with torch.no_grad():
        x = torch.randn(2, *size(name)) * (512 if name.startswith("xrv") else 1)
        (net.backbone if name in DETECT else net)(x)
    for h in hooks:
        h.remove()
    for n, p in net.named_parameters():  # spread the heads' scores, so that the order of boxes is not a tie
        if n.endswith(("cls_score.weight", "rpn.head.cls_logits.weight")) or "classification_head" in n and p.dim() == 4:
            p.data *= 8
        if n.endswith("bbox_pred.weight") or "regression_head" in n and p.dim() == 4:
            p.data *= 3
    return net


def reference(name, net, x):
    with torch.no_grad():
        if name in CLASSIFY or name == "xrv_resnet50":
            return {"logits": net(x)}
        if name == "xrv_densenet121":  # its own forward checks the size, and may normalise what it gives
            f = torch.nn.functional.relu(net.features(x))
            return {"logits": net.classifier(torch.nn.functional.adaptive_avg_pool2d(f, 1).flatten(1))}
        if name == "xrv_resnetae101":
            return {"image": net(x)["out"]}
        if name in OTHER:
            return {"masks": net(x)}
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
        raise RuntimeError((p.stderr.strip().splitlines() or ["no message"])[-1][:160])
    return p.stdout


def relative(a, b):
    return float(np.abs(a - b).max() / np.abs(b).max())


def matched(want, got):
    """Detections without a partner of the same label within 0.01 px and 1e-4 of the score, of how many; each serves once."""
    free, alone = list(range(len(got["boxes"]))), 0
    for b, l, s in zip(want["boxes"], want["labels"], want["scores"]):
        hit = next((i for i in free if got["labels"][i] == l and abs(got["scores"][i] - s) < 1e-4 and np.abs(got["boxes"][i] - b).max() < 0.01), None)
        alone += hit is None
        if hit is not None:
            free.remove(hit)
    return alone + len(free), len(want["boxes"])


def check(name, net, x, want, exact, d, zipped):
    torch.save(net.state_dict(), f"{d}/w.pth", _use_new_zipfile_serialization=zipped)
    open(f"{d}/card.toml", "w").write(cli("models", "template", name))
    cli("models", "add", f"{d}/w.pth", "--card", f"{d}/card.toml")
    start = time.time()
    cli("infer", name, f"{d}/x.npy", "--raw", "--out", f"{d}/out")
    seconds = time.time() - start
    cli("models", "remove", name)
    got = {k: np.load(f"{d}/out/raw/{k}.npy") for k in want}
    if name in DETECT:
        want, exact = ({k: v.numpy() for k, v in w.items()} for w in (want, exact))
        (alone, n), (true, m), (own, _) = matched(want, got), matched(exact, got), matched(exact, want)
        # Suppression turns on the last digit, and random weights amplify it: no more may be off than PyTorch's own f32.
        ok = n > 0 and min(alone, true) <= max(1, n // 50, own)
        return ok, f"{n - alone} of {n} boxes within 0.01 px", f"{m - true} of {m}", f"{m - own} of {m}", seconds
    key = next(iter(want))
    theirs = want[key].numpy()
    ours = got[key].reshape(theirs.shape)
    off, true, own = relative(ours, theirs), relative(ours, exact), relative(theirs, exact)
    # Deep networks with random weights amplify rounding: where PyTorch's f32 answer is off itself, its f64 answer counts.
    return min(off, true) < LIMIT, f"{off:.1e}", f"{true:.1e}", f"{own:.1e}", seconds


def main():
    bad = []
    print(f"| {'configuration':24} | {'file':6} | {'to PyTorch f32':30} | {'to f64':7} | {'PyTorch to f64':14} | seconds |")
    print("|" + "---|" * 6)
    with tempfile.TemporaryDirectory() as d:
        os.environ["LIGHTBOX_MODELS"] = f"{d}/models"
        for name in sys.argv[1:] or NAMES:
            net = build(name)
            x = torch.randn(1, *size(name), generator=torch.Generator().manual_seed(SEED)) * (512 if name.startswith("xrv") else 1)
            np.save(f"{d}/x.npy", x.numpy())
            want = reference(name, net, x)
            exact = reference(name, net.double(), x.double())
            net.float()
            if name not in DETECT:
                exact = next(iter(exact.values())).numpy()
            for zipped in (True, False) if name in LEGACY else (True,):
                try:
                    ok, *cells = check(name, net, x, want, exact, d, zipped)
                except (RuntimeError, OSError) as e:
                    ok, cells = False, [str(e)[:60], "", "", 0.0]
                a, b, c, seconds = cells
                print(f"| {name:24} | {'zip' if zipped else 'legacy':6} | {a:30} | {b:7} | {c:14} | {seconds:7.1f} |{'' if ok else ' FAIL'}", flush=True)
                if not ok:
                    bad.append(name)
    print("All agree." if not bad else f"Not: {', '.join(bad)}")
    sys.exit(bool(bad))


main()
