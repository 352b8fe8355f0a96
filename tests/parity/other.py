"""Networks whose published code is no package: YOLOX, Darknet, the light SSD, written after their papers and layouts.

Each is a plain torch module with the published names of tensors; the post-processing is torchvision's operators.
"""
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from torchvision.ops import batched_nms
import __main__ as m
import fill as f


def conv(i, o, k, s=1, g=1):
    c = nn.Module()
    c.conv, c.bn = nn.Conv2d(i, o, k, s, (k - 1) // 2, groups=g, bias=False), nn.BatchNorm2d(o, eps=1e-3)
    c.forward = lambda x: F.silu(c.bn(c.conv(x)))
    return c


def dconv(i, o, k, s, dw):
    if not dw:
        return conv(i, o, k, s)
    d = nn.Module()
    d.dconv, d.pconv = conv(i, i, k, s, i), conv(i, o, 1)
    d.forward = lambda x: d.pconv(d.dconv(x))
    return d


def csp(i, o, n, shortcut, dw):
    c, h = nn.Module(), o // 2
    c.conv1, c.conv2, c.conv3, c.m = conv(i, h, 1), conv(i, h, 1), conv(2 * h, o, 1), nn.ModuleList()
    for _ in range(n):
        b = nn.Module()
        b.conv1, b.conv2 = conv(h, h, 1), dconv(h, h, 3, 1, dw)
        c.m.append(b)
    def forward(x):
        a = c.conv1(x)
        for b in c.m:
            y = b.conv2(b.conv1(a))
            a = a + y if shortcut else y
        return c.conv3(torch.cat((a, c.conv2(x)), 1))
    c.forward = forward
    return c


class Yolox(nn.Module):
    def __init__(self, classes, depth, width, dw):
        super().__init__()
        base, n = int(width * 64), max(round(depth * 3), 1)
        d = nn.Module()
        d.stem = nn.Module()
        d.stem.conv = conv(12, base, 3)
        for k, blocks in ((2, n), (3, 3 * n), (4, 3 * n)):
            i = base * 2 ** (k - 2)
            setattr(d, f"dark{k}", nn.Sequential(dconv(i, 2 * i, 3, 2, dw), csp(2 * i, 2 * i, blocks, True, dw)))
        i = base * 8
        spp = nn.Module()
        spp.conv1, spp.conv2 = conv(2 * i, i, 1), conv(4 * i, 2 * i, 1)
        def pools(x):
            x = spp.conv1(x)
            return spp.conv2(torch.cat([x] + [F.max_pool2d(x, k, 1, k // 2) for k in (5, 9, 13)], 1))
        spp.forward = pools
        d.dark5 = nn.Sequential(dconv(i, 2 * i, 3, 2, dw), spp, csp(2 * i, 2 * i, n, False, dw))
        c0, c1, c2 = (int(c * width) for c in (256, 512, 1024))
        b, n = nn.Module(), round(3 * depth)
        b.backbone, b.lateral_conv0, b.C3_p4 = d, conv(c2, c1, 1), csp(2 * c1, c1, n, False, dw)
        b.reduce_conv1, b.C3_p3, b.bu_conv2 = conv(c1, c0, 1), csp(2 * c0, c0, n, False, dw), dconv(c0, c0, 3, 2, dw)
        b.C3_n3, b.bu_conv1, b.C3_n4 = csp(2 * c0, c1, n, False, dw), dconv(c1, c1, 3, 2, dw), csp(2 * c1, c2, n, False, dw)
        h = nn.Module()
        h.stems = nn.ModuleList(conv(c, c0, 1) for c in (c0, c1, c2))
        two = lambda: nn.Sequential(dconv(c0, c0, 3, 1, dw), dconv(c0, c0, 3, 1, dw))
        h.cls_convs, h.reg_convs = nn.ModuleList(two() for _ in range(3)), nn.ModuleList(two() for _ in range(3))
        h.cls_preds = nn.ModuleList(nn.Conv2d(c0, classes, 1) for _ in range(3))
        h.reg_preds = nn.ModuleList(nn.Conv2d(c0, 4, 1) for _ in range(3))
        h.obj_preds = nn.ModuleList(nn.Conv2d(c0, 1, 1) for _ in range(3))
        self.backbone, self.head = b, h

    def forward(self, x):
        b, d, h = self.backbone, self.backbone.backbone, self.head
        x = torch.cat((x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]), 1)
        x2 = d.dark3(d.dark2(d.stem.conv(x)))
        x1 = d.dark4(x2)
        x0 = d.dark5(x1)
        up = lambda t: F.interpolate(t, scale_factor=2)
        o0 = b.lateral_conv0(x0)
        f0 = b.C3_p4(torch.cat((up(o0), x1), 1))
        o1 = b.reduce_conv1(f0)
        p2 = b.C3_p3(torch.cat((up(o1), x2), 1))
        p1 = b.C3_n3(torch.cat((b.bu_conv2(p2), o1), 1))
        p0 = b.C3_n4(torch.cat((b.bu_conv1(p1), o0), 1))
        rows = []
        for k, p in enumerate((p2, p1, p0)):
            s = h.stems[k](p)
            c, r = h.cls_convs[k](s), h.reg_convs[k](s)
            y = torch.cat((h.reg_preds[k](r), h.obj_preds[k](r).sigmoid(), h.cls_preds[k](c).sigmoid()), 1)
            gy, gx = torch.meshgrid(torch.arange(y.shape[2]), torch.arange(y.shape[3]), indexing="ij")
            stride = 8 << k
            y = y.flatten(2)[0].T
            xy = (y[:, :2] + torch.stack((gx, gy), 2).reshape(-1, 2)) * stride
            rows.append(torch.cat((xy, y[:, 2:4].exp() * stride, y[:, 4:]), 1))
        return torch.cat(rows), p2


def finish(boxes, scores, labels, iou):
    keep = batched_nms(boxes, scores, labels, iou)
    return m.boxes({"boxes": boxes[keep], "scores": scores[keep], "labels": labels[keep]})


@m.maker
def yolox():
    for name, dw in (("yolox_plain", False), ("yolox_depthwise", True)):
        net = Yolox(4, 0.33, 0.125, dw)
        gains = [("preds", 2.0)]
        f.load(net, gains)
        x = m.image(name, 1, 3, 96, 128)
        with torch.no_grad():
            y, features = net(x)
        c, label = y[:, 5:].max(1)
        score = y[:, 4] * c
        good = score >= 0.25
        half = y[:, 2:4] / 2
        box = torch.cat((y[:, :2] - half, y[:, :2] + half), 1)
        text = f'name = "yolox"\ninputs = 3\noutputs = 4\ndepth = 0.33\nwidth = 0.125\ndepthwise = {str(dw).lower()}'
        m.write(name, text, {"input": x.numpy(), "tap.features": features.numpy()} | finish(box[good], score[good], label[good], 0.45), gains)


class Darknet(nn.Module):
    """Runs a cfg; the norm is Darknet's."""
    def __init__(self, cfg):
        super().__init__()
        self.parts = []
        for line in cfg.splitlines():
            line = line.split("#")[0].strip()
            if line.startswith("["):
                self.parts.append([line[1:-1], {}])
            elif "=" in line:
                k, v = line.split("=", 1)
                self.parts[-1][1][k.strip()] = v.strip()
        self.parts = self.parts[1:]

    def order(self):
        """Names and shapes in the order of a .weights file."""
        width, out = [], []
        for n, (kind, o) in enumerate(self.parts):
            before = width[-1] if width else 3
            back = lambda i: n + i if i < 0 else i
            if kind == "convolutional":
                c, k = int(o["filters"]), int(o["size"])
                out.append((f"{n}.bias", (c,)))
                if o.get("batch_normalize") == "1":
                    out += [(f"{n}.{s}", (c,)) for s in ("scales", "rolling_mean", "rolling_variance")]
                out.append((f"{n}.weight", (c, before, k, k)))
                width.append(c)
            elif kind == "route":
                width.append(sum(width[back(int(i))] for i in o["layers"].split(",")))
            else:
                width.append(before)
        return out

    def forward(self, x, weights):
        results, heads = [], []
        for n, (kind, o) in enumerate(self.parts):
            back = lambda i: n + i if i < 0 else i
            if kind == "convolutional":
                k, s = int(o["size"]), int(o["stride"])
                w, b = weights[f"{n}.weight"], weights[f"{n}.bias"]
                x = F.conv2d(x, w, None, s, k // 2 if o.get("pad") == "1" else 0)
                col = lambda t: t.view(1, -1, 1, 1)
                if o.get("batch_normalize") == "1":
                    mean, var, scale = (weights[f"{n}.{t}"] for t in ("rolling_mean", "rolling_variance", "scales"))
                    x = (x - col(mean)) / (col(var).sqrt() + 1e-6) * col(scale)
                x = x + col(b)
                if o["activation"] == "leaky":
                    x = F.leaky_relu(x, 0.1)
            elif kind == "maxpool":
                k, s = int(o["size"]), int(o["stride"])
                x = F.max_pool2d(F.pad(x, ((k - 1) // 2, k - 1 - (k - 1) // 2) * 2, value=-np.inf), k, s)
            elif kind == "route":
                x = torch.cat([results[back(int(i))] for i in o["layers"].split(",")], 1)
            elif kind == "shortcut":
                x = x + results[back(int(o["from"]))]
            elif kind == "upsample":
                x = F.interpolate(x, scale_factor=int(o["stride"]))
            elif kind == "yolo":
                heads.append((x, o))
            results.append(x)
        return heads


@m.maker
def darknet():
    for name, cfg in (("darknet_tiny", tiny()), ("darknet_residual", residual())):
        net = Darknet(cfg)
        weights = {k: torch.from_numpy(f.fill(k, s).copy()) for k, s in net.order()}
        x = m.image(name, 1, 3, 64, 96)
        rows, columns = x.shape[2:]
        with torch.no_grad():
            heads = net(x, weights)
        box, score, label = [], [], []
        for y, o in heads:
            mask, anchors = [int(i) for i in o["mask"].split(",")], np.array([float(a) for a in o["anchors"].split(",")]).reshape(-1, 2)
            classes = int(o["classes"])
            h, w = y.shape[2:]
            y = y[0].reshape(len(mask), 5 + classes, h, w)
            gy, gx = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
            for a, k in enumerate(mask):
                cx, cy = (gx + y[a, 0].sigmoid()) / w * columns, (gy + y[a, 1].sigmoid()) / h * rows
                bw, bh = y[a, 2].exp() * anchors[k, 0], y[a, 3].exp() * anchors[k, 1]
                obj = y[a, 4].sigmoid()
                for c in range(classes):
                    p = obj * y[a, 5 + c].sigmoid()
                    good = (obj > 0.3) & (p > 0.3)
                    box.append(torch.stack((cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2), 2)[good].float())
                    score.append(p[good])
                    label.append(torch.full((int(good.sum()),), c))
        found = finish(torch.cat(box), torch.cat(score), torch.cat(label), 0.45)
        text = f'name = "darknet"\noutputs = 3\nscore = 0.3\niou = 0.45\ncfg = """\n{cfg}"""'
        m.write(name, text, {"input": x.numpy(), f"tap.yolo{[n for n, (k, _) in enumerate(net.parts) if k == 'yolo'][0]}": heads[0][0].numpy()} | found)


def section(filters, size, stride, last=False):
    norm, act = ("", "linear") if last else ("batch_normalize=1\n", "leaky")
    return f"[convolutional]\n{norm}filters={filters}\nsize={size}\nstride={stride}\npad=1\nactivation={act}\n"


def yolo(mask, anchors):
    return f"[yolo]\nmask={mask}\nanchors={anchors}\nclasses=3\n"


def tiny():
    """YOLOv3-tiny's sections with an eighth of its filters."""
    anchors = "10,14,23,27,37,58,81,82,135,169,344,319"
    text = "[net]\nchannels=3\n"
    for level in range(6):
        text += section(2 << level, 3, 1) + f"[maxpool]\nsize=2\nstride={1 if level == 5 else 2}\n"
    text += section(128, 3, 1) + section(32, 1, 1) + section(64, 3, 1) + section(24, 1, 1, True) + yolo("3,4,5", anchors)
    text += "[route]\nlayers=-4\n" + section(16, 1, 1) + "[upsample]\nstride=2\n[route]\nlayers=-1,8\n"
    return text + section(32, 3, 1) + section(24, 1, 1, True) + yolo("0,1,2", anchors)


def residual():
    """Darknet-53's kind of block, and a head."""
    text = "[net]\nchannels=3\n" + section(8, 3, 1)
    for level in range(3):
        w = 16 << level
        text += section(w, 3, 2)
        for _ in range(2):
            text += section(w // 2, 1, 1) + section(w, 3, 1) + "[shortcut]\nfrom=-3\nactivation=linear\n"
    return text + section(24, 1, 1, True) + yolo("6,7,8", "10,13,16,30,33,23,30,61,62,45,59,119,16,20,26,38,43,26")


class LightSsd(nn.Module):
    """RFB-320 with the names of its published file."""
    def __init__(self, w, classes):
        super().__init__()
        def bn(i, o, s):
            return nn.Sequential(nn.Conv2d(i, o, 3, s, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU())
        def dw(i, o, s):
            return nn.Sequential(nn.Conv2d(i, i, 3, s, 1, groups=i, bias=False), nn.BatchNorm2d(i), nn.ReLU(),
                                 nn.Conv2d(i, o, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU())
        def basic(i, o, k, d=1, relu=True):
            b = nn.Module()
            b.conv, b.bn = nn.Conv2d(i, o, k, padding=d * (k // 2), dilation=d, bias=False), nn.BatchNorm2d(o)
            b.forward = lambda x: F.relu(b.bn(b.conv(x))) if relu else b.bn(b.conv(x))
            return b
        r, n = nn.Module(), 4 * w // 8
        r.branch0 = nn.Sequential(basic(4 * w, n, 1, relu=False), basic(n, 2 * n, 3), basic(2 * n, 2 * n, 3, 2, False))
        r.branch1 = nn.Sequential(basic(4 * w, n, 1, relu=False), basic(n, 2 * n, 3), basic(2 * n, 2 * n, 3, 3, False))
        r.branch2 = nn.Sequential(basic(4 * w, n, 1, relu=False), basic(n, n // 2 * 3, 3), basic(n // 2 * 3, 2 * n, 3), basic(2 * n, 2 * n, 3, 5, False))
        r.ConvLinear, r.shortcut = basic(6 * n, 4 * w, 1, relu=False), basic(4 * w, 4 * w, 1, relu=False)
        r.forward = lambda x: F.relu(r.ConvLinear(torch.cat((r.branch0(x), r.branch1(x), r.branch2(x)), 1)) + r.shortcut(x))
        self.base_net = nn.Sequential(bn(3, w, 2), dw(w, 2 * w, 1), dw(2 * w, 2 * w, 2), dw(2 * w, 2 * w, 1), dw(2 * w, 4 * w, 2), dw(4 * w, 4 * w, 1),
                                      dw(4 * w, 4 * w, 1), r, dw(4 * w, 8 * w, 2), dw(8 * w, 8 * w, 1), dw(8 * w, 8 * w, 1), dw(8 * w, 16 * w, 2), dw(16 * w, 16 * w, 1))
        def sep(i, o, s=1):
            return nn.Sequential(nn.Conv2d(i, i, 3, s, 1, groups=i), nn.ReLU(), nn.Conv2d(i, o, 1))
        self.extras = nn.ModuleList([nn.Sequential(nn.Conv2d(16 * w, 4 * w, 1), nn.ReLU(), sep(4 * w, 16 * w, 2), nn.ReLU())])
        heads = lambda n: nn.ModuleList([sep(4 * w, 3 * n), sep(8 * w, 2 * n), sep(16 * w, 2 * n), nn.Conv2d(16 * w, 3 * n, 3, padding=1)])
        self.classification_headers, self.regression_headers, self.classes = heads(classes), heads(4), classes

    def forward(self, x):
        maps, y = [], x
        for n, layer in enumerate(self.base_net):
            y = layer(y)
            if n in (7, 10, 12):
                maps.append(y)
        maps.append(self.extras[0](y))
        rows = lambda t, n: t.permute(0, 2, 3, 1).reshape(-1, n)
        c = torch.cat([rows(h(t), self.classes) for h, t in zip(self.classification_headers, maps)])
        r = torch.cat([rows(h(t), 4) for h, t in zip(self.regression_headers, maps)])
        ih, iw = x.shape[2:]
        priors = []
        for t, s, sizes in zip(maps, (8, 16, 32, 64), ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))):
            for j in range(t.shape[2]):
                for i in range(t.shape[3]):
                    priors += [[(i + .5) / (iw / s), (j + .5) / (ih / s), b / iw, b / ih] for b in sizes]
        p = torch.tensor(priors).clamp(0, 1)
        centre, size = r[:, :2] * .1 * p[:, 2:] + p[:, :2], (r[:, 2:] * .2).exp() * p[:, 2:]
        box = torch.cat((centre - size / 2, centre + size / 2), 1) * torch.tensor([iw, ih, iw, ih])
        return c.softmax(1), box, y


@m.maker
def ssd_light():
    net = LightSsd(4, 3)
    gains = [("classification_headers", 3.0)]
    f.load(net, gains)
    x = m.image("ssd_light", 1, 3, 120, 160)
    with torch.no_grad():
        p, box, features = net(x)
    all_boxes, scores, labels = [], [], []
    for c in (1, 2):
        good = p[:, c] > 0.4
        all_boxes.append(box[good]); scores.append(p[good, c]); labels.append(torch.full((int(good.sum()),), c))
    found = finish(torch.cat(all_boxes), torch.cat(scores), torch.cat(labels), 0.3)
    m.write("ssd_light", 'name = "ssd-light"\ninputs = 3\noutputs = 3\nwidth = 4\nscore = 0.4\niou = 0.3',
            {"input": x.numpy(), "tap.features": features.numpy()} | found, gains)
