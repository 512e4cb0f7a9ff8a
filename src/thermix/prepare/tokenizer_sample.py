"""Texts on which two libraries that read one tokenizer.json are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["sample"]

_MOST = 1 << 18  # characters of given text: `tokenizers` takes about 0.2 s for them
_MOST_OF_ONE = 1 << 14

_ODD = (
    "",
    " ",
    "\n",
    "The quick brown fox jumps over the lazy dog. It's 3.14159 o'clock, isn't it? WE'LL SEE",
    "def f(x):\n\tif x != 0:\n        return {'a': [x**2, -1e-9]}  # ok\r\n\n\n\n",
    " leading, trailing  and   many    spaces \t\t tabs \n \n newlines   \n\n\n",
    "naïve café résumé Ångström ŒUVRE ÷ × ± ½ ² № ™ ﬁ ﬂ Ⅷ",
    "e\u0301 a\u030a n\u0303 \u0041\u030a\u0323 \u1e69 \u0073\u0323\u0307",
    "Привет, мир! Ελληνικά γλώσσα. हिन्दी पाठ ภาษาไทย 한국어 문장",
    "你好,世界。这是一个句子。日本語のテキスト、カタカナ・ひらがな。「引用」",
    "مرحبا بالعالم، هذا نص عربي. שלום עולם \u200f\u200e\u202b\u202c",
    "😀😃🤖👩‍👩‍👧‍👦🏳️‍🌈🇩🇪 👍🏽 ☃️ ✨ 𝒜𝔅 𠜎 \U0010ffff",
    "\x00\x01\x02\x07\x08\x0b\x0c\x1b\x7f\x85\xa0\xad\u2028\u2029\ufeff\ufffd\ufffe\ue000",
    "\u00a0\u1680\u2000\u2003\u2009\u200a\u200b\u200c\u200d\u202f\u205f\u2060\u3000",
    "0 00 000 0000 12345678901234567890 1,000,000.00 ٠١٢٣ १२३ ½⅓ 0x1F 1e10",
    "camelCase snake_case SCREAMING_CASE kebab-case HTTPServer2Response v1.2.3-rc4",
    "<|endoftext|><s></s><unk><pad>[CLS][SEP][MASK]<|im_start|>user<|im_end|> <0x0A><0xFF>",
    "!!!???...---===***###@@@$$$%%%^^^&&&((()))[[[]]]{{{}}}|||\\\\\\///~~~```'''\"\"\"<<<>>>",
    "https://example.org/a/b?c=d&e=%20f#g user@example.org C:\\Users\\x \\n \\u0041",
    "▁▁ Ġ Ċ ĉ ## ##ing ▁the Ġthe",
    "a" * 3_000,
    " " * 3_000,
    "\n" * 1_000,
    "ab" * 1_500,
    "界" * 1_000,
)


def sample(given: Sequence[str], tokens: Iterable[str]) -> list[str]:
    """Odd texts, the names of special tokens inside text, given texts cut short; and each kind in one.

    Args:
        given: texts of the user's own, of which the first 256 Ki characters are taken.
        tokens: names of special tokens.
    """
    named = "".join(f"{name} a{name}b {name}{name}\n" for name in tokens)[:_MOST_OF_ONE]
    odd = [*_ODD, named]
    own = _beginnings(given)
    return [*odd, "".join(odd), *own, "".join(own)]


def _beginnings(texts: Sequence[str]) -> list[str]:
    taken: list[str] = []
    left = _MOST // 2  # each is compared for itself and in the sum of all
    for text in texts:
        if left <= 0:
            break
        taken.append(text[: min(left, _MOST_OF_ONE)])
        left -= len(taken[-1])
    return taken
