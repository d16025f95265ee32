"""Import libraries that need care."""

import sys
import warnings


def partitura():
    """partitura, kept from fetching a sound font: it does if it can import pyfluidsynth."""
    absent = object()
    known = sys.modules.get("fluidsynth", absent)
    sys.modules["fluidsynth"] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import partitura as package
    finally:
        if known is absent:
            del sys.modules["fluidsynth"]
        else:
            sys.modules["fluidsynth"] = known  # type: ignore[assignment]
    return package
