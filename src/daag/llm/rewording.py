"""Put unusual word order into the usual one before a sentence is read: "the cube that is red" is "the red cube".

Source: our choice.
"""

from collections.abc import Mapping

RELATIVE = (("that", "is"), ("which", "is"), ("that's",), ("which's",), ("that", "are"))
"""What stands between a kind and the colour after it."""


def reword(tokens: list[str], colours: Mapping[str, str], kinds: Mapping[str, str]) -> list[str]:
    """Move colours in front of their kinds, and give each of two colours its kind.

    >>> reword("the cube that is red".split(), {"red": "red"}, {"cube": "cube"})
    ['the', 'red', 'cube']
    >>> reword("the red and blue cubes".split(), {"red": "red", "blue": "blue"}, {"cube": "cube"})
    ['the', 'red', 'cube', 'and', 'blue', 'cube']
    """
    return _colours_first(_one_kind_each(tokens, colours, kinds), colours, kinds)


def _colours_first(tokens: list[str], colours: Mapping[str, str], kinds: Mapping[str, str]) -> list[str]:
    done: list[str] = []
    position = 0
    while position < len(tokens):
        done.append(tokens[position])
        position += 1
        length = _kind_at_end(done, kinds)
        named = len(done) > length and done[-length - 1] in colours
        for phrase in RELATIVE if length and not named else ():
            end = position + len(phrase)
            if tuple(tokens[position:end]) == phrase and tokens[end : end + 1] and tokens[end] in colours:
                done.insert(len(done) - length, tokens[end])
                position = end + 1
                break
    return done


def _kind_at_end(tokens: list[str], kinds: Mapping[str, str]) -> int:
    """How many of the last words are a kind; 0: none."""
    return max((length for length in (1, 2) if " ".join(tokens[-length:]) in kinds), default=0)


def _one_kind_each(tokens: list[str], colours: Mapping[str, str], kinds: Mapping[str, str]) -> list[str]:
    """ "the red and the blue cubes" names a kind once, in the plural."""
    for index, word in enumerate(tokens):
        kind = word.removesuffix("es") if word.removesuffix("es") in kinds else word.removesuffix("s")
        if kind == word or kind not in kinds or index < 3 or tokens[index - 1] not in colours:
            continue
        before = index - 2 if tokens[index - 2] not in ("the", "a") else index - 3
        if tokens[before] == "and" and tokens[before - 1] in colours:
            rest = _one_kind_each(tokens[index + 1 :], colours, kinds)
            return [*tokens[:before], kind, *tokens[before:index], kind, *rest]
    return tokens
