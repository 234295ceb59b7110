"""Texts, lines and pixels of a drawn figure, and series to draw."""

import numpy as np


def words(figure):
    """Return all texts in the panels and their titles."""
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    return " ".join([*texts, *(axes.get_title() for axes in figure.axes)])


def line(axes, label):
    """Return the single line with a label."""
    (labelled,) = (line for line in axes.get_lines() if line.get_label() == label)
    return labelled


def entries(axes):
    """Return the texts of the legend."""
    return [text.get_text() for text in axes.get_legend().get_texts()]


def pixels(figure):
    """Return the figure as an image."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()


def spiral(steps=400, dimension=3):
    """Return sines with frequencies 1, 2, ... / (2 pi), sampled every 0.1."""
    time = np.arange(steps) * 0.1
    return np.stack([np.sin(time * (index + 1)) for index in range(dimension)], axis=1).astype(np.float32)


def burst(series, *, after):
    """Return the series with NaN from a step on."""
    series = series.copy()
    series[after:] = np.nan
    return series
