"""Describe a data set in Croissant: what its Parquet files are and what each column means.

Croissant is MLCommons' format for metadata, JSON-LD in the vocabulary of schema.org. Each split has
a file set and a record set, with a field for each column. Every file is listed with its digest.
"""

import datetime
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import yaml

from pipeline.describing import features
from pipeline.describing import records as digests
from pipeline.describing.markdown import plain
from pipeline.replacing import replacing

ROOT = Path(__file__).parents[2]
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
TYPES = {
    pa.string(): "sc:Text",
    pa.binary(): "sc:ImageObject",
    pa.float32(): "cr:Float32",
    pa.float64(): "cr:Float64",
    pa.int16(): "cr:Int16",
    pa.int32(): "cr:Int32",
}


def bibtex(reference: dict) -> str:
    """Convert a reference of CITATION.cff to BibTeX."""
    authors = reference["authors"]
    names = " and ".join(f"{a['family-names']}, {a['given-names']}" for a in authors)
    key = f"{authors[0]['family-names'].lower()}{reference['year']}"
    return (
        f"@inproceedings{{{key}, author = {{{names}}}, title = {{{reference['title']}}}, "
        f"booktitle = {{{reference['conference']['name']}}}, year = {{{reference['year']}}}}}"
    )


@dataclass(frozen=True)
class Records:
    """Files with rows of one schema.

    Attributes:
        name: Of the record set.
        schema: Of the files; columns of structures are left to the files' own metadata.
        pattern: Of the files, from the folder of the description.
        files: They themselves.
    """

    name: str
    schema: pa.Schema
    pattern: str
    files: list[Path]


def _field(records: Records, column: pa.Field) -> dict:
    meaning = {key.decode(): value.decode() for key, value in (column.metadata or {}).items()}
    unit = f" ({meaning['unit']})" if "unit" in meaning else ""
    source: dict = {
        "fileSet": {"@id": f"{records.name}-files"},
        "extract": {"column": column.name},
    }
    kind, depth = column.type, 0
    while pa.types.is_list(kind):
        kind, depth = kind.value_type, depth + 1
    if kind == features.FILE:
        source["transform"] = {"jsonPath": "[*].bytes" if depth else "bytes"}
        data_type = "sc:AudioObject" if features.feature(column) == "audio" else "sc:ImageObject"
    else:
        data_type = TYPES[kind]
    described = {
        "@type": "cr:Field",
        "@id": f"{records.name}/{column.name}",
        "name": column.name,
        "description": meaning["description"] + unit,
        "dataType": data_type,
        "source": source,
    }
    if depth:  # `repeated` is what format 1.0 calls it; mlcroissant's images need it
        shape = ",".join(["-1"] * depth)
        described |= {"isArray": True, "arrayShape": shape, "repeated": True}
    return described


def _describable(column: pa.Field) -> bool:
    """Whether a column is no list of structures: for these the format has no simple field."""
    kind = column.type
    while pa.types.is_list(kind):
        kind = kind.value_type
    return kind in TYPES or kind == features.FILE


def _file(path: Path, folder: Path) -> dict:
    name = path.absolute().relative_to(folder.absolute()).as_posix()  # shards may be a link
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": digests.digest(path),
    }


def describe(name: str, sets: list[Records], licences: list[str], folder: Path) -> dict:
    """Describe a data set whose files lie below a folder, in which the description is, too.

    Args:
        name: Name of the collection.
        sets: Its files and what is in them.
        licences: Of the scores, as users' files state them; the longest are cut.
        folder: Of the description.

    Returns:
        JSON-LD as Python objects.
    """
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        "@context": json.loads(Path(__file__).with_name("croissant_context.json").read_text()),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": plain(name),
        "description": (
            f"{plain(name)}: sheet music as images, its sound as spectrograms, and for each onset "
            "the position of its printed notehead. One row is a performance of a piece."
        ),
        "keywords": citation["keywords"],
        "license": [plain(licence) for licence in licences],
        "creator": [
            {"@type": "sc:Organization", "name": author["name"]} for author in citation["authors"]
        ],
        "citeAs": "\n".join(bibtex(reference) for reference in citation["references"]),
        "version": project["version"],
        "datePublished": datetime.date.today().isoformat(),
        "distribution": [
            *(_file(path, folder) for records in sets for path in records.files),
            *(
                {
                    "@type": "cr:FileSet",
                    "@id": f"{records.name}-files",
                    "name": f"{records.name}-files",
                    "description": f"Parquet files of {records.name}.",
                    "encodingFormat": "application/x-parquet",
                    "includes": records.pattern,
                }
                for records in sets
            ),
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": records.name,
                "name": records.name,
                "description": f"The rows of {records.name}.",
                "field": [
                    _field(records, column) for column in records.schema if _describable(column)
                ],
            }
            for records in sets
        ],
    }


def listed(description: Path) -> set[str] | None:
    """The files that a description lists, relative to its folder; None if it cannot be read."""
    try:
        found = json.loads(description.read_text())["distribution"]
        return {entry["contentUrl"] for entry in found if entry["@type"] == "cr:FileObject"}
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write(name: str, sets: list[Records], licences: list[str], out: Path) -> None:
    """Write the description as JSON."""
    described = describe(name, sets, licences, out.parent)
    with replacing(out) as temporary:
        temporary.write_text(json.dumps(described, indent=1) + "\n")
