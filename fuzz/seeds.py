"""Seeds for a target from folders of files: seeds.py TARGET OUT FOLDER...

Whole small files for header, sequence (without preamble and meta group), dicomdir, archive and the lattice formats; single
compressed frames behind four bytes (rows, columns, kind, frames; see src/main.rs) for the codecs.
"""

import hashlib
import struct
import sys
from pathlib import Path

CODECS = {"rle": ("5",), "jpeg": ("4.5", "4.6", "4.7"), "jpeg_ls": ("4.8",), "jpeg_2000": ("4.9", "4.20"), "jpeg_xl": ("4.11",), "deflate": ("8.1",)}
PREFIX = b"1.2.840.10008.1.2."
LARGEST = 60_000


def meta_end(data):
    """First byte behind group 0002."""
    at = 132
    while data[at : at + 2] == b"\x02\0":
        long = data[at + 4 : at + 6] in (b"OB", b"OW", b"UN", b"SQ", b"UT")
        at += 12 + struct.unpack_from("<I", data, at + 8)[0] if long else 8 + struct.unpack_from("<H", data, at + 6)[0]
    return at


def word(data, element):
    at = data.find(struct.pack("<HH", 0x28, element) + b"US")
    return struct.unpack_from("<H", data, at + 8)[0] if at > 0 else 0


def frame(data):
    """Four bytes and the first fragment."""
    at = data.rfind(b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff")
    if at < 0:
        return None
    at += 12
    at += 8 + struct.unpack_from("<I", data, at + 4)[0]
    length = struct.unpack_from("<I", data, at + 4)[0]
    depth = {(8, 8): 0, (16, 12): 1, (16, 16): 2, (1, 1): 3, (32, 32): 4, (8, 7): 5}.get((word(data, 0x100), word(data, 0x101)), 2)
    kind = int(word(data, 2) == 3) | depth << 1 | (word(data, 0x103) & 1) << 7
    return bytes([min(word(data, 0x10), 255), min(word(data, 0x11), 255), kind, 0]) + data[at + 8 : at + 8 + length]


def seed(target, path):
    data = path.read_bytes()
    magic = data[128:132] == b"DICM"
    if target in CODECS:
        if not magic or not any(PREFIX + c.encode() in data[132:600] for c in CODECS[target]):
            return None
        return frame(data)
    if target == "sequence":
        return data[meta_end(data) :] if magic and PREFIX + b"1\0" in data[132:600] else None
    if target == "dicomdir":
        return data if b"\x04\0\x20\x12" in data else None
    if target == "archive":
        return data if data[:2] == b"PK" or data[257:262] == b"ustar" else None
    if target == "nifti":
        return data if path.name.endswith((".nii", ".nii.gz")) else None
    if target == "nrrd":
        return data if data[:4] == b"NRRD" else None
    if target == "mha":
        return data if path.suffix in (".mha", ".mhd") else None
    return data


def main():
    target, out = sys.argv[1], Path(sys.argv[2])
    for folder in sys.argv[3:]:
        for path in sorted(Path(folder).rglob("*")):
            try:
                data = seed(target, path) if path.is_file() and path.stat().st_size < 4_000_000 else None
            except (struct.error, IndexError):
                data = None
            if data and len(data) <= LARGEST:
                (out / hashlib.sha1(data).hexdigest()).write_bytes(data)
    if not any(out.iterdir()):
        starts = {"nrrd": b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n\n01234567", "mha": b"ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n01234567"}
        (out / "start").write_bytes(starts.get(target, b"\0"))
    print(target, len(list(out.iterdir())), "seeds")


main()
