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
    tokens = _kinds_for_ones(_request(tokens), colours, kinds)
    return _colours_first(_one_kind_each(tokens, colours, kinds), colours, kinds)


def _request(tokens: list[str]) -> list[str]:
    """ "can the cube be put there" asks for it, as "the cube should be put there" does."""
    if tokens[:1] not in (["can"], ["could"]) or tokens[1:2] not in (["the"], ["a"]) or "be" not in tokens:
        return tokens
    at = tokens.index("be")
    moved = tokens[at + 1 : at + 2]  # "can it be there" would be a question
    if not moved or not (moved[0].endswith("ed") or moved[0] in ("put", "set", "laid", "brought")):
        return tokens
    return [*tokens[1:at], "should", *tokens[at:]]


def _kinds_for_ones(tokens: list[str], colours: Mapping[str, str], kinds: Mapping[str, str]) -> list[str]:
    """Give "the red one" its kind, and a kind without a colour the colour that follows later, where the sentence says."""
    for reading in (_topic, _which_is, _all_of_them, _told_after):
        tokens = reading(tokens, colours, kinds)
    return tokens


def _topic(tokens: list[str], colours: Mapping[str, str], kinds: Mapping[str, str]) -> list[str]:
    """ "of the mugs, the yellow one", "the two stars, the blue one and the red one,": the kind comes first."""
    for opening in (("of", "the"), ("the", "two"), ("both",)):
        length = len(opening)
        kind = _singular(tokens[length : length + 1], kinds)
        if tuple(tokens[:length]) == opening and kind and tokens[length + 1 : length + 2] == [","]:
            rest = tokens[length + 2 :]
            ones = [
                index for index in range(1, len(rest)) if rest[index] == "one" and rest[index - 1] in colours
            ]
            if not ones:
                return tokens
            filled = [kind if index in ones else word for index, word in enumerate(rest)]
            after = ones[-1] + 1
            return filled[:after] + (
                filled[after + 1 :] if filled[after : after + 1] == [","] else filled[after:]
            )
    return tokens


def _which_is(tokens: list[str], colours: Mapping[str, str], kinds: Mapping[str, str]) -> list[str]:
    """ "the red one, which is also a cube" and "the red one, a cube too"."""
    for index in range(1, len(tokens) - 2):
        if tokens[index] != "one" or tokens[index - 1] not in colours or tokens[index + 1] != ",":
            continue
        end = index + 2
        while end < len(tokens) and tokens[end] in ("which", "that", "is", "also", "a", "an"):
            end += 1
        if end > index + 2 and end < len(tokens) and tokens[end] in kinds:
            rest = tokens[end + 1 :]
            while rest[:1] in (["too"], ["also"], ["as", "well"][:1]):
                rest = rest[1:]
            return [*tokens[:index], tokens[end], *rest]
    return tokens


def _all_of_them(tokens: list[str], colours: Mapping[str, str], kinds: Mapping[str, str]) -> list[str]:
    """ "white on red on blue, all of them cubes"."""
    kind = _singular(tokens[-1:], kinds)
    for ending in (("all", "of", "them"), ("all",), ("both", "of", "them"), ("both",)):
        start = len(tokens) - len(ending) - 2
        if kind and start > 0 and tuple(tokens[start:-1]) == (",", *ending):
            found: list[str] = []
            for index, word in enumerate(tokens[:start]):
                found.append(word)
                following = tokens[index + 1] if index + 1 < start else ""
                if word in colours and following not in kinds:
                    found.append(kind)
            return found
    return tokens


def _told_after(tokens: list[str], colours: Mapping[str, str], kinds: Mapping[str, str]) -> list[str]:
    """ "a cube on a can: the cube is orange, the can is green", and "the plant next to the bed, the yellow one"."""
    tokens = list(tokens)
    while True:
        *_, kind, verb, colour = ("", "", "", *tokens)
        if verb == "is" and colour in colours and kind in kinds and tokens[-4:-3] == ["the"]:
            cut, wanted = 4, [kind]
        elif verb in colours and colour == "one" and tokens[-4:-2] == [",", "the"]:
            cut, colour, wanted = 3, verb, list(kinds)
        else:
            return tokens
        rest = tokens[:-cut]
        bare = [
            index
            for index, word in enumerate(rest)
            if word in wanted
            and rest[index - 1] in ("a", "an", "the", "potted")
            and not _told(rest, index, colours)
        ]
        if len(bare) != 1:
            return tokens
        place = bare[0] - (rest[bare[0] - 1] == "potted")
        tokens = [*rest[:place], colour, *rest[place:]]
        while tokens[-1] in (",", "and", "."):
            tokens.pop()


def _told(tokens: list[str], index: int, colours: Mapping[str, str]) -> bool:
    """Whether a kind's colour is said right after it: "the cube is red"."""
    return (
        tokens[index + 1 : index + 2] == ["is"]
        and tokens[index + 2 : index + 3] != []
        and tokens[index + 2] in colours
    )


def _singular(word: list[str], kinds: Mapping[str, str]) -> str:
    if not word:
        return ""
    kind = word[0].removesuffix("es") if word[0].removesuffix("es") in kinds else word[0].removesuffix("s")
    return kind if kind in kinds and kind != word[0] else ""


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
