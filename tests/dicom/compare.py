"""Compares the `lightbox` command line with pydicom (all plugins), header positions and SimpleITK.

compare.py LIGHTBOX [FOLDER...]    (run by tests/dicom/conformance)
"""

import json
import logging
import subprocess
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import SimpleITK
from pydicom.pixels import get_decoder
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)

# Two right decoders may differ by rounding on these.
LOSSY = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81, 91, 93, 112, 203)}
DTYPES = {"u8": "u1", "i8": "i1", "u16": "<u2", "i16": "<i2", "u32": "<u4", "i32": "<i4", "f32": "<f4", "f64": "<f8"}
SECONDS = 60


def load(path):
    """The data set, with a transfer syntax even where the file tells none; None where pydicom cannot read it."""
    try:
        ds = pydicom.dcmread(path, force=True)
    except Exception:
        return None
    if getattr(ds, "file_meta", None) is None:
        ds.file_meta = pydicom.dataset.FileMetaDataset()
    if "TransferSyntaxUID" not in ds.file_meta:
        implicit, little = ds.original_encoding
        ds.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        )
    return ds


def references(ds):
    """What each plugin makes of the pixels: (name, is RGB, array of frames, rows, columns, samples)."""
    syntax = UID(ds.file_meta.TransferSyntaxUID)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        return []
    samples, out = int(ds.get("SamplesPerPixel", 1)), []
    for plugin in list(decoder.available_plugins) or [""]:
        for raw in {False, samples > 1}:
            try:
                array, meta = decoder.as_array(ds, raw=raw, decoding_plugin=plugin)
            except Exception:
                continue
            a = np.asarray(array)
            if a.ndim == 2:
                a = a[None, ..., None]
            elif a.ndim == 3:
                a = a[None] if samples > 1 else a[..., None]
            kind = str(meta["photometric_interpretation"])
            out.append((plugin or "native", not kind.startswith("YBR") or kind in ("YBR_ICT", "YBR_RCT"), a))
    return out


def ask(lightbox, *args):
    """(exit code, standard output, standard error); a time-out is a crash."""
    try:
        p = subprocess.run([lightbox, *map(str, args)], capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return -1, b"", f"no answer in {SECONDS} s"
    return p.returncode, p.stdout, p.stderr.decode("utf8", "replace").strip()


def decode(lightbox, path, folder):
    """(array or None, is RGB, what was said, crashed)"""
    out = Path(folder) / "pixels.raw"
    code, text, said = ask(lightbox, "decode", path, "--frame", "all", "--out", out)
    if code != 0:
        return None, False, said, code not in (1, 2) or "panicked" in said
    m = json.loads(text)
    shape = (m["frames"], m["rows"], m["columns"], m["samples"])
    return np.fromfile(out, DTYPES[m["dtype"]]).reshape(shape), not m["photometric"].startswith("YBR"), said, False


def verdict(ours, is_rgb, others, syntax):
    """exact, near (lossy only) or wrong, and by how much."""
    same = [o for o in others if o[1] == is_rgb] or others
    spread = max(
        (np.abs(a[2].astype("f8") - b[2].astype("f8")).max() for a in same for b in same if a[2].shape == b[2].shape),
        default=0.0,
    )
    best = None
    for name, _, theirs in same:
        if ours.shape != theirs.shape:
            continue
        difference = np.abs(ours.astype("f8") - theirs.astype("f8"))
        worst = float(np.nanmax(difference)) if difference.size else 0.0
        if best is None or worst < best[0]:
            best = (worst, name)
    if best is None:
        return "wrong", f"shape {ours.shape}, others {[o[2].shape for o in same]}"
    if best[0] == 0:
        return "exact", best[1]
    text = f"differs by {best[0]:g} from {best[1]}; the others differ by {spread:g}"
    return ("near" if syntax in LOSSY and best[0] <= max(2.0, spread) else "wrong"), text


def pixels(lightbox, folders):
    """Compares every file; returns whether all agree."""
    count = dict.fromkeys(("exact", "near", "wrong", "refused", "crash"), 0)
    files = sorted(p for f in folders for p in Path(f).rglob("*") if p.is_file())
    alone = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in files:
            if path.suffix in (".zip", ".zst", ".gz", ".json", ".md", ".txt", ".py", ".pyc", ".csv"):
                continue
            ours, is_rgb, said, crashed = decode(lightbox, path, folder)
            ds = load(path)
            has_pixels = ds is not None and any(k in ds for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
            others = references(ds) if has_pixels else []
            if crashed:
                what, why = "crash", said
            elif not others:
                alone += 1
                continue
            elif ours is None:
                what, why = "refused", said
            else:
                what, why = verdict(ours, is_rgb, others, str(ds.file_meta.TransferSyntaxUID))
            count[what] += 1
            if what != "exact":
                print(f"{what:8s} {path.name}: {why}", flush=True)
    print("pixels:", ", ".join(f"{n} {k}" for k, n in count.items()), f"({alone} files without a reference)")
    return count["wrong"] + count["refused"] + count["crash"] == 0 and count["exact"] > 0


def headers(archive, folder):
    """The images of an archive by series: (position along the normal, path, data set), ascending."""
    with zipfile.ZipFile(archive) as z:
        z.extractall(folder)
    series = {}
    for path in Path(folder).rglob("*"):
        if path.is_file() and (ds := load(path)) is not None and "ImagePositionPatient" in ds:
            series.setdefault(ds.SeriesInstanceUID, []).append((path, ds))
    out = {}
    for uid, files in series.items():
        cosines = np.array(files[0][1].ImageOrientationPatient, float)
        normal = np.cross(cosines[:3], cosines[3:])
        out[uid] = sorted(((float(normal @ np.array(d.ImagePositionPatient, float)), p, d) for p, d in files), key=lambda t: t[0])
    return out


def volume(lightbox, archive, uid, files, folder):
    """Compares one series with its headers, and with SimpleITK where the steps are even; returns a fault or None."""
    out = Path(folder) / "volume.nii.gz"
    code, text, said = ask(lightbox, "volume", archive, "--series", uid, "--out", out)
    if code != 0:
        return said
    affine = np.array(json.loads(text)["affine_lps"])
    voxels = np.asarray(nibabel.load(out).dataobj).transpose(2, 1, 0)
    first = files[0][2]
    rows, columns = (np.array(first.ImageOrientationPatient[a : a + 3], float) for a in (0, 3))
    positions = np.array([d.ImagePositionPatient for _, _, d in files], float)
    expected = np.eye(4)
    expected[:3, 0] = rows * float(first.PixelSpacing[1])
    expected[:3, 1] = columns * float(first.PixelSpacing[0])
    expected[:3, 2] = (positions[-1] - positions[0]) / (len(files) - 1)
    expected[:3, 3] = positions[0]
    if (off := np.abs(affine - expected).max()) > 1e-4:
        return f"the affine is off by {off:g} mm"
    for k, (_, _, d) in enumerate(files):
        values = d.pixel_array * float(d.get("RescaleSlope", 1)) + float(d.get("RescaleIntercept", 0))
        if not np.array_equal(values.astype("f4"), voxels[k].astype("f4")):
            return f"slice {k} has other values"
    steps = np.diff([f[0] for f in files])
    mean = expected[:3, 2]
    leans = np.linalg.norm(np.cross(mean, np.cross(rows, columns))) > 1e-3 * np.linalg.norm(mean)
    if np.ptp(steps) < 0.01 and not leans:
        image = SimpleITK.ReadImage([str(f[1]) for f in files])
        theirs = np.eye(4)
        theirs[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
        theirs[:3, 3] = image.GetOrigin()
        if (off := np.abs(affine - theirs).max()) > 1e-4:
            return f"SimpleITK's affine is off by {off:g} mm"
    return None


def volumes(lightbox, folders):
    """Compares the series of every archive; returns whether all agree."""
    faults = series = 0
    for archive in sorted(p for f in folders for p in Path(f).rglob("volumes/*.zip")):
        with tempfile.TemporaryDirectory() as folder:
            for uid, files in headers(archive, folder).items():
                fault = volume(lightbox, archive, uid, files, folder)
                series += 1
                faults += fault is not None
                if fault:
                    print(f"wrong    {archive.name}, series of {len(files)}: {fault}")
    print(f"volumes: {series - faults} of {series} series agree")
    return faults == 0


def main():
    lightbox, folders = sys.argv[1], [Path(f) for f in sys.argv[2:]]
    bundled = Path(pydicom.__file__).parent / "data" / "test_files"
    agree = pixels(lightbox, [*folders, bundled])
    agree = volumes(lightbox, folders) and agree
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
