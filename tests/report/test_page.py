"""The page is one file that needs nothing else, and figures are the same bytes each time."""

import re

import numpy as np

from sysid.report import figures
from sysid.report.page import Page, Summary, Table, Text


def example():
    t = np.arange(50.0)
    page = Page("A <title>", "Opening.", cards=[("0.95", "a figure")])
    page.section("One", Text("less < more"), Table(("a", "b"), [(1, 2.5)]), Summary({"stable": True}),
                 figures.path(t, np.sin(t), [figures.Track(t, np.sin(t), np.sin(t) - 1, np.sin(t) + 1)], "y", "t", "A sine."))
    page.section("Two", figures.poles(np.array([0.5 + 0.5j, 0.5 - 0.5j]), "Poles."),
                 figures.stems(np.array([1.0, 0.1]), "k", "value", "Stems."),
                 figures.bode(np.array([0.1, 1.0]), np.array([[1 + 1j, 0.5]]), ["a"], "Bode."),
                 figures.correlation(np.arange(1, 5), {"a": np.zeros(4)}, 0.1, "Correlation."))
    return page


def test_the_page_needs_nothing_outside_itself():
    text = example().html()
    assert not re.findall(r'(?:src|href)="(?!data:)', text) and "<script" not in text and "@import" not in text
    assert text.count("<figure>") == 5 and "A &lt;title&gt;" in text and "less &lt; more" in text


def test_every_figure_has_words_beneath_and_for_those_who_cannot_see_it():
    for figure in re.findall(r"<figure>.*?</figure>", example().html(), flags=re.S):
        alt, caption = re.search(r'alt="([^"]+)"', figure)[1], re.search(r"<figcaption>(.+)</figcaption>", figure)[1]
        assert alt == caption and alt.endswith(".")


def test_the_same_figure_gives_the_same_bytes():
    assert example().html() == example().html()
