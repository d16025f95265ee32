"""Read tables that have no schema in `pipeline.tables`, such as those of metrics, with pandas."""

from pathlib import Path

import pandas as pd
import pyarrow as pa


def read(
    path: Path, columns: list[str] | None = None, filters: list[tuple] | None = None
) -> pd.DataFrame:
    """Read a Parquet file, or some columns of the rows that `filters` of pyarrow keep.

    Raises ValueError that names the file and the remedy if it is none.
    """
    try:
        return pd.read_parquet(path, columns=columns, filters=filters)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    except (pa.ArrowInvalid, OSError) as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{path}: not a Parquet file ({why}); delete it and run again") from None
