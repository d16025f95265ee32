"""What figures share: two files, letters and no date in the PDF, images in their own pixels."""

import matplotlib as mpl
import numpy as np
from PIL import Image

from models import plotting


@mpl.rc_context(plotting.STYLE)
def drawn():
    figure = plotting.new(3.0, 2.0)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=plotting.BLUE)
    axes.set_title("rising")
    return figure


def test_same_figure_same_bytes(tmp_path):
    for name in ("one", "two"):
        plotting.save(drawn(), tmp_path / "figures" / name)
    for suffix in (".png", ".pdf"):
        one, two = ((tmp_path / "figures" / f"{name}{suffix}") for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_size_is_in_inches_at_200_dots_each(tmp_path):
    plotting.save(drawn(), tmp_path / "one")
    assert Image.open(tmp_path / "one.png").size == (600, 400)


def test_letters_of_the_pdf_stay_letters(tmp_path):
    plotting.save(drawn(), tmp_path / "one")
    pdf = (tmp_path / "one.pdf").read_bytes()
    assert b"/FontFile2" in pdf
    assert b"Date" not in pdf


def test_show_keeps_the_pixels_of_an_image():
    axes = plotting.new(3.0, 2.0).subplots()
    plotting.show(axes, np.zeros((20, 50)))
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 50), (20, 0))
    assert axes.get_aspect() == 1
