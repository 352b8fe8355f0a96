"""Make the font files of the window from their sources, and the table of icon code points.

Inter (variable): the optical size is pinned at 14, the weight kept from 400 to 600, the characters cut down to
Latin, Greek, Cyrillic and the signs of a viewer, and the tabular figures put in the place of the proportional
ones. egui shapes text but cannot ask for an OpenType feature, and with proportional figures the readout under
the cursor jumps from side to side. Contextual alternates are left out: they would show "3x4" as "3×4", and a
hash or a series name must be shown as it is stored.

Phosphor (Regular for 16 and 20 points, Bold for 12, so that the line stays near 1.2 points in each size): only the
icons of icons.txt, with the metrics of one em, so that a row of text is exactly the square of the icon.

Run (with fonttools and brotli installed; the sources are the packages inter-ui 4.1.1 and
@phosphor-icons/web 2.1.2 of npm, unpacked):
    python3 make_fonts.py INTER_UI_FOLDER PHOSPHOR_WEB_FOLDER ICONS_RS
"""

import io
import json
import pathlib
import sys

from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

HERE = pathlib.Path(__file__).parent
SIGNS = "–—‘’‚“”„†‡•…‰′″‹›⁄€™−∆∑√∞∫≈≠≤≥←↑→↓↔↕↗↘↙↖⇧⌘⌥⏎■□▲△▶▷▼▽◀●○◆◇✓✗ⁿ⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉\u2009\u202f\u2011\u2007"


def options():
    o = subset.Options()
    o.layout_features = ["kern", "mark", "mkmk", "ccmp", "locl"]
    o.name_IDs = [0, 1, 2, 4, 5, 6, 13, 14]
    o.hinting = False
    o.notdef_outline = True
    o.glyph_names = False
    o.drop_tables += ["STAT", "MVAR", "DSIG"]
    return o


def inter(source):
    font = TTFont(source)
    font = instancer.instantiateVariableFont(font, {"opsz": 14, "wght": (400, 400, 600)})
    gsub = font["GSUB"].table
    lookups = {i for r in gsub.FeatureList.FeatureRecord if r.FeatureTag == "tnum" for i in r.Feature.LookupListIndex}
    tabular = {}
    for i in lookups:
        for sub in gsub.LookupList.Lookup[i].SubTable:
            tabular.update(getattr(sub, "ExtSubTable", sub).mapping)
    for table in font["cmap"].tables:
        for figure in map(ord, "0123456789"):
            if figure in table.cmap:
                table.cmap[figure] = tabular.get(table.cmap[figure], table.cmap[figure])
    ranges = [(0x20, 0x17F), (0x192, 0x192), (0x2BC, 0x2DD), (0x300, 0x30C), (0x370, 0x3FF), (0x400, 0x45F), (0x490, 0x491), (0x1E80, 0x1E9E)]
    wanted = {c for low, high in ranges for c in range(low, high + 1)} | set(map(ord, SIGNS))
    whole = io.BytesIO()  # written and read once: glyphs without variation are missing from the instancer's table, not from a read one
    font.save(whole)
    font = TTFont(whole)
    cutter = subset.Subsetter(options())
    cutter.populate(unicodes=wanted)
    cutter.subset(font)
    widths = {font["hmtx"][font.getBestCmap()[f]][0] for f in map(ord, "0123456789")}
    assert len(widths) == 1, f"figures of different widths: {widths}"
    font.flavor = None
    font.save(HERE / "Inter.ttf")


def icon_names():
    lines = (HERE.parent / "icons" / "icons.txt").read_text().splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def phosphor(folder, style, target, names):
    stem = "Phosphor" if style == "regular" else "Phosphor-Bold"
    icons = json.loads((folder / "src" / style / "selection.json").read_text())["icons"]
    suffix = "" if style == "regular" else "-bold"
    codes = {i["properties"]["name"].split(",")[0].strip(): i["properties"]["code"] for i in icons}
    points = {}
    for name in names:
        code = codes.get(name + suffix, codes.get(name))
        if code is None:
            sys.exit(f"no icon {name!r} in {stem}")
        points[name] = code
    font = TTFont(folder / "src" / style / f"{stem}.ttf")
    cutter = subset.Subsetter(options())
    cutter.populate(unicodes=list(points.values()))
    cutter.subset(font)
    em = font["head"].unitsPerEm
    below = em // 16  # the set's square reaches from -1/16 to 15/16 of an em
    for table, fields in {"hhea": ("ascent", "descent", "lineGap"), "OS/2": ("sTypoAscender", "sTypoDescender", "sTypoLineGap")}.items():
        for field, value in zip(fields, (em - below, -below, 0)):
            setattr(font[table], field, value)
    font["OS/2"].usWinAscent, font["OS/2"].usWinDescent = em - below, below
    for glyph in font.getGlyphOrder():  # the source says 0 for all, and a rasteriser that believes it moves each icon to the left
        font["hmtx"][glyph] = (font["hmtx"][glyph][0], getattr(font["glyf"][glyph], "xMin", 0))
    font.save(HERE / target)
    return points


def write_rust(points, target):
    out = [
        "//! The icons of the window by name. Made by `assets/fonts/make_fonts.py` from `assets/icons/icons.txt`: edit that list instead.",
        "",
        "/// One icon: a code point of the shipped icon fonts. Draw it with [`crate::widgets::paint_icon`].",
        "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]",
        "pub struct Icon(pub(crate) char);",
        "",
        "macro_rules! icons {",
        "    ($($constant:ident $code:literal $name:literal)*) => {",
        "        $(",
        "            #[doc = concat!(\"Phosphor's `\", $name, \"`.\")]",
        "            pub const $constant: Icon = Icon($code);",
        "        )*",
        "        /// Every icon with its name in the set.",
        "        pub const ALL: &[(&str, Icon)] = &[$(($name, $constant)),*];",
        "    };",
        "}",
        "",
        "icons! {",
    ]
    out += [f"    {name.upper().replace('-', '_')} '\\u{{{code:x}}}' \"{name}\"" for name, code in points.items()]
    out += ["}", ""]
    pathlib.Path(target).write_text("\n".join(out))


if __name__ == "__main__":
    inter_folder, phosphor_folder = map(pathlib.Path, sys.argv[1:3])
    inter(inter_folder / "variable" / "InterVariable.woff2")
    regular = phosphor(phosphor_folder, "regular", "Phosphor-Regular.ttf", icon_names())
    bold = phosphor(phosphor_folder, "bold", "Phosphor-Bold.ttf", icon_names())
    assert regular == bold, "the two weights place an icon at different code points"
    write_rust(regular, sys.argv[3])
