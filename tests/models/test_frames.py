"""Tables of metrics and histories, and what is said of those that cannot be read."""

import pandas as pd
import pytest

from models import frames


def test_some_columns_of_some_rows_are_read(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"split": ["train", "test"], "mrr": [0.5, 0.25], "r1": [1, 2]}).to_parquet(path)
    found = frames.read(path, columns=["mrr"], filters=[("split", "==", "test")])
    assert found.to_dict("list") == {"mrr": [0.25]}


def test_a_truncated_table_is_named_with_the_remedy(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"mrr": [0.5]}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"t\.parquet: not a Parquet file.*delete it and run"):
        frames.read(path)
    with pytest.raises(FileNotFoundError, match=r"u\.parquet: no such file"):
        frames.read(tmp_path / "u.parquet")
