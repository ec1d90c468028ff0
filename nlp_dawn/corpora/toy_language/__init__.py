"""The book's running example: a language whose truth is known.

    from nlp_dawn.corpora.toy_language import ToyLanguage

    language = ToyLanguage()
    language.sample(3, rng=np.random.default_rng(0))

English-like sentences with agreement across a distance, a topic that no word
names, ambiguous words, synonyms and inflected forms; and their translation
into Chinese, with another word order and several right answers. Everything a
model has to learn can be computed exactly: the probability of a sentence, of
the next word, of a translation, and the entropy that is the limit of every
language model.

The tables of words stand in ``_lexicon``, the grammar in ``_grammar``,
what a reader believes in ``_beliefs``, samples and exact quantities in
``_language``, the second language in ``_translation``.
"""

from nlp_dawn.corpora.toy_language._grammar import END
from nlp_dawn.corpora.toy_language._language import ToyLanguage
from nlp_dawn.corpora.toy_language._sentences import Reading, Sentence

__all__ = ["END", "Reading", "Sentence", "ToyLanguage"]
