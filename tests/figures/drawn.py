"""What tests ask of a drawn figure."""

import numpy as np


def words(figure):
    """Everything written across the panels and in their titles."""
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    return " ".join([*texts, *(axes.get_title() for axes in figure.axes)])


def line(axes, label):
    """The one line with a label."""
    (found,) = (line for line in axes.get_lines() if line.get_label() == label)
    return found


def entries(axes):
    """The texts of the legend."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


def pixels(figure):
    """The picture as an image."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def spiral(steps=400, dimension=3):
    """Sines of the frequencies 1, 2, ... / (2 pi), sampled every 0.1."""
    time = np.arange(steps) * 0.1
    return np.stack([np.sin(time * (place + 1)) for place in range(dimension)], axis=1).astype(np.float32)


def burst(series, *, after):
    """The series, no longer finite from a step on."""
    series = series.copy()
    series[after:] = np.nan
    return series
