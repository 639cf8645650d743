"""Trains small tokenizers and records their ids and offsets for texts that are hard to get right."""

import json
from importlib.metadata import version

from tiny_gpt2 import FIXTURES
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from tokenizer_pipelines import pipelines
from tricky_texts import CHANGED_TEXTS, LONE_SURROGATES, TEXTS, replace_lone_surrogates

TOKENIZER_FOLDER = FIXTURES / "tokenizer"
PIPELINES_FOLDER = FIXTURES / "tokenizers"
END_OF_TEXT = "<|endoftext|>"

SENTENCES = [
    "The lighthouse keeper counts the waves until the lamp is lit again.",
    "A model reads the words one by one, and every word changes what the model expects.",
    "When the heron lands on the harbour wall, the gulls lift and settle further down.",
    "She gave the letter to her brother, and her brother gave the letter to the baker.",
    "The numbers 1, 2, 3 and 42 appear in the table; 1999 and 2024 are years.",
    "If the kettle is cold, then the tea isn't ready, and we'll wait for it.",
    "They've measured the temperature of the water at the north shore of the lake.",
    "for (let i = 0; i < words.length; i++) { counts[words[i]] += 1; }",
    "Der Leuchtturm steht am Ende der Straße, und die Wellen brechen daran.",
    "El niño cuenta las olas desde la ventana del faro.",
    "Le phare s'éteint à l'aube, après la dernière marée.",
    "灯台は波を数える。灯台は朝に消える。",
    "Маяк гаснет на рассвете, когда волны становятся тише.",
    "🙂 🙂 🌊 waves and 🙂 smiles",
    "\tindented\twith tabs\n    and with spaces\r\nand with line ends\n\n",
]


def train_tokenizer(sentences: list[str], vocab_size: int) -> Tokenizer:
    """A byte-level BPE tokenizer as GPT-2's: its own split into words, no space put in front, no normalizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sentences * 4, trainer)
    return tokenizer


def utf16_positions(text: str) -> list[int]:
    """UTF-16 offset of every code point of the text and of its end."""
    positions = [0]
    for character in text:
        positions.append(positions[-1] + (2 if ord(character) > 0xFFFF else 1))
    return positions


def record(tokenizer: Tokenizer, text: str) -> dict:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(encoding.ids, skip_special_tokens=False) == text, text
    utf16 = utf16_positions(text)
    return {
        "text": text,
        "ids": encoding.ids,
        "codePointOffsets": encoding.offsets,
        "utf16Offsets": [(utf16[start], utf16[end]) for start, end in encoding.offsets],
    }


def record_pipeline(tokenizer: Tokenizer, texts: list[str]) -> list[list[list[int]]]:
    """For every text its ids, and start and end of every token in turn, in UTF-16 units."""
    rows = []
    for text in texts:
        encoding = tokenizer.encode(text, add_special_tokens=False)
        utf16 = utf16_positions(text)
        rows.append([encoding.ids, [utf16[at] for offsets in encoding.offsets for at in offsets]])
    return rows


def decode(tokenizer: Tokenizer, text: str) -> str:
    return tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids, skip_special_tokens=False)


def record_pipelines() -> None:
    PIPELINES_FOLDER.mkdir(parents=True, exist_ok=True)
    texts = [*TEXTS, *CHANGED_TEXTS]
    (PIPELINES_FOLDER / "texts.json").write_text(json.dumps(texts, ensure_ascii=True, indent=0) + "\n")
    for name, tokenizer in pipelines(SENTENCES).items():
        recorded = {
            "recordedWith": {"tokenizers": version("tokenizers")},
            "texts": record_pipeline(tokenizer, texts),
            "first": tokenizer.encode("a").ids[:1],
            "decoded": [decode(tokenizer, text) for text in texts],
            "tokenizer": json.loads(tokenizer.to_str()),
        }
        text = json.dumps(recorded, ensure_ascii=True, separators=(",", ":"))
        (PIPELINES_FOLDER / f"{name}.json").write_text(text + "\n")


def main() -> None:
    record_pipelines()
    TOKENIZER_FOLDER.mkdir(parents=True, exist_ok=True)
    trained = train_tokenizer(SENTENCES, vocab_size=400)
    trained.save(str(TOKENIZER_FOLDER / "tokenizer.json"))
    config = {"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": False, "model_max_length": 48}
    config |= {"bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT, "unk_token": END_OF_TEXT}
    (TOKENIZER_FOLDER / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")

    tokenizer = Tokenizer.from_file(str(TOKENIZER_FOLDER / "tokenizer.json"))
    rows = [record(tokenizer, text) for text in TEXTS]
    for text in LONE_SURROGATES:
        rows.append({**record(tokenizer, replace_lone_surrogates(text)), "textWithLoneSurrogates": text})
    recorded = {
        "recordedWith": {"tokenizers": version("tokenizers")},
        "vocabSize": tokenizer.get_vocab_size(),
        "texts": rows,
    }
    # ASCII with \u escapes: control characters, joiners and lone surrogates survive any editor.
    text = json.dumps(recorded, ensure_ascii=True, separators=(",", ":")).replace('{"text"', '\n{"text"')
    (TOKENIZER_FOLDER / "recorded.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
