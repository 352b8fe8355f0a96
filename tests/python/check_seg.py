#!/usr/bin/env python3
"""Reads the masks that the Rust test `seg` left behind with pydicom and highdicom, and compares them with the truth.

    LIGHTBOX_SEG_CASES=DIR cargo test -p lightbox-dicom --test seg
    python3 tests/python/check_seg.py DIR

Needs pydicom, numpy and highdicom (pip) and dciodvfy (Debian: dicom3tools). Each case is a folder with `seg.dcm` and
`truth.json`. Per case:

1. pydicom alone, by our own few lines: the bits of each frame against the truth, on the image that the frame names;
2. the same in the patient: the points (mm) of the set pixels by the mask's own position, orientation and spacing against
   the points of the true pixels by the source image's;
3. highdicom: `segread`, then the pixels by source image or frame;
4. names, codes, algorithm types;
5. dciodvfy: no error that the source image does not have as well.

Ends with 1 at the first case that fails, and says which.
"""

import json
import subprocess
import sys
from pathlib import Path

import highdicom
import numpy as np
import pydicom


class Mismatch(Exception):
    """A mask that is not what it should be."""


def expect(condition, text):
    if not condition:
        raise Mismatch(text)


def plane(runs, rows, columns):
    flat = np.zeros(rows * columns, bool)
    for first, length in runs:
        flat[first : first + length] = True
    return flat.reshape(rows, columns)


def points_mm(mask, position, orientation, spacing):
    """Centres of the set pixels, PS3.3 C.7.6.2.1.1."""
    rows, columns = np.nonzero(mask)
    along_row, along_column = np.array(orientation[:3], float), np.array(orientation[3:], float)
    between_rows, between_columns = (float(v) for v in spacing)
    offsets = np.outer(columns * between_columns, along_row) + np.outer(rows * between_rows, along_column)
    return np.array(position, float) + offsets


def group(dataset, frame, keyword):
    """A functional group's item: the frame's own, else the shared one."""
    for owner in (dataset.PerFrameFunctionalGroupsSequence[frame], dataset.SharedFunctionalGroupsSequence[0]):
        if keyword in owner and len(owner[keyword].value):
            return owner[keyword].value[0]
    return None


def frames_of(dataset):
    """All frames as booleans: bit n of the value is pixel n of all frames."""
    shape = (int(dataset.NumberOfFrames), dataset.Rows, dataset.Columns)
    bits = np.unpackbits(np.frombuffer(dataset.PixelData, np.uint8), bitorder="little")
    expect(len(dataset.PixelData) == (np.prod(shape) + 15) // 16 * 2, "the pixel data has another length than it needs")
    expect(not bits[np.prod(shape) :].any(), "bits behind the last frame are set")
    return bits[: np.prod(shape)].reshape(shape).astype(bool)


def errors_of(path):
    """What dciodvfy finds wrong, without the numbers of items, as a set."""
    run = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True)
    lines = (run.stdout + run.stderr).splitlines()
    expect(lines, f"dciodvfy said nothing about {path.name}")
    return {line for line in lines if line.startswith("Error")}


def same_points(a, b, tolerance_mm=1e-3):
    """Whether two sets of points are the same, up to rounding."""
    if len(a) != len(b):
        return False
    order = lambda p: p[np.lexsort(np.round(p / (20 * tolerance_mm)).T)]
    a, b = order(np.concatenate(a) if isinstance(a, list) else a), order(np.concatenate(b) if isinstance(b, list) else b)
    return bool(len(a) == 0 or np.abs(a - b).max() <= tolerance_mm)


def check(case):
    truth = json.loads((case / "truth.json").read_text())
    rows, columns = truth["rows"], truth["columns"]
    dataset = pydicom.dcmread(case / "seg.dcm")
    sources = {s.SOPInstanceUID: s for s in (pydicom.dcmread(p) for p in truth["sources"])}
    first = next(iter(sources.values()))

    for keyword in ("PatientName", "PatientID", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime"):
        expect(dataset.get(keyword) == first.get(keyword), f"{keyword} is not the source's")
    expect(dataset.get("FrameOfReferenceUID") == first.get("FrameOfReferenceUID"), "another frame of reference")
    expect(dataset.SeriesInstanceUID != first.SeriesInstanceUID, "the mask is in the series of its source")
    expect(dataset.Modality == "SEG" and dataset.SegmentationType == "BINARY", "it is no binary segmentation")
    expect(len(dataset.SegmentSequence) == len(truth["segments"]), "another number of segments")

    frames = frames_of(dataset)
    expect(frames.any(axis=(1, 2)).all(), "an empty frame is stored")
    found = {}
    for k, pixels in enumerate(frames):
        number = group(dataset, k, "SegmentIdentificationSequence").ReferencedSegmentNumber
        source = group(dataset, k, "DerivationImageSequence").SourceImageSequence[0]
        key = (number, source.ReferencedSOPInstanceUID, int(source.get("ReferencedFrameNumber", 1)))
        expect(key not in found, f"frame {k + 1} repeats another")
        found[key] = k

    reader = highdicom.seg.segread(case / "seg.dcm")
    multi_frame = any("NumberOfFrames" in s for s in sources.values())
    for described, segment in zip(dataset.SegmentSequence, truth["segments"]):
        number, name = segment["number"], segment["name"]
        kind = described.SegmentedPropertyTypeCodeSequence[0]
        side = kind.get("SegmentedPropertyTypeModifierCodeSequence")
        expect(described.SegmentNumber == number and described.SegmentLabel == name, f"{name}: another number or name")
        expect(described.SegmentAlgorithmType == segment["algorithm_type"], f"{name}: another algorithm type")
        expect(kind.CodeValue == segment["code"], f"{name}: another code")
        expect((side[0].CodeValue if side else None) == segment["side"], f"{name}: another side")

        true_points, mask_points, used = [], [], 0
        by_image = {(i["sop_instance_uid"], i["frame"]): plane(i["runs"], rows, columns) for i in segment["images"]}
        for (uid, frame), pixels in by_image.items():
            k = found.get((number, uid, frame))
            expect(k is not None, f"{name}: nothing on an image where it was drawn")
            expect(np.array_equal(frames[k], pixels), f"{name}: other pixels in frame {k + 1}")
            used += 1
            if truth["patient_space"]:
                s = sources[uid]
                true_points.append(points_mm(pixels, s.ImagePositionPatient, s.ImageOrientationPatient, s.PixelSpacing))
                mask_points.append(
                    points_mm(
                        frames[k],
                        group(dataset, k, "PlanePositionSequence").ImagePositionPatient,
                        group(dataset, k, "PlaneOrientationSequence").ImageOrientationPatient,
                        group(dataset, k, "PixelMeasuresSequence").PixelSpacing,
                    )
                )
        expect(used == sum(n == number for n, _, _ in found), f"{name}: frames on images where nothing was drawn")
        if truth["patient_space"] and true_points:
            expect(same_points(true_points, mask_points), f"{name}: other points in the patient")

        nothing = np.zeros((rows, columns), bool)
        if multi_frame:
            uid, total = first.SOPInstanceUID, int(first.NumberOfFrames)
            got = reader.get_pixels_by_source_frame(
                uid, list(range(1, total + 1)), segment_numbers=[number], assert_missing_frames_are_empty=True
            )
            wanted = [by_image.get((uid, f), nothing) for f in range(1, total + 1)]
        else:
            uids = list(sources)
            got = reader.get_pixels_by_source_instance(
                uids, segment_numbers=[number], assert_missing_frames_are_empty=True
            )
            wanted = [by_image.get((uid, 1), nothing) for uid in uids]
        expect(np.array_equal(got[..., 0].astype(bool), np.stack(wanted)), f"{name}: highdicom reads other pixels")

    new = errors_of(case / "seg.dcm") - errors_of(Path(truth["sources"][0]))
    expect(not new, "dciodvfy: " + "; ".join(sorted(new)))
    return f"{len(truth['segments'])} segments, {len(frames)} frames"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cases = sorted(p.parent for p in Path(sys.argv[1]).glob("*/truth.json"))
    if not cases:
        sys.exit(f"no case with a truth.json in {sys.argv[1]}")
    failed = 0
    for case in cases:
        try:
            print(f"ok    {case.name}: {check(case)}")
        except Mismatch as reason:
            failed += 1
            print(f"WRONG {case.name}: {reason}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
