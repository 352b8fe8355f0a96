# The peers of the benchmark: PyTorch and ONNX Runtime on the modules that the Rust side names.
# Lines in: "open<TAB>expression<TAB>shape", "run<TAB>library", "quit". One line out for each.
import io, logging, sys, time, warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
out, sys.stdout = sys.stdout, sys.stderr
threads = int(sys.argv[1])
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(threads)
try:
    import onnxruntime as ort
    version = ort.__version__
except ImportError:
    ort, version = None, "absent"
print(f"PyTorch {torch.__version__}, ONNX Runtime {version}", file=out, flush=True)


def conv(axes):
    return (nn.Conv2d, nn.ConvTranspose2d, F.max_pool2d) if axes == 2 else (nn.Conv3d, nn.ConvTranspose3d, F.max_pool3d)


class UNet(nn.Module):
    def __init__(self, axes=2, base=32, levels=4, c_in=1, c_out=2):
        super().__init__()
        C, T, self.pool = conv(axes)
        ch = [base * 2**i for i in range(levels + 1)]
        dbl = lambda a, b: nn.Sequential(C(a, b, 3, padding=1), nn.ReLU(), C(b, b, 3, padding=1), nn.ReLU())
        self.down = nn.ModuleList(dbl(c_in if i == 0 else ch[i - 1], ch[i]) for i in range(levels + 1))
        self.up = nn.ModuleList(T(ch[i + 1], ch[i], 2, 2) for i in range(levels))
        self.dec = nn.ModuleList(dbl(2 * ch[i], ch[i]) for i in range(levels))
        self.head = C(base, c_out, 1)

    def forward(self, x):
        skips = []
        for i, d in enumerate(self.down):
            x = d(x if i == 0 else self.pool(x, 2))
            skips.append(x)
        for i in reversed(range(len(self.up))):
            x = self.dec[i](torch.cat([skips[i], self.up[i](x)], 1))
        return self.head(x)


class Block(nn.Module):
    def __init__(self, c, m, expand, stride):
        super().__init__()
        N = lambda a, b, k, s: nn.Sequential(nn.Conv2d(a, b, k, s, k // 2, bias=False), nn.BatchNorm2d(b))
        if expand == 1:
            self.convs = nn.ModuleList([N(c, m, 3, stride), N(m, m, 3, 1)])
        else:
            self.convs = nn.ModuleList([N(c, m, 1, 1), N(m, m, 3, stride), N(m, m * expand, 1, 1)])
        self.short = N(c, m * expand, 1, stride) if stride != 1 or c != m * expand else None

    def forward(self, x):
        short = x if self.short is None else self.short(x)
        for i, c in enumerate(self.convs):
            x = c(x)
            if i + 1 < len(self.convs):
                x = F.relu(x)
        return F.relu(x + short)


class ResNet(nn.Module):
    def __init__(self, counts, expand):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64))
        blocks, c = [], 64
        for s, n in enumerate(counts):
            for i in range(n):
                blocks.append(Block(c, 64 << s, expand, 2 if i == 0 and s > 0 else 1))
                c = (64 << s) * expand
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(c, 1000)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.stem(x)), 3, 2, 1)
        return self.head(self.blocks(x).mean((2, 3)))


def MeshNet(channels=5, classes=3):
    layers, c = [], 1
    for d in [1, 2, 4, 8, 16, 8, 4, 2, 1]:
        layers += [nn.Conv3d(c, channels, 3, padding=d, dilation=d), nn.ReLU()]
        c = channels
    return nn.Sequential(*layers, nn.Conv3d(c, classes, 1))


class Ssd(nn.Module):
    def __init__(self, base, labels):
        super().__init__()
        self.stages, self.heads, c = nn.ModuleList(), nn.ModuleList(), 1
        for i, w in enumerate([base, 2 * base, 4 * base, 6 * base, 8 * base]):
            self.stages.append(nn.Sequential(nn.Conv2d(c, w, 3, 2, 1), nn.ReLU(), nn.Conv2d(w, w, 3, 1, 1), nn.ReLU()))
            if i >= 2:
                self.heads.append(nn.Conv2d(w, 3 * (4 + labels), 3, 1, 1))
            c = w

    def forward(self, x):
        maps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i >= 2:
                maps.append(self.heads[i - 2](x).flatten(1))
        return torch.cat(maps, 1)


class Fn(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


def train(net, shape):
    net.train()
    opt = torch.optim.SGD(net.parameters(), lr=1e-4)
    x = torch.randn(*shape)
    y = torch.randn_like(net(x))

    def step():
        opt.zero_grad()
        F.mse_loss(net(x), y).backward()
        opt.step()

    return step


def fold(m):
    """Norms into convolutions, as an inference user would."""
    for name, child in m.named_children():
        if isinstance(child, nn.Sequential) and len(child) == 2 and isinstance(child[1], nn.BatchNorm2d):
            setattr(m, name, torch.nn.utils.fusion.fuse_conv_bn_eval(child[0], child[1]))
        elif isinstance(child, nn.ModuleList):
            for i, c in enumerate(child):
                if isinstance(c, nn.Sequential) and len(c) == 2 and isinstance(c[1], nn.BatchNorm2d):
                    child[i] = torch.nn.utils.fusion.fuse_conv_bn_eval(c[0], c[1])
        fold(child)
    return m


def status(key):
    try:
        return next(int(l.split()[1]) / 1024 for l in open("/proc/self/status") if l.startswith(key))
    except (OSError, StopIteration):
        return 0.0


def session(model, x):
    """Runs an exported model; also how many MiB that took at most."""
    try:
        open("/proc/self/clear_refs", "w").write("5")
    except OSError:
        pass
    before = status("VmRSS")
    so = ort.SessionOptions()
    so.intra_op_num_threads, so.inter_op_num_threads, so.log_severity_level = threads, 1, 3
    s = ort.InferenceSession(model, so, providers=["CPUExecutionProvider"])
    name, xin = s.get_inputs()[0].name, x.numpy()
    run = lambda: s.run(None, {name: xin})
    run()
    return run, max(status("VmHWM") - before, 0)


runs = {}
for line in sys.stdin:
    words = line.rstrip("\n").split("\t")
    if words[0] == "open":
        runs, peak = {}, 0
        shape = [int(n) for n in words[2].split(",")]
        try:
            torch.manual_seed(0)
            if words[1].startswith("train:"):
                runs["pytorch"] = train(eval(words[1][6:]), shape)
            else:
                net, x = fold(eval(words[1]).eval()), torch.randn(*shape)
                if ort is not None:
                    try:
                        with torch.inference_mode():
                            buf = io.BytesIO()
                            torch.onnx.export(net, (x,), buf, dynamo=False, opset_version=17)
                        model = buf.getvalue()
                        del buf
                        runs["onnxruntime"], peak = session(model, x)
                        del model
                    except Exception as e:
                        print("no ONNX Runtime:", e)

                def run(net=net, x=x):
                    with torch.inference_mode():
                        net(x)

                runs["pytorch"] = run
            runs["pytorch"]()
        except Exception as e:
            print(e)
            runs.pop("pytorch", None)
        print(peak, *runs, file=out, flush=True)
    elif words[0] == "run":
        f, times = runs[words[1]], []
        clock = time.perf_counter if words[2] == "wall" else time.process_time
        one = clock()
        f()
        first = clock() - one
        if first > 0.4:
            times.append(first * 1e3)
        start = time.perf_counter()
        while not times or time.perf_counter() - start < 0.06:
            one = clock()
            f()
            times.append((clock() - one) * 1e3)
        print(*[f"{t:.4f}" for t in times], file=out, flush=True)
    else:
        break
