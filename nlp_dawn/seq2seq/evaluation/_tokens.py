"""Where one token ends and the next begins: the rules that BLEU is fixed to.

A score depends on how its texts are cut, so the cutting has to be the same
everywhere. For European languages that is what the script ``mteval-v13a`` of
NIST did, quirks included; for Chinese, every character is a token.
"""

import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Literal, TypeAlias

#: How texts are cut: by name, or by a function from text to tokens.
Tokenization: TypeAlias = (
    Literal["none", "13a", "zh"] | Callable[[str], list[str]]
)

# The characters of ASCII that are neither letters, digits nor white space,
# but for the apostrophe, the hyphen, the period and the comma.
_SIGN = re.compile(r"([!-&(-+/:-@\[-`{-~])")
# These three use up the character beside the sign: of ",,5" only the first
# comma has a character before it that is still free. The script did that.
_POINT_AFTER_NO_DIGIT = re.compile(r"([^0-9])([.,])")
_POINT_BEFORE_NO_DIGIT = re.compile(r"([.,])([^0-9])")
_HYPHEN_AFTER_DIGIT = re.compile(r"([0-9])(-)")

# In this order: "&amp;lt;" becomes "&lt;" and then "<".
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))

# First and last character of each block that is cut into single characters.
_CHINESE = (
    (0x2001, 0x2A6D),  # meant: 20000 to 2A6D6, see tokenize_zh
    (0x2E80, 0x2FDF),  # radicals
    (0x2FF0, 0x303F),  # descriptions of characters; punctuation
    (0x3100, 0x312F),  # bopomofo
    (0x31A0, 0x31EF),  # more bopomofo; strokes
    (0x3200, 0x4DB5),  # in circles, units; extension A
    (0x4E00, 0x9FBB),  # the common characters
    (0xF900, 0xFA2D),  # compatibility
    (0xFA30, 0xFA6A),
    (0xFA70, 0xFAD9),
    (0xFE10, 0xFE1F),  # vertical forms
    (0xFE30, 0xFE4F),
    (0xFF00, 0xFFEF),  # full and half width
)
_STARTS = [first for first, _ in _CHINESE]


def is_chinese(character: str) -> bool:
    """Say whether a character is a token of its own in Chinese text.

    :concept:`bleu`

    Parameters
    ----------
    character : str
        One character.

    Returns
    -------
    bool

    Raises
    ------
    TypeError
        If it is not one character.

    Examples
    --------
    >>> is_chinese("译"), is_chinese("。"), is_chinese("b")
    (True, True, False)
    """
    if not isinstance(character, str) or len(character) != 1:
        raise TypeError(f"character must be one character, got {character!r}")
    block = bisect_right(_STARTS, ord(character)) - 1
    return block >= 0 and ord(character) <= _CHINESE[block][1]


_RUN = re.compile(
    "(["
    + "".join(rf"\u{low:04x}-\u{high:04x}" for low, high in _CHINESE)
    + "])"
)


def tokenize_13a(text: str) -> list[str]:
    """Cut a text as the script mteval-v13a of NIST did.

    Signs of ASCII become tokens; a period or a comma too, except between
    digits; a hyphen only after a digit. A few marks of the format in which
    NIST kept its texts are undone first.

    :concept:`bleu`

    Parameters
    ----------
    text : str
        One segment, untokenized.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If it is not a string.

    References
    ----------
    NIST (2009), ``mteval-v13a.pl``; Post (2018), "A call for clarity in
    reporting BLEU scores", section 3.

    Examples
    --------
    >>> tokenize_13a("It's 3.5 km (2-3 miles), isn't it?")
    ["It's", '3.5', 'km', '(', '2', '-', '3', 'miles', ')', ',', "isn't",
     'it', '?']
    """
    _check(text)
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return _cut_signs(f" {text} ")


def tokenize_zh(text: str) -> list[str]:
    """Cut Chinese into characters, and the rest as :func:`tokenize_13a` does.

    Which characters are Chinese is a list of blocks of Unicode. sacrebleu's
    list has two blocks with five hexadecimal digits, which its language reads
    as four digits and a letter: the rare characters from U+20000 on are not
    cut, and instead all from U+2001 to U+2A6D are: dashes, quotation marks,
    arrows. Published scores have this in them, so it is kept here.

    :concept:`bleu`

    Parameters
    ----------
    text : str
        One segment, untokenized.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If it is not a string.

    References
    ----------
    Post (2018), and the code released with it (version 2.6.0).

    Examples
    --------
    >>> tokenize_zh("BLEU是2002年提出的。")
    ['BLEU', '是', '2002', '年', '提', '出', '的', '。']
    """
    _check(text)
    return _cut_signs(_RUN.sub(r" \1 ", text.strip()))


def tokenize(text: str, rules: Tokenization) -> list[str]:
    """Cut a text by the rules of that name.

    :concept:`bleu`

    Parameters
    ----------
    text : str
        One segment.
    rules : {"none", "13a", "zh"} or callable
        ``"none"`` cuts at white space alone. A function of yours gets the
        text and returns the list of its tokens.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If the text is not a string.
    ValueError
        If there are no such rules.

    Examples
    --------
    >>> tokenize("Really?", "none"), tokenize("Really?", "13a")
    (['Really?'], ['Really', '?'])
    """
    _check(text)
    return tokenizer(rules)(text)


def tokenizer(rules: Tokenization) -> Callable[[str], list[str]]:
    """Return the function that cuts by these rules.

    Raises
    ------
    ValueError
        If there are no such rules.

    Examples
    --------
    >>> tokenizer("zh")("你好")
    ['你', '好']
    """
    if callable(rules):
        return rules
    if rules not in _RULES:
        raise ValueError(
            f"tokenize must be one of {[*_RULES]} or a function, got {rules!r}"
        )
    return _RULES[rules]


_RULES: dict[str, Callable[[str], list[str]]] = {
    "none": str.split,
    "13a": tokenize_13a,
    "zh": tokenize_zh,
}


def _cut_signs(text: str) -> list[str]:
    text = _SIGN.sub(r" \1 ", text)
    text = _POINT_AFTER_NO_DIGIT.sub(r"\1 \2 ", text)
    text = _POINT_BEFORE_NO_DIGIT.sub(r" \1 \2", text)
    text = _HYPHEN_AFTER_DIGIT.sub(r"\1 \2 ", text)
    return text.split()


def _check(text: object) -> None:
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, got {type(text).__name__}")
