"""Every concept of the notes, rebuilt in NumPy: the formula and its gradient.

Import from the chapter that teaches the thing::

    from nlp_dawn.foundations.classification import softmax

Nothing is imported here, so that ``import nlp_dawn`` costs next to nothing.
"""

__version__ = "0.1.0"
