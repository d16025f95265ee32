"""Formats whose end tells whether a file is whole."""

import json
import zipfile

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from pipeline.describing import forms


def write(path) -> None:
    """Write a whole file of the format that the name's ending says."""
    match path.suffix:
        case ".parquet":
            pq.write_table(pa.table({"bins": [92]}), path)
        case ".safetensors":
            save_file({"weight": torch.ones(10)}, path, metadata={"model": "BL1"})
        case ".pt" | ".state":
            torch.save({"weight": torch.ones(10)}, path)
        case ".flac":
            soundfile.write(path, np.sin(np.arange(20_000) / 9), 44_100)
        case ".png" | ".pdf":
            plt.figure().savefig(path)
        case ".html":
            path.write_text(f"<html>{'<p>A page.</p>' * 100}</html>")
        case ".json":
            path.write_text(json.dumps({"outputs": {}}))


@pytest.mark.parametrize("suffix", forms.CHECKS)
@pytest.mark.parametrize("fraction", [0, 0.01, 0.5, 0.95])
def test_truncated_file_is_told_from_a_whole_one(tmp_path, suffix, fraction):
    path = tmp_path / f"file{suffix}"
    write(path)
    assert forms.whole(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    assert not forms.whole(path)


@pytest.mark.parametrize("suffix", forms.CHECKS)
def test_nonsense_in_place_of_a_header_is_corrupt(tmp_path, suffix):
    path = tmp_path / f"file{suffix}"
    for nonsense in (b"\x05" + bytes(7) + b"nonsense", b"\xff" * 200, b"[" * 100_000):
        path.write_bytes(nonsense)
        assert not forms.whole(path)


def test_safetensors_with_a_header_of_another_kind_is_corrupt(tmp_path):
    for header in (b"[]  ", b"{}  ", b'{"a":1}', b'{"a":{"data_offsets":[0,"x"]}}'):
        path = tmp_path / "a.safetensors"
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        assert forms.whole(path) == (header == b"{}  ")


def test_text_is_whole_unless_it_is_empty(tmp_path):
    path = tmp_path / "card.md"
    path.write_text("|")
    assert forms.whole(path)
    path.write_text("")
    assert not forms.whole(path)


def test_zip_with_a_cut_directory_is_corrupt(tmp_path):
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data", bytes(1_000))
    path.write_bytes(path.read_bytes()[:-30])
    assert not forms.whole(path)
