"""Exercises of chapter 15: merges, what they cost, and where a prompt ends."""

from collections.abc import Iterator, Sequence

import numpy as np

from nlp_dawn.exercises.specification import (
    Case,
    Choice,
    Comparison,
    FindNumber,
    Group,
    Implement,
    Mistake,
    Predict,
)
from nlp_dawn.tokens import byte_pair_encoding as bpe
from nlp_dawn.typing import Array

# --- the order of learning --------------------------------------------------

ORDER_OF_LEARNING = Predict(
    name="order_of_learning",
    title="Three merges and a word",
    concepts=("bpe",),
    points=1,
    difficulty=1,
    minutes=3,
    hints=(
        "Which pairs of neighbors in s a n g are among the merges at all?",
        "Two of them are: (a, n) and (n, g). They share the letter n, so only "
        "one of them can be joined. Which was learned first?",
        "After (n, g) has been joined, the word is s, a, ng. Is there any pair "
        "left that is among the merges?",
    ),
    question="Into which tokens is `sang` cut?",
    choices=(
        Choice(
            "san, g",
            "This takes the longest token that fits. BPE asks which merge was "
            "learned first: (n, g) comes before (a, n), and once n is gone, "
            "nothing makes `an`, nor `san` from it.",
        ),
        Choice(
            "s, a, ng",
            "Right. (n, g) goes first, as it was learned first. Then the "
            "neighbors are (s, a) and (a, ng), and neither was learned. `san` "
            "is in the vocabulary, but this word cannot reach it.",
        ),
        Choice(
            "sa, ng",
            "`sa` was never made. The merge is (s, an), and there is no `an` "
            "here: its n has gone to `ng`.",
        ),
        Choice(
            "s, an, g",
            "(a, n) and (n, g) compete for the n. The one that was learned "
            "first gets it, wherever it stands in the word.",
        ),
    ),
    correct="b",
)

# --- one merge --------------------------------------------------------------


def _merge_step(
    words: list[list[str]], counts: list[int]
) -> tuple[tuple[str, str], list[list[str]]]:
    symbols = [tuple(word) for word in words]
    frequent = bpe.count_pairs(zip(symbols, counts, strict=True))
    pair = max(frequent, key=lambda p: (frequent[p], p))
    return pair, [list(bpe.merge_pair(word, pair)) for word in symbols]


def _words_to_merge(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=([list("sing"), list("sang")], [2, 1]),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    for n in (2, 4):
        words = [_word(rng, "abcd", 6) for _ in range(n)]
        counts = rng.integers(1, 9, n).tolist()
        yield Case(args=(words, counts), group="ordinary", label=f"{n} words")
    yield Case(
        args=([list("abxx"), list("cd")], [1, 5]),
        group="ordinary",
        label="a rare word that is longer than a frequent one",
    )
    yield Case(
        args=([["lo", "w"], ["w", "lo"], ["lo", "w", "er"]], [2, 2, 1]),
        group="ordinary",
        label="symbols that have been merged before",
    )
    yield Case(
        args=([["a", "b"], ["b", "c"], ["b", "c"]], [3, 1, 1]),
        group="ordinary",
        label="words whose neighbors in the list do not belong together",
    )
    yield Case(
        args=([list("banana"), list("ab")], [2, 1]),
        group="runs",
        label="a pair that a word has twice",
    )
    for length in (3, 5):
        yield Case(
            args=([list("a" * length), list("ab")], [2, 1]),
            group="runs",
            label=f"a run of {length} equal letters",
        )
    yield Case(
        args=([list("ab"), list("cd"), list("bc")], [3, 3, 1]),
        group="ties",
        label="two pairs that are equally frequent",
    )
    yield Case(
        args=([list("xy"), list("xz"), list("ay")], [2, 2, 2]),
        group="ties",
        label="three pairs that are equally frequent",
    )


def _word(rng: np.random.Generator, letters: str, longest: int) -> list[str]:
    size = int(rng.integers(2, longest + 1))
    return [str(letter) for letter in rng.choice(list(letters), size)]


def _step_unweighted(words: list[list[str]], counts: list[int]) -> object:
    seen: dict[tuple[str, str], int] = {}
    for word in words:
        for i in range(len(word) - 1):
            pair = (word[i], word[i + 1])
            seen[pair] = seen.get(pair, 0) + 1
    best = max(seen, key=lambda p: (seen[p], p))
    merged = []
    for word in words:
        new, i = [], 0
        while i < len(word):
            if tuple(word[i : i + 2]) == best:
                new.append(word[i] + word[i + 1])
                i += 2
            else:
                new.append(word[i])
                i += 1
        merged.append(new)
    return best, merged


def _step_across_words(words: list[list[str]], counts: list[int]) -> object:
    seen: dict[tuple[str, str], int] = {}
    stream = [(s, n) for word, n in zip(words, counts) for s in word]  # noqa: B905
    for (a, n), (b, _) in zip(stream, stream[1:]):  # noqa: B905, RUF007
        seen[(a, b)] = seen.get((a, b), 0) + n
    best = max(seen, key=lambda p: (seen[p], p))
    merged = []
    for word in words:
        new, i = [], 0
        while i < len(word):
            if tuple(word[i : i + 2]) == best:
                new.append(word[i] + word[i + 1])
                i += 2
            else:
                new.append(word[i])
                i += 1
        merged.append(new)
    return best, merged


def _step_smallest(words: list[list[str]], counts: list[int]) -> object:
    seen: dict[tuple[str, str], int] = {}
    for word, n in zip(words, counts):  # noqa: B905
        for i in range(len(word) - 1):
            pair = (word[i], word[i + 1])
            seen[pair] = seen.get(pair, 0) + n
    best = min(seen, key=lambda p: (-seen[p], p))
    merged = []
    for word in words:
        new, i = [], 0
        while i < len(word):
            if tuple(word[i : i + 2]) == best:
                new.append(word[i] + word[i + 1])
                i += 2
            else:
                new.append(word[i])
                i += 1
        merged.append(new)
    return best, merged


def _step_overlapping(words: list[list[str]], counts: list[int]) -> object:
    seen: dict[tuple[str, str], int] = {}
    for word, n in zip(words, counts):  # noqa: B905
        for i in range(len(word) - 1):
            pair = (word[i], word[i + 1])
            seen[pair] = seen.get(pair, 0) + n
    best = max(seen, key=lambda p: (seen[p], p))
    merged = []
    for word in words:
        new = []
        for i in range(len(word)):
            if tuple(word[i : i + 2]) == best:
                new.append(word[i] + word[i + 1])
            elif i == 0 or (word[i - 1], word[i]) != best:
                new.append(word[i])
        merged.append(new)
    return best, merged


def _step_first_only(words: list[list[str]], counts: list[int]) -> object:
    seen: dict[tuple[str, str], int] = {}
    for word, n in zip(words, counts):  # noqa: B905
        for i in range(len(word) - 1):
            pair = (word[i], word[i + 1])
            seen[pair] = seen.get(pair, 0) + n
    best = max(seen, key=lambda p: (seen[p], p))
    merged = []
    for word in words:
        new = list(word)
        for i in range(len(word) - 1):
            if (word[i], word[i + 1]) == best:
                new[i : i + 2] = [word[i] + word[i + 1]]
                break
        merged.append(new)
    return best, merged


def _step_by_counter(words: list[list[str]], counts: list[int]) -> object:
    from collections import Counter

    seen: Counter[tuple[str, str]] = Counter()
    for word, n in zip(words, counts):  # noqa: B905
        for pair in zip(word, word[1:]):  # noqa: B905, RUF007
            seen[pair] += n
    most = max(seen.values())
    best = sorted(pair for pair in seen if seen[pair] == most)[-1]
    merged = []
    for word in words:
        new: list[str] = []
        joinable = False  # whether the last symbol is still as it was
        for symbol in word:
            if joinable and (new[-1], symbol) == best:
                new[-1] += symbol
                joinable = False
            else:
                new.append(symbol)
                joinable = True
        merged.append(new)
    return best, merged


def _step_in_place(words: list[list[str]], counts: list[int]) -> object:
    seen: dict[tuple[str, str], int] = {}
    for k in range(len(words)):
        for i in range(1, len(words[k])):
            pair = (words[k][i - 1], words[k][i])
            seen[pair] = seen.get(pair, 0) + counts[k]
    best = sorted(seen, key=lambda p: (seen[p], p))[-1]
    merged = []
    for word in words:
        new, i = list(word), 0
        while i < len(new) - 1:
            if (new[i], new[i + 1]) == best:
                new[i] = new[i] + new.pop(i + 1)
            i += 1
        merged.append(new)
    return best, merged


MERGE_STEP = Implement(
    name="merge_step",
    title="One merge",
    concepts=("bpe",),
    points=4,
    difficulty=2,
    minutes=15,
    hints=(
        "First count: for every word, every pair of neighbors, as often as "
        "the word occurs. A dictionary from pair to count will do.",
        "`max(counted, key=lambda pair: (counted[pair], pair))` is the most "
        "frequent pair, and of several the last in the dictionary. Then write "
        "every word anew.",
        "Go through a word with an index i: where word[i:i+2] is the pair, "
        "write the joined symbol and go on at i + 2; else write word[i] and "
        "go on at i + 1.",
    ),
    signature="merge_step(words, counts)",
    inputs=_words_to_merge,
    scores=(
        Group("ordinary", 2, "words without runs or ties"),
        Group("runs", 1, "a pair that comes several times in a word"),
        Group("ties", 1, "equally frequent pairs"),
    ),
    reference=_merge_step,
    comparison=Comparison(parts=("pair", "words")),
    mistakes=(
        Mistake(
            "unweighted",
            _step_unweighted,
            "Every word counts once in your table, however often it occurs. "
            "A pair of a word that occurs n times has been seen n times.",
        ),
        Mistake(
            "across_words",
            _step_across_words,
            "You have put all words in a row, so the end of a word and the "
            "beginning of the next one make a pair. No pair reaches beyond a "
            "word.",
        ),
        Mistake(
            "smallest",
            _step_smallest,
            "Of equally frequent pairs you take the first in the dictionary. "
            "Here it is the last one: the largest pair, as Python compares "
            "tuples of strings.",
        ),
        Mistake(
            "overlapping",
            _step_overlapping,
            "In a run of equal letters you use a symbol twice. What has been "
            "joined is used up: go on behind it.",
        ),
        Mistake(
            "first_only",
            _step_first_only,
            "You join the pair once in every word. A word may have it several "
            "times, and all of them are joined.",
        ),
    ),
    alternatives=(_step_by_counter, _step_in_place),
)

# --- encoding ---------------------------------------------------------------


def _bpe_tokens(word: str, merges: list[tuple[str, str]]) -> list[str]:
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    return list(bpe.apply_merges(word, ranks))


def _words_to_cut(rng: np.random.Generator) -> Iterator[Case]:
    lower = [("l", "o"), ("lo", "w"), ("e", "r")]
    yield Case(
        args=("lower", lower),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=("slow", lower),
        group="ordinary",
        label="a letter that no merge knows",
    )
    yield Case(
        args=("loerlow", lower), group="ordinary", label="a merge used twice"
    )
    yield Case(args=("a", lower), group="ordinary", label="one letter")
    yield Case(args=("low", []), group="ordinary", label="no merges at all")
    yield Case(
        args=("abc", [("b", "c"), ("a", "b"), ("ab", "c")]),
        group="order",
        label="merges that compete for a letter",
    )
    yield Case(
        args=("abcab", [("b", "c"), ("a", "b"), ("ab", "c")]),
        group="order",
        label="merges that compete in one place and not in another",
    )
    yield Case(
        args=("abc", [("b", "c"), ("a", "b"), ("a", "bc")]),
        group="order",
        label="merges that compete, and a token of all three letters",
    )
    yield Case(
        args=("abcb", [("a", "b"), ("b", "c")]),
        group="order",
        label="a first merge that stands on the left",
    )
    yield Case(
        args=("aaaaa", [("a", "a"), ("aa", "a")]),
        group="order",
        label="a run of equal letters",
    )
    for n in (4, 8):
        words = {
            "".join(_word(rng, "abc", 7)): int(rng.integers(1, 5))
            for _ in range(6)
        }
        yield Case(
            args=(
                "".join(_word(rng, "abc", 9)),
                bpe.learn_merges(words, n),
            ),
            group="order",
            label=f"{n} merges that were learned from words",
        )


def _tokens_longest(word: str, merges: list[tuple[str, str]]) -> object:
    known = {a + b for a, b in merges} | set(word)
    tokens, i = [], 0
    while i < len(word):
        end = max(j for j in range(i + 1, len(word) + 1) if word[i:j] in known)
        tokens.append(word[i:end])
        i = end
    return tokens


def _tokens_left_to_right(word: str, merges: list[tuple[str, str]]) -> object:
    tokens, i = list(word), 0
    while i < len(tokens) - 1:
        if (tokens[i], tokens[i + 1]) in merges:
            tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
            i = 0
        else:
            i += 1
    return tokens


def _tokens_last_first(word: str, merges: list[tuple[str, str]]) -> object:
    tokens = list(word)
    while True:
        pairs = [p for p in zip(tokens, tokens[1:]) if p in merges]  # noqa: B905, RUF007
        if not pairs:
            return tokens
        best = max(pairs, key=merges.index)
        i = [tuple(tokens[k : k + 2]) for k in range(len(tokens))].index(best)
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]


def _tokens_once_each(word: str, merges: list[tuple[str, str]]) -> object:
    tokens = list(word)
    for pair in merges:
        for i in range(len(tokens) - 1):
            if (tokens[i], tokens[i + 1]) == pair:
                tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
                break
    return tokens


def _tokens_strings(word: str, merges: list[tuple[str, str]]) -> object:
    # Joins whatever reads like a merge, even across other borders.
    made = [a + b for a, b in merges]
    tokens = list(word)
    for target in made:
        i = 0
        while i < len(tokens):
            for j in range(i + 2, len(tokens) + 1):
                if "".join(tokens[i:j]) == target:
                    tokens[i:j] = [target]
                    break
            i += 1
    return tokens


def _tokens_in_order(word: str, merges: list[tuple[str, str]]) -> object:
    tokens = list(word)
    for a, b in merges:
        i = 0
        while i < len(tokens) - 1:
            if tokens[i] == a and tokens[i + 1] == b:
                tokens[i : i + 2] = [a + b]
            i += 1
    return tokens


def _tokens_by_rank(word: str, merges: list[tuple[str, str]]) -> object:
    rank = {pair: k for k, pair in enumerate(merges)}
    tokens = list(word)
    while len(tokens) > 1:
        places = range(len(tokens) - 1)
        i = min(
            places,
            key=lambda k: rank.get((tokens[k], tokens[k + 1]), len(rank)),
        )
        if (tokens[i], tokens[i + 1]) not in rank:
            break
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


BPE_TOKENS = Implement(
    name="bpe_tokens",
    title="Cut a word",
    concepts=("bpe",),
    points=4,
    difficulty=2,
    minutes=10,
    hints=(
        "The list of merges is an order of precedence. Which merge has to be "
        "tried first, and what can come to be possible only after it?",
        "Take the merges one after the other. For each, join all its "
        "occurrences in the word as it stands now.",
        "For a pair (a, b), walk through the tokens with an index i. Where "
        "tokens[i] == a and tokens[i + 1] == b, `tokens[i:i+2] = [a + b]`.",
    ),
    signature="bpe_tokens(word, merges)",
    inputs=_words_to_cut,
    scores=(
        Group("ordinary", 2, "words whose merges do not compete"),
        Group("order", 2, "merges that compete"),
    ),
    reference=_bpe_tokens,
    mistakes=(
        Mistake(
            "longest",
            _tokens_longest,
            "You take the longest token that fits, from left to right. That "
            "is another tokenizer (WordPiece). Here the merge that was learned "
            "first is made first.",
        ),
        Mistake(
            "left_to_right",
            _tokens_left_to_right,
            "You join the first pair from the left that is among the merges. "
            "It has to be the one that was learned first, wherever it stands.",
        ),
        Mistake(
            "last_first",
            _tokens_last_first,
            "You prefer the pair that was learned last. It is the other way "
            "round: the first merge was learned on single letters, and all "
            "later ones on what it left.",
        ),
        Mistake(
            "once_each",
            _tokens_once_each,
            "Every merge is made once in your word. If the pair comes several "
            "times, join it everywhere.",
        ),
        Mistake(
            "strings",
            _tokens_strings,
            "You join whatever spells a token of the vocabulary. A merge joins "
            "two certain symbols: a, bc spells abc, but the merge was (ab, c).",
        ),
    ),
    alternatives=(_tokens_in_order, _tokens_by_rank),
)

# --- half of the parameters -------------------------------------------------


def _half_vocabulary() -> float:
    body = bpe.decoder_costs(1, 1024, 16).body
    return body / (2 * 1024)


HALF_VOCABULARY = FindNumber(
    name="half_vocabulary",
    title="When is half of a model its vocabulary?",
    concepts=("vocab-tradeoff",),
    points=2,
    difficulty=2,
    minutes=5,
    hints=(
        "Write down both numbers of parameters: of the layers, and of the two "
        "matrices that have a row or a column for every token.",
        "The layers have 12 L d² parameters, embedding and head 2 V d "
        "together. Set them equal.",
        "2 V d = 12 L d², so V = 6 L d. Put in L = 16 and d = 1024.",
    ),
    reference=_half_vocabulary,
    rtol=1e-6,
    verify="To check it yourself: 2 V d and 12 L d² have to be the same "
    "number for your V.",
    mistakes=(
        Mistake(
            "one_matrix",
            lambda: 12.0 * 16 * 1024,
            "You count one matrix of V rows. Here embedding and head have one "
            "each, 2 V d together.",
        ),
        Mistake(
            "one_layer",
            lambda: 6.0 * 1024,
            "This is for a model of a single layer. It has L of them, with "
            "12 d² parameters each.",
        ),
        Mistake(
            "attention_only",
            lambda: 2.0 * 16 * 1024,
            "You count the four matrices of attention only. The feed-forward "
            "part has 8 d² more in every layer.",
        ),
        Mistake(
            "half_of_the_layers",
            lambda: 3.0 * 16 * 1024,
            "At this V the vocabulary has half as many parameters as the "
            "layers: a third of the model. For half of the model the two have "
            "to be equal.",
        ),
    ),
    alternatives=(98304, 6 * 16 * 1024.0),
)

# --- tokens that fit --------------------------------------------------------


def _tokens_that_fit(vocabulary: list[str], text: str) -> list[int]:
    found: list[int] = bpe.TokenIndex(vocabulary).fitting(text).tolist()
    return found


def _texts_to_fit(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(["p", "pl", "play", "plays", "song", "a"], "pla"),
        group="ordinary",
        label="the example in the docstring",
        public=True,
    )
    yield Case(
        args=(["p", "pl", "pla", "play", "lap", "apla"], "pla"),
        group="ordinary",
        label="the text itself among the tokens",
    )
    yield Case(
        args=([" ", " p", " play", "play", "p", " s"], " p"),
        group="ordinary",
        label="a text that begins with a space",
    )
    yield Case(
        args=(["a", "b", "ab", "ba"], "c"),
        group="ordinary",
        label="no token that fits",
    )
    yield Case(
        args=(["", "p", "pl", "s"], "pl"),
        group="marks",
        label="a token that stands for no text",
    )
    for n in (8, 15):
        words = sorted({"".join(_word(rng, "ab", 5)) for _ in range(n)})
        vocabulary = ["", "a", "b", *words]
        yield Case(
            args=(vocabulary, "".join(_word(rng, "ab", 4))),
            group="marks",
            label=f"{len(vocabulary)} tokens, one without text",
        )


def _fit_longer_only(vocabulary: list[str], text: str) -> object:
    return [i for i, t in enumerate(vocabulary) if t.startswith(text)]


def _fit_shorter_only(vocabulary: list[str], text: str) -> object:
    return [i for i, t in enumerate(vocabulary) if t and text.startswith(t)]


def _fit_contained(vocabulary: list[str], text: str) -> object:
    return [
        i for i, t in enumerate(vocabulary) if t and (text in t or t in text)
    ]


def _fit_same_letter(vocabulary: list[str], text: str) -> object:
    return [i for i, t in enumerate(vocabulary) if t and t[0] == text[0]]


def _fit_marks_too(vocabulary: list[str], text: str) -> object:
    return [
        i
        for i, t in enumerate(vocabulary)
        if t.startswith(text) or text.startswith(t)
    ]


def _fit_by_length(vocabulary: list[str], text: str) -> object:
    found = []
    for i in range(len(vocabulary)):
        n = min(len(vocabulary[i]), len(text))
        if n > 0 and vocabulary[i][:n] == text[:n]:
            found.append(i)
    return found


def _fit_by_sets(vocabulary: list[str], text: str) -> object:
    parts = {text[:k] for k in range(1, len(text) + 1)}
    return [
        i
        for i, t in enumerate(vocabulary)
        if t in parts or t[: len(text)] == text
    ]


TOKENS_THAT_FIT = Implement(
    name="tokens_that_fit",
    title="Which tokens may come next?",
    concepts=("continuation-token-healing",),
    points=3,
    difficulty=2,
    minutes=8,
    hints=(
        "A token can say more than the text, or less. What has to hold in "
        "each of the two cases?",
        "`token.startswith(text)` says that the token covers all of the text; "
        "`text.startswith(token)` that it covers the beginning. But every "
        "text starts with the empty string.",
        "Collect the numbers i where one of the two holds and the token is "
        "not empty, with `enumerate(vocabulary)`.",
    ),
    signature="tokens_that_fit(vocabulary, text)",
    inputs=_texts_to_fit,
    scores=(
        Group("ordinary", 2, "tokens that say something"),
        Group("marks", 1, "a token without text among them"),
    ),
    reference=_tokens_that_fit,
    mistakes=(
        Mistake(
            "longer_only",
            _fit_longer_only,
            "You have the tokens that say all of the text. A shorter one may "
            "come next too, if the text begins with it: the rest is said by "
            "the token after it.",
        ),
        Mistake(
            "shorter_only",
            _fit_shorter_only,
            "You have the tokens that the text begins with. What healing is "
            "after are the longer ones, which begin with the text.",
        ),
        Mistake(
            "contained",
            _fit_contained,
            "You look for the text anywhere in the token, and the other way "
            "round. Both have to begin at the same place.",
        ),
        Mistake(
            "same_letter",
            _fit_same_letter,
            "The same first letter is not enough: token and text have to agree "
            "as far as both reach.",
        ),
        Mistake(
            "marks_too",
            _fit_marks_too,
            "A token that stands for no text is among yours: every text starts "
            "with the empty string. It would say nothing of what has to come.",
        ),
    ),
    alternatives=(_fit_by_length, _fit_by_sets),
)

# --- the probability of a text, however cut ---------------------------------


class _Bigram:
    """The exercise's two tables as the language model of the library."""

    def __init__(self, first: Array, after: Array) -> None:
        self.first, self.after = first, after

    def log_probs(self, prefix: Sequence[int]) -> Array:
        row = self.after[prefix[-1]] if len(prefix) else self.first
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(row))


def _covering_probability(
    first: Array, after: Array, vocabulary: list[str], text: str
) -> float:
    index = bpe.TokenIndex(vocabulary)
    model = _Bigram(first, after)
    return bpe.prefix_probability(model, [], text, index)


def _texts_to_cover(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(
        args=(
            np.array([0.5, 0.25, 0.25]),
            np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]),
            ["p", "pl", "l"],
            "pl",
        ),
        group="short",
        label="the example in the docstring",
        public=True,
    )
    tokens = ["a", "b", "ab", "ba", "abb"]
    for text, group in (
        ("a", "short"),
        ("ab", "short"),
        ("ba", "short"),
        ("abab", "long"),
        ("abbab", "long"),
        ("bbaabb", "long"),
    ):
        rows = rng.dirichlet(np.ones(len(tokens)), len(tokens) + 1)
        yield Case(
            args=(rows[0], rows[1:], tokens, text),
            group=group,
            label=f"the text {text!r}",
        )


def _cover_one_token(
    first: Array, after: Array, vocabulary: list[str], text: str
) -> object:
    return float(
        sum(p for p, t in zip(first, vocabulary) if t.startswith(text))  # noqa: B905
    )


def _cover_exact_cuts(
    first: Array, after: Array, vocabulary: list[str], text: str
) -> object:
    def go(row: Array, rest: str) -> float:
        if not rest:
            return 1.0
        return float(
            sum(
                row[v] * go(after[v], rest[len(t) :])
                for v, t in enumerate(vocabulary)
                if rest.startswith(t)
            )
        )

    return go(first, text)


def _cover_greedy(
    first: Array, after: Array, vocabulary: list[str], text: str
) -> object:
    row, total = first, 1.0
    while text:
        fits = [v for v, t in enumerate(vocabulary) if text.startswith(t)]
        v = max(fits, key=lambda k: len(vocabulary[k]))
        total *= float(row[v])
        row, text = after[v], text[len(vocabulary[v]) :]
    return total


def _cover_first_table(
    first: Array, after: Array, vocabulary: list[str], text: str
) -> object:
    def go(rest: str) -> float:
        total = 0.0
        for v, t in enumerate(vocabulary):
            if t.startswith(rest):
                total += float(first[v])
            elif rest.startswith(t):
                total += float(first[v]) * go(rest[len(t) :])
        return total

    return go(text)


def _cover_best(
    first: Array, after: Array, vocabulary: list[str], text: str
) -> object:
    def go(row: Array, rest: str) -> float:
        best = 0.0
        for v, t in enumerate(vocabulary):
            if t.startswith(rest):
                best = max(best, float(row[v]))
            elif rest.startswith(t):
                best = max(best, float(row[v]) * go(after[v], rest[len(t) :]))
        return best

    return go(first, text)


def _cover_from_the_end(
    first: Array, after: Array, vocabulary: list[str], text: str
) -> object:
    # ways[k][v]: the probability of the rest from place k on, after token v.
    size = len(vocabulary)
    ways = np.zeros((len(text), size + 1))
    rows = np.vstack([after, first])
    for k in range(len(text) - 1, -1, -1):
        for v in range(size):
            said = vocabulary[v]
            if said[: len(text) - k] == text[k:]:
                ways[k] += rows[:, v]
            elif text[k : k + len(said)] == said:
                ways[k] += rows[:, v] * ways[k + len(said), v]
    return float(ways[0, -1])


def _cover_by_stack(
    first: Array, after: Array, vocabulary: list[str], text: str
) -> object:
    total, waiting = 0.0, [(1.0, first, text)]
    while waiting:
        weight, row, rest = waiting.pop()
        for v, token in enumerate(vocabulary):
            p = weight * float(row[v])
            if token.startswith(rest):
                total += p
            elif rest.startswith(token):
                waiting.append((p, after[v], rest[len(token) :]))
    return total


COVERING_PROBABILITY = Implement(
    name="covering_probability",
    title="The probability of a text, however it is cut",
    concepts=("continuation-token-healing",),
    points=5,
    difficulty=3,
    minutes=20,
    hints=(
        "The first token either says all of the text (and perhaps more), or a "
        "part of it, and then the rest has to be said by what follows. What "
        "is the probability in each case?",
        "Write a function of a row of probabilities and of the text that is "
        "left. For a token v that says a part, it calls itself with the row "
        "after[v] and the text that v leaves.",
        "Loop over the tokens: if token.startswith(rest), add row[v]; else if "
        "rest.startswith(token), add row[v] * go(after[v], rest[len(token):]).",
    ),
    signature="covering_probability(first, after, vocabulary, text)",
    inputs=_texts_to_cover,
    scores=(
        Group("short", 3, "one or two letters"),
        Group("long", 2, "texts that can be cut in many ways"),
    ),
    reference=_covering_probability,
    mistakes=(
        Mistake(
            "one_token",
            _cover_one_token,
            "Only cuts with a single token are in your sum. A token that says "
            "a part of the text, followed by others that say the rest, counts "
            "too.",
        ),
        Mistake(
            "exact_cuts",
            _cover_exact_cuts,
            "Your cuts end exactly where the text ends. The last token may say "
            "more than the text: it still begins with it.",
        ),
        Mistake(
            "greedy",
            _cover_greedy,
            "This is the probability of one cut, that with the longest tokens. "
            "All cuts say the same text: add them up.",
        ),
        Mistake(
            "first_table",
            _cover_first_table,
            "You use the first token's probabilities at every step. After a "
            "token v, the row after[v] holds.",
        ),
        Mistake(
            "best",
            _cover_best,
            "This is the probability of the best cut. The text comes about by "
            "any of them, so their probabilities add up.",
        ),
    ),
    alternatives=(_cover_from_the_end, _cover_by_stack),
)

EXERCISES = (
    ORDER_OF_LEARNING,
    MERGE_STEP,
    BPE_TOKENS,
    HALF_VOCABULARY,
    TOKENS_THAT_FIT,
    COVERING_PROBABILITY,
)
