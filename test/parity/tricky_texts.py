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

# Texts that normalizers and vocabularies of words change: compositions, compatibility characters, unknown ones.
CHANGED_TEXTS = [
    "Cafe\u0301 THE E\u0301cole a\u0316\u0301b",
    "\u1112\u1161\u11ab\u1100\u1173\u11af 한글 ㅎㅏㄴ",
    "ﬁne ½ cup, x² + y³, ①②, 5㎏, ＡＢＣ ｶﾞｷﾞ",
    "İstanbul ΟΔΥΣΣΕΥΣ ΑΣ straße ǅ",
    "it'ſ IT'S it'D \u212a",
    "٣ ४ Ⅷ 三 ¾ ² 12345",
    "▁ literal ▁▁mark▁ and <0x41> <unk> </s>x<s> y",
    "``quoted'' 'single'  \" double",
    "two  spaces\t tab\u00a0nbsp\u3000wide \n\n end \n",
    "   ",
    "\n",
    "[CLS] bert [MASK] [SEP]unknown [UNK]",
    "<mask> left <mask>right<|eot_id|><|im_start|>user\n",
    "x-y-z--w - ...",
    "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 \u0c95\u0ccd\u0cb7 \u1e9b\u0323",
    "q\u0307\u0323 \u0344 \ufb2c \u2126 \U0002f800 \uf900",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\u00e9\U0001f642zz",
    "word" * 40 + " 日本語" * 12,
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
