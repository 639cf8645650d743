"""Records what tokenizers in GGUF files make of texts that are hard to get right.

    pip install -r test/parity/requirements.txt sentencepiece
    python test/parity/record_gguf_tokenizers.py

One byte-level vocabulary is read with each way of splitting words that GGUF files name (`tokenizer.ggml.pre`): ids are
those of the `tokenizers` library, put together as the published tokenizer.json of such a model. One SentencePiece BPE
vocabulary is read as Llama, Phi 3 and Gemma do: ids are those of transformers, reading a GGUF file. Beside, it prints
how often transformers reading a GGUF file, or SentencePiece itself, say otherwise.
Writes test/fixtures/parity/gguf/tokenizers.json.
"""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path

import gguf
import sentencepiece
from record_tokenizer import SENTENCES, train_tokenizer
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer
from transformers.integrations.gguf import gguf_tokenizer_mapping as mapping
from tricky_texts import CHANGED_TEXTS, TEXTS

PATH = Path(__file__).parent.parent / "fixtures/parity/gguf/tokenizers.json"
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|begin_of_text|>"]
USER = ["<think>"]
TEXTS = [*TEXTS, *CHANGED_TEXTS, "a <think>b</think>", "<|im_start|>user\nHi 12345 isn't IT'S", "x  <|im_start|>  y", "one Angstr"]


def split(pattern: str):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


SPLITS = mapping.GGUF_PRE_TOKENIZER_SPLITS
BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
PRE = {
    "gpt-2": (BYTE_LEVEL, False),
    "smollm": (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), BYTE_LEVEL]), False),
    "llama-bpe": (split(SPLITS["llama-bpe"]), True),
    "dbrx": (split(SPLITS["dbrx"]), False),
    "qwen2": (split(SPLITS["qwen2"]), False),
    "tekken": (split(SPLITS["tekken"]), True),
    "gpt-4o": (split(SPLITS["gpt-4o"]), False),
}


def byte_level_vocabulary() -> dict:
    trained = json.loads(train_tokenizer(SENTENCES, 420).to_str())["model"]
    ordered = sorted(trained["vocab"], key=trained["vocab"].get)
    words = [word for word in ordered if word not in CONTROL]
    # A word that no merges lead to: only tokenizers that look whole words up find it.
    words.append("ĠAngstr")
    tokens = [*CONTROL, *words, *USER]
    types = [3] * len(CONTROL) + [1] * len(words) + [4] * len(USER)
    merges = [" ".join(merge) if isinstance(merge, list) else merge for merge in trained["merges"]]
    return {"tokens": tokens, "types": types, "merges": merges}


def sentence_piece_vocabulary(folder: Path) -> dict:
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(SENTENCES * 4))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "spm"),
        model_type="bpe",
        vocab_size=520,
        byte_fallback=True,
        character_coverage=0.99,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        user_defined_symbols=["<think>"],
        control_symbols=["<mask>", "<pad>", "<bos>", "<eos>"],
        minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spm.model"))
    pieces = range(model.get_piece_size())
    kinds = [
        2 if model.is_unknown(i) else 3 if model.is_control(i) else 6 if model.is_byte(i) else 1 for i in pieces
    ]
    tokens = [model.id_to_piece(i) for i in pieces]
    kinds[tokens.index("<think>")] = 4
    return {"tokens": tokens, "types": kinds, "scores": [model.get_score(i) for i in pieces]}, model


def write_gguf(path: Path, architecture: str, kind: str, vocabulary: dict, pre: str | None) -> None:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_tokenizer_model(kind)
    if pre:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(vocabulary["tokens"])
    writer.add_token_types(vocabulary["types"])
    if "merges" in vocabulary:
        writer.add_token_merges(vocabulary["merges"])
    if "scores" in vocabulary:
        writer.add_token_scores(vocabulary["scores"])
        writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    for key in ("block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count"):
        writer.add_uint32(f"{architecture}.{key}", 4)
    writer.add_uint32(f"{architecture}.attention.head_count_kv", 4)
    writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", 1e-5)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_by_transformers(folder: Path, architecture: str, kind: str, vocabulary: dict, pre: str | None) -> list[list[int]]:
    path = folder / "vocabulary.gguf"
    write_gguf(path, architecture, kind, vocabulary, pre)
    # The class is chosen by model type; only the file's own content counts here.
    arch, fields, _ = mapping.get_gguf_tokenizer(str(path))
    tokenizer, _ = mapping.convert_gguf_tokenizer(arch, fields)
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    byte_level = byte_level_vocabulary()
    recorded = {}
    for pre, (pre_tokenizer, whole_words) in PRE.items():
        vocab = {token: id for id, token in enumerate(byte_level["tokens"])}
        merges = [tuple(merge.split(" ")) for merge in byte_level["merges"]]
        tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=whole_words))
        tokenizer.pre_tokenizer = pre_tokenizer
        tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in CONTROL])
        tokenizer.add_tokens([AddedToken(token, normalized=False) for token in USER])
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
        other = read_by_transformers(folder, "llama", "gpt2", byte_level, pre)
        print(pre, "transformers differs in", sum(a != b for a, b in zip(ids, other)), "of", len(TEXTS))
        recorded[pre] = ids
    pieces, model = sentence_piece_vocabulary(folder)
    for architecture in ("llama", "phi3", "gemma"):
        ids = read_by_transformers(folder, architecture, "llama", pieces, None)
        own = [model.encode(text) for text in TEXTS]
        print(architecture, "SentencePiece differs in", sum(a != b for a, b in zip(ids, own)), "of", len(TEXTS))
        recorded[architecture] = ids
    versions = {name: version(name) for name in ("gguf", "sentencepiece", "tokenizers", "transformers")}
    content = {"versions": versions, "texts": TEXTS, "byteLevel": byte_level, "sentencePiece": pieces, "ids": recorded}
    PATH.write_text(json.dumps(content, ensure_ascii=True) + "\n")
    print(PATH, PATH.stat().st_size)


if __name__ == "__main__":
    main()
