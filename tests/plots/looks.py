"""What holds of every figure, read back off it."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg


def drawn(axes):
    """The numbers behind a picture."""
    return np.asarray(axes.images[0].get_array())


def pictures(figure):
    """Axes with a picture, without colour bars."""
    return [axes for axes in figure.axes if axes.images and axes.get_label() != "scale"]


def check_whole(figure):
    """No text leaves the figure, no picture is squashed, and each of its pixels is a whole number of the figure's."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    texts = [*figure.texts]
    for axes in figure.axes:
        texts += [*axes.texts, axes.title, axes._left_title, axes._right_title, axes.xaxis.label, axes.yaxis.label]
    for text in texts:
        if text.get_text() and text.get_visible() and (text.axes is None or text.axes.get_visible()):
            box = text.get_window_extent(canvas.get_renderer())
            assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1, text.get_text()
    for axes in pictures(figure):
        rows, columns = drawn(axes).shape[:2]
        box = axes.get_window_extent(canvas.get_renderer())
        zoom = box.width / columns
        np.testing.assert_allclose(zoom, box.height / rows, rtol=0.02)
        assert zoom < 1 or abs(zoom - round(zoom)) < 1e-6
        assert axes.get_xlim() == (-0.5, columns - 0.5) and axes.get_ylim() == (rows - 0.5, -0.5)
