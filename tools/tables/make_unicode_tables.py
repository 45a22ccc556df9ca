#!/usr/bin/env python3
"""Writes src/unicode/tables.cc from the Unicode Character Database.

usage: make_unicode_tables.py [FOLDER] > src/unicode/tables.cc     (FOLDER: Debian's /usr/share/unicode, package unicode-data)

Per code point, in two-stage tables: general category, grapheme cluster break, Extended_Pictographic,
White_Space, the classes that tokenizers ask for; and the canonical combining class. Sorted lists: lower case,
decompositions, compositions.

Token ids have to be those of Hugging Face's tokenizers (0.23), whose libraries hold several versions of
Unicode: 17 for lower case and numeric characters, 16 for \\p{L} \\p{N} \\w, 9 for normalization forms and what
StripAccents drops, 8 for BERT's classes. LATER is what came after the data of the package; the old versions
follow from DerivedAge.txt and the few code points whose category has changed since. All of it was
found by asking tokenizers about every code point (compare_tokenizers.py still does).
"""
import pathlib
import re
import sys

FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/unicode")
N = 0x110000
CATEGORIES = "Cn Cc Cf Co Cs Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs".split()
BREAKS = "Other CR LF Control Extend ZWJ Regional_Indicator Prepend SpacingMark L V T LV LVT".split()


# Category: what Unicode 16 has beyond 15.0, as far as letter, number or mark goes (all marks as Mn).
LATER = {
    "Lo": "1C89-1C8A A7CB-A7CD A7DA-A7DC 105C0-105F3 10D4A-10D65 10D6F-10D85 10EC2-10EC4 11380-11389 1138B 1138E 11390-113B5 113B7 113D1 "
          "113D3 11BC0-11BE0 13460-143FA 16100-1611D 16D40-16D6C 18CFF 1E5D0-1E5ED 1E5F0 2EBF0-2EE5D",
    "Nd": "10D40-10D49 116D0-116E3 11BF0-11BF9 16130-16139 16D70-16D79 1CCF0-1CCF9 1E5F1-1E5FA",
    "Mn": "0897 10D69-10D6D 10EFC 113B8-113C0 113C2 113C5 113C7-113CA 113CC-113D0 113D2 113E1-113E2 11F5A 1611E-1612F 1E5EE-1E5EF",
}
LATER_EXTEND = "0897 1ACF-1ADD 1AE0-1AEB"  # Grapheme_Extend, as far as a cluster under 6 bytes can hold it
# Lower case of Unicode 16 and 17: range, distance.
LATER_LOWER = [("1C89", 1), ("A7CC", 1), ("A7CE", 1), ("A7D2", 1), ("A7D4", 1), ("A7DA", 1), ("10D50-10D65", 0x20), ("16EA0-16EB8", 0x1B),
               ("A7CB", 0x264 - 0xA7CB), ("A7DC", 0x19B - 0xA7DC)]


def span(text):
    first, last = (text.split("-") * 2)[:2]
    return range(int(first, 16), int(last, 16) + 1)


def spans(text):
    return {c for s in text.split() for c in span(s)}


def rows(name):
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line:
            yield [f.strip() for f in line.split(";")]


def ranges(name, wanted=None):
    for fields in rows(name):
        if wanted and fields[1] != wanted:
            continue
        first, last = (fields[0].split("..") * 2)[:2]
        yield int(first, 16), int(last, 16), fields[1]


def main():
    category, combining, lower, decomposition = [0] * N, [0] * N, {}, {}
    first = 0
    for f in rows("UnicodeData.txt"):
        code = int(f[0], 16)
        if f[1].endswith(", First>"):
            first = code
        start = first if f[1].endswith(", Last>") else code
        for c in range(start, code + 1):
            category[c] = CATEGORIES.index(f[2])
            combining[c] = int(f[3])
        if f[13]:
            lower[code] = [int(f[13], 16)]
        if f[5]:
            parts = f[5].split()
            compatible = parts[0].startswith("<")
            decomposition[code] = (compatible, [int(p, 16) for p in parts[1 if compatible else 0:]])
    age = [99.0] * N
    for a, b, version in ranges("DerivedAge.txt"):
        for c in range(a, b + 1):
            age[c] = float(version)
    name_of = [CATEGORIES[k] for k in category]
    classes = [  # bits 11 to 15
        {c for c in range(N) if name_of[c] in ("Cc", "Cf", "Co") and age[c] <= 8 and c not in (9, 10, 13)} | {0xFFFD},
        {c for c in range(N) if name_of[c][0] == "P" and age[c] <= 8} | {ord(c) for c in "$+<=>^`|~"} | {0x166D, 0x111C9},
        {c for c in range(N) if name_of[c][0] == "M" and age[c] <= 9} - {0x111C9} | {0x1CF2, 0x1CF3},
        {c for c in range(N) if name_of[c] == "Mn" and age[c] <= 8} - {0x1885, 0x1886, 0xA9BD, 0x111C9} | {0x1734},
    ]
    for name, text in LATER.items():
        for c in spans(text):
            category[c] = CATEGORIES.index(name)
    word = {c for c in range(N) if CATEGORIES[category[c]] in ("Mn", "Mc", "Me", "Nd", "Pc", "Lo")} | {0x200C, 0x200D}
    for a, b, _ in ranges("DerivedCoreProperties.txt", "Alphabetic"):
        word.update(range(a, b + 1))
    classes.append(word)
    for text, distance in LATER_LOWER:
        for c in span(text):
            lower[c] = [c + distance]
    decomposition = {c: d for c, d in decomposition.items() if age[c] <= 9}
    combining = [k if age[c] <= 9 else 0 for c, k in enumerate(combining)]
    for f in rows("SpecialCasing.txt"):
        if len(f) < 5 or not f[4]:  # unconditional
            mapped = [int(p, 16) for p in f[1].split()]
            if len(mapped) > 1:
                lower[int(f[0], 16)] = mapped
    properties = list(category)
    for a, b, value in ranges("auxiliary/GraphemeBreakProperty.txt"):
        for c in range(a, b + 1):
            properties[c] |= BREAKS.index(value) << 5
    for c in spans(LATER_EXTEND):
        properties[c] |= BREAKS.index("Extend") << 5
    for bit, members in enumerate(classes, 11):
        for c in members:
            properties[c] |= 1 << bit
    for a, b, _ in ranges("emoji/emoji-data.txt", "Extended_Pictographic"):
        for c in range(a, b + 1):
            properties[c] |= 1 << 9
    for a, b, _ in ranges("PropList.txt", "White_Space"):
        for c in range(a, b + 1):
            properties[c] |= 1 << 10
    excluded = {c for a, b, _ in ranges("DerivedNormalizationProps.txt", "Full_Composition_Exclusion") for c in range(a, b + 1)}
    composition = sorted((d[0], d[1], c) for c, (compatible, d) in decomposition.items()
                         if not compatible and len(d) == 2 and c not in excluded)

    version = re.search(r"PropList-([\d.]+)\.txt", (FOLDER / "PropList.txt").read_text()).group(1)
    out = [f"// Generated by tools/tables/make_unicode_tables.py from the Unicode Character Database {version}. Do not edit.", "",
           '#include "unicode/tables.h"', "", "namespace dunnock {", "namespace {", ""]

    def array(kind, name, values, per_line=24):
        out.append(f"constexpr {kind} {name}[] = {{")
        for i in range(0, len(values), per_line):
            out.append("    " + ",".join(str(v) for v in values[i:i + per_line]) + ",")
        out.append("};")

    def two_stage(name, kind, values):
        blocks, index = {}, []
        flat = []
        for at in range(0, N, 128):
            block = tuple(values[at:at + 128])
            if block not in blocks:
                blocks[block] = len(blocks)
                flat.extend(block)
            index.append(blocks[block])
        array("uint16_t", f"k{name}Index", index)
        array(kind, f"k{name}Blocks", flat)

    two_stage("Property", "uint16_t", properties)
    two_stage("Combining", "uint8_t", combining)

    pool = []
    def mapping(name, entries):
        table = []
        for code, (flag, mapped) in sorted(entries.items()):
            table.append(f"{{{code},{len(pool)},{len(mapped)},{int(flag)}}}")
            pool.extend(mapped)
        array("CodePointMapping", f"k{name}", table, 6)
    mapping("Lower", {c: (False, m) for c, m in lower.items()})
    mapping("Decomposition", decomposition)
    array("char32_t", "kPool", pool, 16)
    array("CodePointPair", "kComposition", [f"{{{a},{b},{c}}}" for a, b, c in composition], 6)
    out += ["", "}  // namespace", "",
            "const UnicodeTables& Unicode() {",
            "  static constexpr UnicodeTables kTables = {kPropertyIndex, kPropertyBlocks, kCombiningIndex, kCombiningBlocks,",
            "                                            kLower, kDecomposition, kComposition, kPool};",
            "  return kTables;", "}", "", "}  // namespace dunnock"]
    print("\n".join(out))


if __name__ == "__main__":
    main()
