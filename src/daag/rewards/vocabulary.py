"""A word-level tokenizer for a closed language, in the file format of the large ones."""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

PAD, BOS, UNKNOWN, EOS = range(4)
"""Token ids. The end is not 2, which transformers' CLIP takes for a mark of old checkpoints."""


def word_tokenizer(texts: Iterable[str], max_length: int) -> PreTrainedTokenizerFast:
    """Make a tokenizer that knows the words of some texts, lower case; "an" is read as "a".

    Args:
        texts: whatever has to be understood.
        max_length: tokens, begin and end included.
    """
    words = sorted({word for text in texts for word in text.lower().split()})
    special = ["<pad>", "<begin>", "<unknown>", "<end>"]
    vocabulary = {word: index for index, word in enumerate([*special, *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unknown>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(Regex(r"\ban\b"), "a")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<begin> $A <end>", special_tokens=[("<begin>", BOS), ("<end>", EOS)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        pad_token="<pad>",
        bos_token="<begin>",
        unk_token="<unknown>",
        eos_token="<end>",
    )
