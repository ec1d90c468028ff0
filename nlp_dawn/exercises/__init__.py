"""Exercises that know what went wrong.

In a notebook::

    from nlp_dawn.exercises import check, hint

    check("kl_divergence")
"""
