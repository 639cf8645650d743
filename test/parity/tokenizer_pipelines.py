"""Small tokenizers with the pipelines of public models: what comes before and after the vocabulary is theirs."""

import io
import json
from collections.abc import Callable, Iterable

import sentencepiece
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

WORDS_OF_GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDS_OF_LLAMA3 = WORDS_OF_GPT4 % r"\p{N}{1,3}"
WORDS_OF_QWEN2 = WORDS_OF_GPT4 % r"\p{N}"
POSSESSIVE_WORDS = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)


def byte_level(sentences: list[str], before: Iterable[pre_tokenizers.PreTokenizer] = (), *, regex=True, prefix=False,
               normalizer=None, special=("<|endoftext|>",), ignore_merges=False, after=()) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    last = pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)
    steps = [*before, last, *after]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else last
    tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=380,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sentences * 4, trainer)
    return tokenizer


def begins_with(tokenizer: Tokenizer, token: str) -> Tokenizer:
    template = processors.TemplateProcessing(
        single=f"{token} $A", pair=f"{token} $A {token}:1 $B:1",
        special_tokens=[(token, tokenizer.token_to_id(token))],
    )
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return tokenizer


def white_space_runs(tokenizer: Tokenizer) -> Tokenizer:
    """Runs of spaces and tabs as added tokens, as GPT-NeoX and Phi-2 have them."""
    tokenizer.add_tokens([AddedToken(" " * n, normalized=True) for n in range(8, 1, -1)])
    tokenizer.add_tokens([AddedToken("\t" * n, normalized=False) for n in range(3, 1, -1)])
    return tokenizer


def edited(tokenizer: Tokenizer, change: Callable[[dict], None]) -> Tokenizer:
    """The tokenizer whose file is changed by `change`."""
    file = json.loads(tokenizer.to_str())
    change(file)
    return Tokenizer.from_str(json.dumps(file))


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
SENTENCE_PIECE = ["<unk>", "<s>", "</s>"]


def byte_fallback(sentences: list[str], *, normalizer, pre_tokenizer, strip=True) -> Tokenizer:
    """BPE over characters with tokens for single bytes. Trained on words, so that no merge goes over their borders."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    trainer = trainers.BpeTrainer(
        vocab_size=430, special_tokens=[*SENTENCE_PIECE, *BYTES], limit_alphabet=60, show_progress=False
    )
    tokenizer.train_from_iterator(sentences * 4, trainer)
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.normalizer = normalizer
    last = [decoders.Strip(content=" ", left=1)] if strip else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *last]
    )

    def bytes_are_no_added_tokens(file: dict) -> None:
        file["added_tokens"] = [token for token in file["added_tokens"] if token["content"] not in BYTES]

    return edited(tokenizer, bytes_are_no_added_tokens)


def unigram(sentences: list[str], *, normalizer, pre_tokenizer, fallback=False) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=300, special_tokens=SENTENCE_PIECE, unk_token="<unk>", show_progress=False
    )
    kept = [sentence for sentence in sentences if all(ord(character) < 0x250 for character in sentence)]
    tokenizer.train_from_iterator(kept * 4, trainer)

    def with_bytes(file: dict) -> None:
        file["model"]["byte_fallback"] = True
        file["model"]["vocab"] += [[byte, -12.0] for byte in BYTES]

    return edited(tokenizer, with_bytes) if fallback else tokenizer


def word_piece(sentences: list[str], normalizer) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=320, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], limit_alphabet=100, show_progress=False
    )
    tokenizer.train_from_iterator(sentences * 4, trainer)
    return begins_with(tokenizer, "[CLS]")


def plain_bpe(sentences: list[str], *, unknown: str | None, fuse: bool, pre_tokenizer) -> Tokenizer:
    """BPE over characters that knows few of them."""
    tokenizer = Tokenizer(models.BPE(unk_token=unknown, fuse_unk=fuse))
    tokenizer.pre_tokenizer = pre_tokenizer
    special = [unknown] if unknown else []
    trainer = trainers.BpeTrainer(vocab_size=150, special_tokens=special, limit_alphabet=30, show_progress=False)
    tokenizer.train_from_iterator(sentences * 4, trainer)
    return tokenizer


def small_characters_map(sentences: list[str]) -> bytes:
    """A precompiled table as SentencePiece writes it, of few rules so that the file stays small."""
    rules = {
        "\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u3000": " ", "\ufeff": "", "\u200b": "", "\u0000": "",
        "\uff21": "A", "\uff22": "B", "\ufb01": "fi", "\u00bd": "1/2", "e\u0301": "é", "a\u0300\u0301\u0302": "a",
        "\u2026": "...", "①": "1", "㎏": "kg", "\U0001d4b3": "X", "\u1100\u1161": "가",
    }
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "rules.tsv"
        lines = (
            " ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target)
            for source, target in rules.items() if source != "\u0000"
        )
        table.write_text("\n".join(lines) + "\n", encoding="utf-8")
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences), model_writer=model, vocab_size=120, model_type="unigram",
            normalization_rule_tsv=str(table), hard_vocab_limit=False, minloglevel=2,
        )
    from transformers.convert_slow_tokenizer import import_protobuf

    parsed = import_protobuf().ModelProto.FromString(model.getvalue())
    return parsed.normalizer_spec.precompiled_charsmap


def pipelines(sentences: list[str]) -> dict[str, Tokenizer]:
    split = pre_tokenizers.Split
    metaspace = pre_tokenizers.Metaspace
    replace_spaces = normalizers.Replace(" ", "▁")
    words = pre_tokenizers.WhitespaceSplit()
    characters_map = normalizers.Precompiled(small_characters_map(sentences))
    english = [sentence for sentence in sentences if sentence.isascii()]
    return {
        "gpt-neox": white_space_runs(byte_level(sentences, normalizer=normalizers.NFC())),
        "opt": begins_with(byte_level(sentences, special=("<pad>", "</s>", "<unk>")), "</s>"),
        "roberta": byte_level(sentences, prefix=True, special=("<s>", "<mask>")),
        "llama-3": begins_with(
            byte_level(sentences, [split(Regex(WORDS_OF_LLAMA3), "isolated")], regex=False,
                       special=("<|begin_of_text|>", "<|eot_id|>"), ignore_merges=True), "<|begin_of_text|>"),
        "qwen-2": byte_level(sentences, [split(Regex(WORDS_OF_QWEN2), "isolated")], regex=False,
                             normalizer=normalizers.NFC(), special=("<|endoftext|>", "<|im_start|>")),
        "smollm-2": byte_level(sentences, [pre_tokenizers.Digits(individual_digits=True)]),
        "phi-4": byte_level(sentences, [split(Regex(POSSESSIVE_WORDS), "removed", invert=True)], regex=False),
        "falcon": byte_level(
            sentences, [pre_tokenizers.Punctuation("contiguous")],
            after=[pre_tokenizers.Digits(), split(Regex("[0-9][0-9][0-9]"), "isolated")]),
        "deepseek": byte_level(
            sentences,
            [split(Regex("[\r\n]"), "isolated"), split(Regex(r"\s?\p{L}+"), "isolated"),
             split(Regex(r"\s?\p{P}+"), "isolated"), split(Regex(r"\s+$"), "isolated"),
             split(Regex("[一-龥ࠀ-一가-퟿]+"), "isolated"), pre_tokenizers.Digits(individual_digits=True)],
            regex=False),
        "llama-2": byte_fallback(
            sentences, normalizer=normalizers.Sequence([normalizers.Prepend("▁"), replace_spaces]), pre_tokenizer=None),
        "mistral": byte_fallback(
            sentences, normalizer=None, pre_tokenizer=metaspace(prepend_scheme="first", split=False)),
        "gemma": byte_fallback(
            sentences, normalizer=replace_spaces, pre_tokenizer=split(" ", "merged_with_previous"),
            strip=False),
        "t5": unigram(sentences, normalizer=characters_map,
                      pre_tokenizer=pre_tokenizers.Sequence([words, metaspace(prepend_scheme="always")])),
        "xlnet": unigram(
            sentences,
            normalizer=normalizers.Sequence([
                normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
                normalizers.StripAccents(), normalizers.Lowercase(), characters_map,
                normalizers.Replace(Regex(" {2,}"), " ")]),
            pre_tokenizer=metaspace(prepend_scheme="always")),
        "unigram-bytes": unigram(
            sentences, normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()]),
            pre_tokenizer=metaspace(prepend_scheme="never"), fallback=True),
        "bert-uncased": word_piece(sentences, normalizers.BertNormalizer()),
        "bert-cased": word_piece(sentences, normalizers.BertNormalizer(lowercase=False, strip_accents=False)),
        "unknown-fused": plain_bpe(english, unknown="<unk>", fuse=True, pre_tokenizer=pre_tokenizers.Whitespace()),
        "unknown-single": plain_bpe(english, unknown="<unk>", fuse=False, pre_tokenizer=pre_tokenizers.Punctuation()),
        "unknown-dropped": plain_bpe(english, unknown=None, fuse=False,
                                     pre_tokenizer=pre_tokenizers.CharDelimiterSplit("-")),
    }
