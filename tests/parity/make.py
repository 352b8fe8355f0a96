"""Fixtures of `crates/model/tests/parity`: the published networks with made-up weights, their outputs stored.

`tests/parity/make` runs this; torch, torchvision, monai and torchxrayvision come from PyPI. Each fixture is a
safetensors file with the outputs as `infer --raw` names them, some inner activations as
`tap.LAYER`, and the card's [architecture] as text in its metadata. Widths are reduced so that the Rust test is
quick; the blocks are the published ones. Names: make.py [NAME ...].
"""
import json, os, struct, sys
import numpy as np, torch, torchvision
import torch.nn as nn, torch.nn.functional as F
from torchvision.models import detection, segmentation
import fill as f

OUT = os.path.join(os.path.dirname(__file__), "../../crates/model/tests/parity")
torch.manual_seed(0)
MAKERS = {}


def maker(fn):
    MAKERS[fn.__name__] = fn
    return fn


def write(name, architecture, tensors, gains=()):
    """Stores outputs; of a large one every n-th number. The input is known from its name, shape and range."""
    x = tensors.pop("input")
    meta = {"architecture": architecture.strip(), "gains": json.dumps(list(gains)),
            "input": json.dumps({"shape": list(x.shape), "scale": float(np.round(np.abs(x).max() / 2))})}
    head, data = {}, b""
    for k, v in tensors.items():
        v = np.ascontiguousarray(v)
        if k not in ("boxes", "scores", "labels", "regions"):
            every = -(-v.size // 3000)
            meta[f"layout.{k}"] = json.dumps({"shape": list(v.shape), "every": every})
            v = np.ascontiguousarray(v.reshape(-1)[::every])
        kind = {"float32": "F32", "int64": "I64"}[str(v.dtype)]
        head[k] = {"dtype": kind, "shape": list(v.shape), "data_offsets": [len(data), len(data) + v.nbytes]}
        data += v.tobytes()
    text = json.dumps({"__metadata__": meta} | head).encode()
    text += b" " * (-len(text) % 8)
    with open(f"{OUT}/{name}.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + data)
    print(f"{name}: {len(data)} bytes", flush=True)


def run(name, architecture, net, x, taps=(), key="logits", gains=(), get=lambda y: y):
    f.load(net, gains)
    found = {}
    def hook(tap):
        def keep(_, __, y):
            found[f"tap.{tap}"] = (y[0] if isinstance(y, tuple) else y).detach().numpy()
        return keep
    modules = dict(net.named_modules())
    for tap in taps:
        path, _, label = tap.partition("=")
        modules[path].register_forward_hook(hook(label or path))
    with torch.no_grad():
        y = get(net(x))
    write(name, architecture, {"input": x.numpy(), key: y.numpy()} | found, gains)


def image(name, *shape):
    return torch.from_numpy((f.uniform(f"input of {name}", int(np.prod(shape))) * 4 - 2).reshape(shape).astype(np.float32))


def resnet(name, block, layers, bottleneck):
    net = torchvision.models.ResNet(block, layers, num_classes=5)
    f.shrink(net, 16, keep=("fc",))
    text = f'name = "resnet"\ninputs = 3\noutputs = 5\nblocks = {layers}\nbottleneck = {str(bottleneck).lower()}\nwidth = 4'
    run(name, text, net, image(name, 2, 3, 64, 48), ["layer1", "layer4"])


@maker
def resnet18():
    resnet("resnet18", torchvision.models.resnet.BasicBlock, [2, 2, 2, 2], False)


@maker
def resnet34():
    resnet("resnet34", torchvision.models.resnet.BasicBlock, [3, 4, 6, 3], False)


@maker
def resnet50():
    resnet("resnet50", torchvision.models.resnet.Bottleneck, [3, 4, 6, 3], True)


@maker
def resnet101():
    resnet("resnet101", torchvision.models.resnet.Bottleneck, [3, 4, 23, 3], True)


@maker
def googlenet():
    net = torchvision.models.GoogLeNet(num_classes=5, aux_logits=False, transform_input=True, init_weights=False)
    f.shrink(net, 8, keep=("fc",))
    run("googlenet", 'name = "googlenet"\ninputs = 3\noutputs = 5\ntransform_input = true\nwidth_divisor = 8', net,
        image("googlenet", 1, 3, 65, 71), ["inception3a", "inception5b"])


@maker
def inception_v3():
    net = torchvision.models.Inception3(num_classes=5, aux_logits=False, transform_input=True, init_weights=False)
    f.shrink(net, 8, keep=("fc",))
    run("inception_v3", 'name = "inception-v3"\ninputs = 3\noutputs = 5\ntransform_input = true\nwidth_divisor = 8', net,
        image("inception_v3", 1, 3, 107, 99), ["Mixed_5d", "Mixed_6e", "Mixed_7c"])


def vgg(name, cfg, norm):
    net = getattr(torchvision.models, name)(num_classes=5)
    f.shrink(net, 16, keep=("classifier.6",))
    stages = [[w // 16] * n for w, n in zip([64, 128, 256, 512, 512], cfg)]
    text = f'name = "vgg"\ninputs = 3\noutputs = 5\nstages = {stages}\nbatch_norm = {str(norm).lower()}\nhidden = 256'
    run(name, text, net, image(name, 1, 3, 64, 80), ["features"])


@maker
def vgg11():
    vgg("vgg11", [1, 1, 2, 2, 2], False)


@maker
def vgg11_bn():
    vgg("vgg11_bn", [1, 1, 2, 2, 2], True)


@maker
def vgg16():
    vgg("vgg16", [2, 2, 3, 3, 3], False)


@maker
def vgg16_bn():
    vgg("vgg16_bn", [2, 2, 3, 3, 3], True)


@maker
def densenet121():
    net = torchvision.models.DenseNet(8, (6, 12, 24, 16), 16, num_classes=5)
    run("densenet121", 'name = "densenet"\ninputs = 3\noutputs = 5\nblocks = [6, 12, 24, 16]\ngrowth = 8\nstem = 16', net,
        image("densenet121", 1, 3, 64, 64), ["features.denseblock1=denseblock1"])


@maker
def xrv_densenet():
    import torchxrayvision.models as xrv
    net = xrv.DenseNet(growth_rate=8, block_config=(2, 3, 4, 3), num_init_features=16, num_classes=18, in_channels=1)
    run("xrv_densenet", 'name = "densenet"\ninputs = 1\noutputs = 18\nblocks = [2, 3, 4, 3]\ngrowth = 8\nstem = 16', net,
        image("xrv_densenet", 1, 1, 64, 64) * 512)


@maker
def fcn_resnet50():
    net = segmentation.fcn_resnet50(weights=None, weights_backbone=None, num_classes=5, aux_loss=True)
    f.shrink(net, 16, keep=("classifier.4",))
    f.load(net)
    x = image("fcn_resnet50", 1, 3, 64, 72)
    with torch.no_grad():
        y = net(x)
    text = 'name = "fcn-resnet"\ninputs = 3\noutputs = 5\nblocks = [3, 4, 6, 3]\nwidth = 4\naux = true'
    write("fcn_resnet50", text, {"input": x.numpy(), "masks": y["out"].numpy(), "tap.aux": y["aux"].numpy()})


class MbUNet(nn.Module):
    """The block structure of mateuszbuda/brain-segmentation-pytorch, its names too."""
    def __init__(self, inputs, outputs, features, norm):
        super().__init__()
        def pair(i, o, name):
            layers = []
            for n in (1, 2):
                layers.append((f"{name}conv{n}", nn.Conv2d(i if n == 1 else o, o, 3, padding=1, bias=norm == "none")))
                if norm != "none":
                    layers.append((f"{name}norm{n}", nn.BatchNorm2d(o) if norm == "batch" else nn.InstanceNorm2d(o)))
                layers.append((f"{name}relu{n}", nn.ReLU()))
            from collections import OrderedDict
            return nn.Sequential(OrderedDict(layers))
        w = [features * 2 ** k for k in range(5)]
        for k in range(4):
            setattr(self, f"encoder{k + 1}", pair(inputs if k == 0 else w[k - 1], w[k], f"enc{k + 1}"))
        self.bottleneck = pair(w[3], w[4], "bottleneck")
        for k in range(3, -1, -1):
            setattr(self, f"upconv{k + 1}", nn.ConvTranspose2d(w[k + 1], w[k], 2, 2))
            setattr(self, f"decoder{k + 1}", pair(2 * w[k], w[k], f"dec{k + 1}"))
        self.conv = nn.Conv2d(features, outputs, 1)
    def forward(self, x):
        skips = []
        for k in range(1, 5):
            x = getattr(self, f"encoder{k}")(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottleneck(x)
        for k in range(4, 0, -1):
            x = getattr(self, f"decoder{k}")(torch.cat((getattr(self, f"upconv{k}")(x), skips.pop()), 1))
        return self.conv(x)


def mb(norm):
    name = f"mb_unet_{norm}"
    text = f'name = "unet-plane"\ninputs = 3\noutputs = 1\nfeatures = 4\nlevels = 4\nnorm = "{norm}"'
    run(name, text, MbUNet(3, 1, 4, norm), image(name, 1, 3, 48, 64), ["bottleneck"], "masks")


@maker
def mb_unet_batch():
    mb("batch")


@maker
def mb_unet_instance():
    mb("instance")


@maker
def mb_unet_none():
    mb("none")


class Autoencoder(nn.Module):
    def __init__(self, inputs, outputs, widths):
        super().__init__()
        def conv(i, o):
            return nn.ModuleDict({"conv": nn.Conv2d(i, o, 3, padding=1, bias=False), "norm": nn.BatchNorm2d(o)})
        n = len(widths)
        self.encoder = nn.ModuleList(conv(inputs if k == 0 else widths[k - 1], widths[k]) for k in range(n))
        self.decoder = nn.ModuleList(
            nn.ModuleDict({"up": nn.ConvTranspose2d(widths[min(k + 1, n - 1)], widths[k], 2, 2)} | dict(conv(widths[k], widths[k]).items()))
            for k in range(n))
        self.head = nn.Conv2d(widths[0], outputs, 1)
    def forward(self, x):
        block = lambda m, x: F.relu(m["norm"](m["conv"](x)))
        for m in self.encoder:
            x = F.max_pool2d(block(m, x), 2)
        for m in reversed(self.decoder):
            x = block(m, m["up"](x))
        return self.head(x)


@maker
def conv_autoencoder():
    for gives, key in (("masks", "masks"), ("image", "image")):
        name = f"conv_autoencoder_{gives}"
        run(name, f'name = "autoencoder"\ninputs = 1\noutputs = 2\nchannels = [4, 6, 8]\ngives = "{gives}"',
            Autoencoder(1, 2, [4, 6, 8]), image(name, 1, 1, 32, 40), key=key)


class MeshNet(nn.Module):
    def __init__(self, outputs, channels, dilations, act, norm):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv3d(1 if i == 0 else channels, channels, 3, padding=d, dilation=d, bias=not norm) for i, d in enumerate(dilations))
        self.layers.append(nn.Conv3d(channels, outputs, 1))
        self.act, self.norm = act, norm
    def forward(self, x):
        for conv in self.layers[:-1]:
            x = conv(x)
            if self.norm:
                x = F.instance_norm(x, eps=1e-5)
            x = self.act(x)
        return self.layers[-1](x)


@maker
def meshnet():
    dilations = [1, 2, 4, 8, 16, 8, 4, 2, 1]
    for name, act, norm in (("elu", F.elu, False), ("relu", F.relu, False), ("gelu", F.gelu, True)):
        text = f'name = "meshnet"\noutputs = 3\nchannels = 4\ndilations = {dilations}\nactivation = "{name}"\ninstance_norm = {str(norm).lower()}'
        run(f"meshnet_{name}", text, MeshNet(3, 4, dilations, act, norm), image(f"meshnet_{name}", 1, 1, 21, 24, 20), key="masks")


@maker
def monai_unet():
    from monai.networks.nets import UNet
    for name, dims, units, norm, shape in (("3d", 3, 2, "batch", (16, 24, 16)), ("2d", 2, 2, "batch", (32, 48)),
                                           ("instance", 3, 2, "instance", (16, 16, 16)), ("plain", 2, 0, "batch", (32, 32))):
        net = UNet(dims, 1, 3, (4, 6, 8, 10), (2, 2, 2), num_res_units=units, norm=norm)
        text = f'name = "monai-unet"\ndims = {dims}\ninputs = 1\noutputs = 3\nchannels = [4, 6, 8, 10]\nstrides = [2, 2, 2]\nres_units = {units}\nnorm = "{norm}"'
        run(f"monai_unet_{name}", text, net, image(f"monai_unet_{name}", 1, 1, *shape), key="masks")


@maker
def segresnet():
    from monai.networks.nets import SegResNet
    for dims, shape in ((3, (16, 8, 24)), (2, (32, 48))):
        net = SegResNet(dims, init_filters=8, in_channels=1, out_channels=5, blocks_down=(1, 2, 2, 4), blocks_up=(1, 1, 1))
        text = f'name = "segresnet"\ndims = {dims}\ninputs = 1\noutputs = 5\nfilters = 8\nblocks_down = [1, 2, 2, 4]\nblocks_up = [1, 1, 1]\ngroups = 8'
        run(f"segresnet_{dims}d", text, net, image(f"segresnet_{dims}d", 1, 1, *shape), key="masks")


@maker
def xrv_resnetae():
    import torchxrayvision.autoencoders as ae
    net = f.shrink(ae._ResNetAE(ae.Bottleneck, ae.DeconvBottleneck, [3, 4, 3, 2], 1), 8)
    run("xrv_resnetae", 'name = "resnet-autoencoder"\ninputs = 1\nblocks = [3, 4, 3, 2]\nwidth = 8', net,
        image("xrv_resnetae", 1, 1, 224, 224) * 512, ["layer4=z"], key="image", get=lambda y: y["out"])


@maker
def mednist_gan():
    from monai.networks.nets import Generator
    net = Generator(16, (8, 4, 4), (6, 4, 1), (2, 2, 1))
    text = 'name = "monai-generator"\nlatent = 16\nstart = [8, 4, 4]\nchannels = [6, 4, 1]\nstrides = [2, 2, 1]'
    run("mednist_gan", text, net, image("mednist_gan", 2, 16), key="image")


@maker
def dcgan():
    """PyTorch's example (BSD-3), its layers in its order."""
    z, c, n = 10, 1, 4
    def bn(k):
        return [nn.BatchNorm2d(k), nn.ReLU()]
    def seq(*layers):
        m = nn.Module()
        m.main = nn.Sequential(*layers)
        m.forward = lambda x: m.main(x)
        return m
    g = seq(nn.ConvTranspose2d(z, 8 * n, 4, 1, 0, bias=False), *bn(8 * n), nn.ConvTranspose2d(8 * n, 4 * n, 4, 2, 1, bias=False), *bn(4 * n),
            nn.ConvTranspose2d(4 * n, 2 * n, 4, 2, 1, bias=False), *bn(2 * n), nn.ConvTranspose2d(2 * n, n, 4, 2, 1, bias=False), *bn(n),
            nn.ConvTranspose2d(n, c, 4, 2, 1, bias=False), nn.Tanh())
    f.load(g)
    x = image("dcgan_generator", 2, z)
    config = f"latent = {z}\nchannels = {c}\nfeatures = {n}\ndoublings = 4"
    with torch.no_grad():
        write("dcgan_generator", f'name = "dcgan-generator"\n{config}', {"input": x.numpy(), "image": g(x[:, :, None, None]).numpy()})
    leaky = lambda: nn.LeakyReLU(0.2)
    d = seq(nn.Conv2d(c, n, 4, 2, 1, bias=False), leaky(), nn.Conv2d(n, 2 * n, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * n), leaky(),
            nn.Conv2d(2 * n, 4 * n, 4, 2, 1, bias=False), nn.BatchNorm2d(4 * n), leaky(), nn.Conv2d(4 * n, 8 * n, 4, 2, 1, bias=False),
            nn.BatchNorm2d(8 * n), leaky(), nn.Conv2d(8 * n, 1, 4, 1, 0, bias=False))
    f.load(d)
    x = image("dcgan_discriminator", 2, c, 64, 64)
    with torch.no_grad():
        write("dcgan_discriminator", f'name = "dcgan-discriminator"\n{config}', {"input": x.numpy(), "logits": d(x).reshape(2, 1).numpy()})


class SrBlock(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv1, self.bn1, self.prelu = nn.Conv2d(n, n, 3, padding=1), nn.BatchNorm2d(n), nn.PReLU()
        self.conv2, self.bn2 = nn.Conv2d(n, n, 3, padding=1), nn.BatchNorm2d(n)
    def forward(self, x):
        return x + self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x)))))


class SrUp(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.conv, self.shuffle, self.prelu = nn.Conv2d(n, 4 * n, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()
    def forward(self, x):
        return self.prelu(self.shuffle(self.conv(x)))


class SrGenerator(nn.Module):
    """SRResNet with the names of leftthomas/SRGAN."""
    def __init__(self, n, blocks):
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(3, n, 9, padding=4), nn.PReLU())
        for i in range(blocks):
            setattr(self, f"block{i + 2}", SrBlock(n))
        setattr(self, f"block{blocks + 2}", nn.Sequential(nn.Conv2d(n, n, 3, padding=1), nn.BatchNorm2d(n)))
        setattr(self, f"block{blocks + 3}", nn.Sequential(SrUp(n), SrUp(n), nn.Conv2d(n, 3, 9, padding=4)))
        self.blocks = blocks
    def forward(self, x):
        first = x = self.block1(x)
        for i in range(self.blocks + 1):
            x = getattr(self, f"block{i + 2}")(x)
        return (torch.tanh(getattr(self, f"block{self.blocks + 3}")(first + x)) + 1) / 2


@maker
def srgan():
    config = "channels = 3\nfeatures = 4\nscale = 4\nblocks = 5"
    # With full gains the tanh saturates between steep slopes: PyTorch's own f32 is then 1.4e-4 from its f64 answer.
    gains = [("conv2.weight", 0.2), ("block8.2.weight", 0.1)]
    x = image("srgan_generator", 1, 3, 12, 10)
    run("srgan_generator", f'name = "srgan-generator"\n{config}', SrGenerator(4, 5), x, key="image", gains=gains)
    n, layers = 4, [nn.Conv2d(3, 4, 3, padding=1), nn.LeakyReLU(0.2)]
    for i, o, s in ((1, 1, 2), (1, 2, 1), (2, 2, 2), (2, 4, 1), (4, 4, 2), (4, 8, 1), (8, 8, 2)):
        layers += [nn.Conv2d(i * n, o * n, 3, s, 1), nn.BatchNorm2d(o * n), nn.LeakyReLU(0.2)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Conv2d(8 * n, 16 * n, 1), nn.LeakyReLU(0.2), nn.Conv2d(16 * n, 1, 1)]
    net = nn.Module()
    net.net = nn.Sequential(*layers)
    net.forward = lambda x: net.net(x)
    run("srgan_discriminator", f'name = "srgan-discriminator"\n{config}', net, image("srgan_discriminator", 1, 3, 48, 48), get=lambda y: y.reshape(1, 1))


def boxes(out):
    return {k: v.numpy().astype(np.int64 if k == "labels" else np.float32) for k, v in out.items()}


def rcnn(name, mask):
    from torchvision.models.detection.image_list import ImageList
    kw = dict(weights=None, weights_backbone=None, num_classes=5)
    net = (detection.maskrcnn_resnet50_fpn if mask else detection.fasterrcnn_resnet50_fpn)(**kw)
    f.shrink(net, 16, keep=("cls_logits", "rpn.head.bbox_pred", "cls_score", "box_predictor.bbox_pred", "mask_fcn_logits"))
    # So small that the scores do not saturate.
    gains = [("conv3.weight", 0.2), ("fpn.", 0.3), ("cls_score.weight", 2.0), ("rpn.head.bbox_pred.weight", 0.2), ("box_predictor.bbox_pred.weight", 1.0)]
    f.load(net, gains)
    x = image(name, 1, 3, 128, 160)
    sizes = [(128, 160)]
    with torch.no_grad():
        feats = net.backbone(x)
        props, _ = net.rpn(ImageList(x, sizes), feats)
        out, _ = net.roi_heads(feats, props, sizes)
        if mask:
            out = net.transform.postprocess(out, sizes, sizes)
    found = boxes(out[0])
    if mask:
        # The 12 best are enough for the paste; all boxes stay.
        found["masks"] = found["masks"][:12]
    kind = "mask-rcnn" if mask else "faster-rcnn"
    text = f'name = "{kind}"\ninputs = 3\noutputs = 5\nblocks = [3, 4, 6, 3]\nwidth = 4\npyramid = 16\nhead = 64'
    write(name, text, {"input": x.numpy(), "tap.features": feats["0"].numpy()} | found, gains)


@maker
def fasterrcnn_resnet50_fpn():
    rcnn("fasterrcnn_resnet50_fpn", False)


@maker
def maskrcnn_resnet50_fpn():
    rcnn("maskrcnn_resnet50_fpn", True)


class FastRcnn(nn.Module):
    """VGG-16 to conv5_3, RoIPool, TwoMLPHead and FastRCNNPredictor of torchvision, with the names of the Caffe network."""
    def __init__(self, classes, hidden):
        super().__init__()
        self.features = f.shrink(torchvision.models.vgg16(), 16).features
        self.fc6, self.fc7 = nn.Linear(32 * 49, hidden), nn.Linear(hidden, hidden)
        self.cls_score, self.bbox_pred = nn.Linear(hidden, classes), nn.Linear(hidden, 4 * classes)

    def forward(self, x, regions):
        y = self.features[:-1](x)
        p = torchvision.ops.roi_pool(y, [regions], 7, 1 / 16).flatten(1)
        p = F.relu(self.fc7(F.relu(self.fc6(p))))
        return y, self.cls_score(p), self.bbox_pred(p)


@maker
def fastrcnn_vgg16():
    name, classes, hidden, size = "fastrcnn_vgg16", 5, 64, (160, 208)
    net = FastRcnn(classes, hidden)
    gains = [("cls_score.weight", 3.0)]
    f.load(net, gains)
    x = image(name, 1, 3, *size)
    u = torch.from_numpy(f.uniform("regions", 4 * 300)).reshape(-1, 4)
    # Some reach beyond the image, some are smaller than a cell.
    corner, side = u[:, :2] * torch.tensor([208.0, 160.0]) - 16, 2 + u[:, 2:] ** 2 * 160
    regions = torch.cat((corner, corner + side), 1)
    heads = detection.roi_heads.RoIHeads(None, None, None, .5, .5, 512, .25, None, 0.05, 0.3, 100)
    with torch.no_grad():
        y, logits, deltas = net(x, regions)
        b, s, l = heads.postprocess_detections(logits, deltas, [regions], [size])
    out = boxes({"boxes": b[0], "scores": s[0], "labels": l[0]})
    stages = [[w // 16] * n for w, n in zip([64, 128, 256, 512, 512], [2, 2, 3, 3, 3])]
    text = f'name = "fast-rcnn"\ninputs = 3\noutputs = {classes}\nstages = {stages}\nhidden = {hidden}'
    write(name, text, {"input": x.numpy(), "regions": regions.numpy(), "tap.features": y.numpy()} | out, gains)


@maker
def ssd300_vgg16():
    from torchvision.models.detection.image_list import ImageList
    net = detection.ssd300_vgg16(weights=None, weights_backbone=None, num_classes=5)
    f.shrink(net, 16, keep=("classification_head", "regression_head"))
    net.backbone.scale_weight = nn.Parameter(net.backbone.scale_weight[:32].clone())
    gains = [("classification_head", 2.0)]
    f.load(net, gains)
    x = image("ssd300_vgg16", 1, 3, 300, 300)
    with torch.no_grad():
        feats = list(net.backbone(x).values())
        heads = net.head(feats)
        out = net.postprocess_detections(heads, net.anchor_generator(ImageList(x, [(300, 300)]), feats), [(300, 300)])
    text = 'name = "ssd300"\ninputs = 3\noutputs = 5\nwidth_divisor = 16'
    write("ssd300_vgg16", text, {"input": x.numpy(), "tap.conv4_3": feats[0].numpy()} | boxes(out[0]), gains)


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    import other  # YOLOX, Darknet, light SSD
    names = sys.argv[1:] or list(MAKERS)
    for n in names:
        MAKERS[n]()
