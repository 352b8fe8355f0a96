#!/usr/bin/env python3
"""Compares the copies that the Rust test `anonymize` left behind with their originals, with pydicom and dciodvfy.

    LIGHTBOX_ANON_CASES=DIR LIGHTBOX_ANON_IN=FOLDER[:FOLDER…] cargo test -p lightbox-dicom --test anonymize leave
    python3 tests/python/check_anonymized.py DIR

Needs pydicom (pip) and dciodvfy (Debian: dicom3tools). `DIR/cases.json` lists originals, copies, and the reasons of those
that were refused; clean-… and retain-modified-dates may be among the options of the profile. Per copy:

1. dciodvfy finds no error that the original does not have as well;
2. the pixels are the same bytes, and every attribute of the geometry is the same, those of each frame too;
3. no identifier of the original is in the bytes of the copy: names of persons, IDs, birth dates, accession numbers,
   institutions, addresses, stations, serial numbers, UIDs that are not the standard's own, private values;
4. UIDs are valid and what was one UID is one UID again;
5. it says that it was de-identified.

Prints the number of cases and the refusals by reason; ends with 1 when something is wrong.
"""

import json
import re
import subprocess
import sys
import warnings
import zlib
from collections import Counter
from pathlib import Path

import pydicom
from pydicom.datadict import keyword_for_tag

warnings.filterwarnings("ignore")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

IDENTIFYING = set("""
    PatientID OtherPatientIDs PatientBirthDate PatientAddress PatientTelephoneNumbers AccessionNumber InstitutionName
    InstitutionAddress InstitutionalDepartmentName StationName DeviceSerialNumber ReferringPhysicianAddress StudyID
    ReferringPhysicianTelephoneNumbers IssuerOfPatientID MedicalRecordLocator EthnicGroup Occupation AdmissionID
    PatientInstitutionResidence CountryOfResidence RegionOfResidence AdditionalPatientHistory PatientComments
    ImageComments StudyComments RequestedProcedureID ScheduledProcedureStepID PerformedProcedureStepID
    PerformedStationName PerformedLocation ScheduledStationName CassetteID PlateID GantryID DetectorID ProtocolName
    PatientMotherBirthName MilitaryRank ResponsibleOrganization CurrentPatientLocation RequestingService
    StudyDescription SeriesDescription
""".split())
GEOMETRY = set("""
    ImagePositionPatient ImageOrientationPatient PixelSpacing ImagerPixelSpacing SliceThickness SpacingBetweenSlices Rows
    Columns NumberOfFrames BitsAllocated BitsStored HighBit PixelRepresentation SamplesPerPixel PlanarConfiguration
    PhotometricInterpretation RescaleSlope RescaleIntercept WindowCenter WindowWidth SliceLocation PixelAspectRatio
    GridFrameOffsetVector DoseGridScaling ContourData ImageOrientationSlide GantryDetectorTilt PixelPaddingValue
    DimensionIndexValues ReferencedSegmentNumber NominalScannedPixelSpacing
""".split())
CLASSES = re.compile("SOPClass|TransferSyntax|CodingSchemeUID|ContextUID|MappingResource|ContextGroupExtensionCreator|ImplementationClass|SOPClassesSupported|SOPClassesInStudy|RelatedGeneralSOPClass|OriginalSpecialized")
DESCRIPTIONS = {"StudyDescription", "SeriesDescription", "ProtocolName", "RequestingService"}
# Where a value may stand that is an identifier elsewhere: the kind of device, the part and kind of the image.
HARMLESS = set("""
    Manufacturer ManufacturerModelName ImageType FrameType SequenceName PulseSequenceName PositionReferenceIndicator
    BodyPartExamined SoftwareVersions Modality ScanOptions CodeMeaning AcquisitionContrast ConvolutionKernel SeriesType ImageID
""".split())
GENERIC = {"anonymous", "anonymized", "unknown", "removed", "undefined", "hospital", "patient", "thorax", "abdomen"}


def elements(dataset, path=()):
    for element in dataset:
        yield path, element
        if element.VR == "SQ":
            for n, item in enumerate(element.value):
                yield from elements(item, path + ((element.tag, n),))


def values(element):
    if element.is_empty:
        return []
    v = element.value
    return [str(x) for x in v] if isinstance(v, (list, pydicom.multival.MultiValue)) else [str(v)]


def raw(path):
    """The file's bytes; a deflated data set unpacked."""
    data = Path(path).read_bytes()
    try:
        meta = pydicom.filereader.read_file_meta_info(path)
        if meta.get("TransferSyntaxUID") == "1.2.840.10008.1.2.1.99":
            start = 132 + 12 + meta.FileMetaInformationGroupLength
            data += zlib.decompress(data[start:], -15)
    except Exception:
        pass
    return data


def errors_of(path):
    run = subprocess.run(["dciodvfy", str(path)], capture_output=True, timeout=120)
    text = (run.stdout + run.stderr).decode("latin-1")
    out = Counter()
    for line in text.splitlines():
        if line.startswith("Error"):
            # UIDs, lengths and numbers of items differ.
            out[re.sub(r"\b\d+(\.\d+){2,}|\[\d+\]|/\d+\b|\bgot \d+|\d+ dec", "", line).strip()] += 1
    return out


def identifiers(dataset):
    """Values of the original that must not be found, with the attribute that holds them."""
    found = {}
    for _, e in elements(dataset):
        # Pydicom makes names without an entry for pixel data and the like.
        keyword = keyword_for_tag(e.tag) or str(e.tag)
        if e.VR == "PN":
            for value in values(e):
                for part in [value, *re.split(r"[\^= ,]+", value)]:
                    if len(part) >= 5:
                        found[part] = keyword
        elif e.VR == "UI" and not CLASSES.search(keyword) and not e.tag.is_private:
            for value in values(e):
                if value and not value.startswith("1.2.840.10008.") and len(value) >= 8:
                    found[value] = keyword
        elif keyword in IDENTIFYING:
            for value in values(e):
                if len(value.strip()) >= 6:
                    found[value.strip()] = keyword
        elif e.tag.is_private and e.VR in ("LO", "SH", "LT", "ST", "UT", "UN"):
            for value in [e.value] if isinstance(e.value, bytes) else values(e):
                value = value.decode("latin-1") if isinstance(value, bytes) else value
                value = value.strip(" \0")
                # Long enough not to be a word that stands elsewhere too.
                if 12 <= len(value) <= 200 and value.isprintable():
                    found[value] = f"private {e.tag}"
    return found


def numbers(dataset, copy):
    """Attributes of the geometry by place."""
    out = {}
    for path, e in elements(dataset):
        if keyword_for_tag(e.tag) in GEOMETRY and not any(t.is_private for t, _ in path):
            out[(path, e.tag)] = values(e)
    return out


def check(original, copy, options):
    a, b = pydicom.dcmread(original, force=True), pydicom.dcmread(copy)
    problems = []
    before = errors_of(original)
    new = errors_of(copy) - before
    if any("Tags out of order" in line for line in before):
        # There dciodvfy stops; it never looked at what the copy, which is in order, shows it.
        new.clear()
    problems += [f"dciodvfy: {line} (x{n})" for line, n in sorted(new.items())]

    for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
        before, after = a.get(keyword), b.get(keyword)
        if before is not None and before != after and not (len(before) % 2 and after[:-1] == before):
            problems.append(f"{keyword} differs")
    before, after = numbers(a, b), numbers(b, a)
    # What lies in a sequence that the profile takes away (icons, references with a series' description) is no geometry.
    gone = {k for k in before if k not in after and len(k[0]) == 0}
    problems += [f"{keyword_for_tag(k[1])} is gone" for k in sorted(gone)]
    problems += [f"{keyword_for_tag(k[1])} differs" for k in after if before.get(k) != after[k]]

    data = raw(copy)
    low = data.lower()
    # What stands in harmless attributes of the original may stand there in the copy.
    harmless = "\\".join(v for _, e in elements(a) if e.keyword in HARMLESS for v in values(e)).lower()
    for value, keyword in identifiers(a).items():
        if keyword in DESCRIPTIONS and "clean-descriptors" in options:
            continue  # known words stay
        if value.lower() in GENERIC or value.lower() in harmless:
            continue
        for encoding in ("utf-8", "latin-1"):
            try:
                if value.encode(encoding).lower() in low:
                    problems.append(f"{keyword} is still there ({len(value)} characters)")
                    break
            except UnicodeEncodeError:
                pass

    names = {}
    for (path, e) in elements(b):
        if e.VR == "UI":
            for value in values(e):
                if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*", value) or len(value) > 64:
                    # The standard's own are not ours to mend.
                    if value.startswith("2.25."):
                        problems.append(f"{e.keyword} is no UID")
            names[(path, e.tag)] = values(e)
    mapped = {}
    for (path, e) in elements(a):
        new_values = names.get((path, e.tag))
        # Content items about the patient go, so that those behind them have another place.
        if e.VR == "UI" and new_values is not None and not any(t == 0x0040A730 for t, _ in path):
            for x, y in zip(values(e), new_values):
                if mapped.setdefault(x, y) != y:
                    problems.append(f"{e.keyword}: one UID became two")
    own, told = b.get("SOPInstanceUID"), b.file_meta.get("MediaStorageSOPInstanceUID")
    if own and own != told:
        problems.append("the meta group names another instance")
    times = "MODIFIED" if "retain-modified-dates" in options else "REMOVED"
    if b.get("PatientIdentityRemoved") != "YES" or b.LongitudinalTemporalInformationModified != times:
        problems.append("it does not say that it was de-identified")
    codes = [i.CodeValue for i in b.DeidentificationMethodCodeSequence]
    if codes[0] != "113100" or len(codes) < 1 + len(options):
        problems.append("another method")
    if any(e.tag.is_private for _, e in elements(b)):
        problems.append("private attributes are there")
    if data[:128] != bytes(128):
        problems.append("the preamble is not empty")
    return problems


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cases = json.loads((Path(sys.argv[1]) / "cases.json").read_text())
    if not cases:
        sys.exit("no cases")
    wrong, copies, refused = 0, 0, Counter()
    for case in cases:
        if case["copy"] is None:
            refused[case["reason"]] += 1
            continue
        copies += 1
        try:
            problems = check(case["original"], case["copy"], case["options"])
        except Exception as reason:  # a copy that cannot be read is wrong, whatever pydicom says
            problems = [f"{type(reason).__name__}: {reason}"]
        if problems:
            wrong += 1
            print(f"WRONG {case['original']}")
            for problem in problems[:12]:
                print(f"      {problem}")
    print(f"{copies} copies, {wrong} wrong")
    for reason, n in sorted(refused.items()):
        print(f"refused {n}: {reason}")
    sys.exit(1 if wrong or not copies else 0)


if __name__ == "__main__":
    main()
