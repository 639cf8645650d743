"""Texts that byte-level tokenizers and their offsets get wrong easily."""

TEXTS = [
    "",
    " ",
    "a",
    "The lighthouse keeper counts the waves.",
    "the model reads the words one by one, and the words change the model",
    "  two leading spaces",
    "    four leading spaces and four trailing    ",
    "inner   three   spaces",
    "\tone tab\t\ttwo tabs",
    "line one\nline two",
    "line one\r\nline two\r\n",
    "\n\n\nthree newlines\n",
    "mixed \t \n \r\n end",
    "don't you're we'll I'd they've it's I'M",
    "rock 'n' roll 'tis",
    "0 7 42 1234567890 3.14159 1,000,000",
    "x2y3 v1.2.3-beta 0xFF",
    "!?...;:()[]{}<>",
    "C:\\path\\to\\file.txt and https://example.org/?q=1&r=2#top",
    "snake_case camelCase kebab-case SHOUT",
    "naïve café Ångström",
    "cafe\u0301 with a combining acute",
    "Z\u0351\u036b\u0343a\u0300\u0301\u0302 stacked marks",
    "\u0301starts with a combining mark",
    "日本語のテキスト",
    "中文和 English 混排",
    "한국어 문장입니다.",
    "العربية من اليمين",
    "हिन्दी में लिखा",
    "Привет, мир!",
    "🙂",
    "a🙂b 🙂 c",
    "👩‍👩‍👧‍👦 family with joiners",
    "👍🏽 skin tone and 🇨🇭 flag",
    "𝒳𝓎 outside the basic plane",
    "zero\u200bwidth\u200cand\u2060joiner\ufeffmark",
    "no\u00a0break\u2003em\u3000ideographic spaces",
    "line\u2028separator\u0085next line\u000bvertical tab",
    "control \x00\x01\x1f\x7f characters",
    "<|endoftext|>",
    "before<|endoftext|>after <|endoftext|> <|endoftext",
    "Ġ Ċ âĢĻ letters of the byte alphabet itself",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3,
    "a" * 200,
    "replacement \ufffd character",
]

# Texts that only JavaScript can hold: every lone surrogate becomes U+FFFD before tokenizing.
LONE_SURROGATES = [
    "broken \ud83d emoji",
    "\ude42 low first",
    "ends with \ud83d",
    "pair \ud83d\ude42 is fine, \ud83d alone is not",
]


def replace_lone_surrogates(text: str) -> str:
    """What JavaScript's String.prototype.toWellFormed gives."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
