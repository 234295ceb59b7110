"""Numbers and key words of explanations, and the headings of their paragraphs."""

import re

PATH, TRAINING, DYNAMICS, THEORY = "gradients in training", "training", "learned dynamics", "theory"
_NUMBER = r"-?(?:\d+(?:\.\d+)?(?:e[-+]\d+)?|inf)"
_NAMES = r"lambda_1|Theorem \d|1 / system time|z = 0|ln\(1 - alpha\)|\b\d+-cycle"


def numbers(text):
    """Return the numbers of a text in order, without those that are part of a name."""
    return re.findall(_NUMBER, re.sub(_NAMES, "", text))


def has(text, *words):
    """Return True if all words are in the text, in any case."""
    return all(word.lower() in text.lower() for word in words)
