"""What is a word, before any merge: GPT-2's split, and bytes as characters."""

import functools
import re
import unicodedata


@functools.cache
def _byte_characters() -> tuple[str, ...]:
    """One visible character for every byte, as GPT-2 chose them.

    A byte that Latin-1 prints stands for itself; the others (the space, the
    control characters, the soft hyphen) take characters from 256 on, in turn.
    """
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = [byte for byte in range(256) if byte not in visible]
    return tuple(
        chr(byte if byte in visible else 256 + hidden.index(byte))
        for byte in range(256)
    )


@functools.cache
def _tables() -> tuple[dict[int, str], dict[int, int]]:
    characters = _byte_characters()
    return (
        dict(enumerate(characters)),
        {ord(character): byte for byte, character in enumerate(characters)},
    )


def bytes_to_characters(data: bytes) -> str:
    r"""Write bytes as visible characters, one for each.

    :concept:`bpe`

    Parameters
    ----------
    data : bytes
        Any bytes.

    Returns
    -------
    str
        As long as `data`; a space becomes ``Ġ``.

    Raises
    ------
    TypeError
        If `data` are not bytes.

    References
    ----------
    Radford et al. (2019), "Language models are unsupervised multitask
    learners", section 2.2, and the code released with it.

    Examples
    --------
    >>> bytes_to_characters(" naïve".encode())
    'ĠnaÃ¯ve'
    """
    if not isinstance(data, bytes):
        raise TypeError(f"data must be bytes, got {type(data).__name__}")
    return data.decode("latin-1").translate(_tables()[0])


def characters_to_bytes(characters: str) -> bytes:
    r"""Read bytes that :func:`bytes_to_characters` wrote.

    :concept:`bpe`

    Parameters
    ----------
    characters : str
        Only the 256 characters that stand for bytes.

    Returns
    -------
    bytes
        As many as there are characters.

    Raises
    ------
    ValueError
        If a character stands for no byte.

    Examples
    --------
    >>> characters_to_bytes("Ġfilm")
    b' film'
    """
    find = _tables()[1]
    strange = next((c for c in characters if ord(c) not in find), None)
    if strange is not None:
        raise ValueError(f"{strange!r} stands for no byte")
    return bytes(find[ord(character)] for character in characters)


#: The categories of numerals that are no decimal digits.
_OTHER = ("Nl", "No")


@functools.lru_cache(maxsize=64)
def _pattern(numerals: str) -> re.Pattern[str]:
    r"""Return GPT-2's pattern in the words of Python's ``re``.

    ``re`` knows no ``\p{L}`` and ``\p{N}``. Its ``\w`` is letters, numbers
    and the underscore, its ``\d`` decimal digits only, and its ``\s`` holds
    four control characters that are no white space in Unicode. There are a
    thousand other numerals (½, Ⅷ, 〇); the pattern gets those of the text, as
    all of them would make it slow.
    """
    letters = rf"[^\W\d_{numerals}]"
    numbers = rf"[\d{numerals}]"
    space = r"[^\S\x1c-\x1f]"
    others = rf"(?:[^\s\w{numerals}]|[_\x1c-\x1f])"
    return re.compile(
        r"'(?:[sdmt]|ll|ve|re)"
        rf"| ?{letters}+| ?{numbers}+| ?{others}+"
        rf"|{space}+(?![\S\x1c-\x1f])|{space}+"
    )


def split_words(text: str) -> list[str]:
    r"""Cut a text into words as GPT-2 does: nothing is lost.

    A word is a run of letters, of digits, or of other signs, with the one
    space before it; English endings such as ``'s`` stand alone, and white
    space that is left over makes words of its own. No merge reaches beyond a
    word.

    :concept:`bpe`

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    list of str
        Joined, they are `text`.

    Raises
    ------
    TypeError
        If `text` is not a string.

    References
    ----------
    Radford et al. (2019), section 2.2, and the code released with it.

    Examples
    --------
    >>> split_words("She's 24 today!  吃饭了。")
    ['She', "'s", ' 24', ' today', '!', ' ', ' 吃饭了', '。']
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, got {type(text).__name__}")
    numerals = ""
    if not text.isascii():
        others = (c for c in set(text) if unicodedata.category(c) in _OTHER)
        numerals = "".join(sorted(others))
    return _pattern(numerals).findall(text)
