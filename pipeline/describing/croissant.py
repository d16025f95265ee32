"""Describe a data set in Croissant: what its Parquet files are and what each column means.

Croissant is MLCommons' format for metadata, JSON-LD in the vocabulary of schema.org. Each split has
a file set and a record set, with a field for each column of tables.SHARDS.
"""

import datetime
import json
import tomllib
from pathlib import Path

import pyarrow as pa
import yaml

from pipeline import tables
from pipeline.describing.markdown import plain

ROOT = Path(__file__).parents[2]
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
TYPES = {
    pa.string(): "sc:Text",
    pa.binary(): "sc:ImageObject",
    pa.float32(): "cr:Float32",
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


def _field(split: str, column: pa.Field) -> dict:
    meaning = {key.decode(): value.decode() for key, value in column.metadata.items()}
    unit = f" ({meaning['unit']})" if "unit" in meaning else ""
    described = {
        "@type": "cr:Field",
        "@id": f"{split}/{column.name}",
        "name": column.name,
        "description": meaning["description"] + unit,
        "dataType": TYPES[column.type.value_type if _is_list(column) else column.type],
        "source": {"fileSet": {"@id": f"{split}-files"}, "extract": {"column": column.name}},
    }
    if _is_list(column):  # `repeated` is what format 1.0 calls it; mlcroissant's images need it
        described |= {"isArray": True, "arrayShape": "-1", "repeated": True}
    return described


def _is_list(column: pa.Field) -> bool:
    return pa.types.is_list(column.type)


def describe(name: str, splits: list[str], licences: list[str]) -> dict:
    """Describe a data set whose shards lie in `shards/<split>/` beside the description.

    Args:
        name: Name of the collection.
        splits: Splits that have shards.
        licences: Of the scores, as users' files state them; the longest are cut.

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
            {
                "@type": "cr:FileSet",
                "@id": f"{split}-files",
                "name": f"{split}-files",
                "description": f"Parquet files of the split {split}.",
                "encodingFormat": "application/x-parquet",
                "includes": f"shards/{split}/*.parquet",
            }
            for split in splits
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": split,
                "name": split,
                "description": f"The performances of the split {split}.",
                "field": [_field(split, column) for column in tables.SHARDS],
            }
            for split in splits
        ],
    }


def write(name: str, splits: list[str], licences: list[str], out: Path) -> None:
    """Write the description as JSON."""
    with tables.replacing(out) as temporary:
        temporary.write_text(json.dumps(describe(name, splits, licences), indent=1) + "\n")
