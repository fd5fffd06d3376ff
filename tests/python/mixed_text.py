"""Text in many languages, from a seed: what a tokenizer meets, and what it seldom meets."""

import random

LATIN = """a about above after again all also always am an and another any are around as ask at away
back be because been before began between big both but by call came can city close cold come could
country day did different do does down draw each earth end enough even ever every eye family far
father few find first follow food for found four from garden gave get give go good great green had
half hand hard has have he head hear help her here high him his home house how I if important in
into is it just keep kind knew know land large last late learn leave left letter life light like
line list little live long look made make man many may mean measure men might mile mother mountain
move much music must my name near need never new next night no not number of off often old on once
one only open or other our out over own page paper part people picture place plant point read
really right river run said same saw say school sea second see sentence set she should show side
small so some something sometimes song soon sound spell stand start state still stop story study
such take talk tell than that the their them then there these they thing think this thought three
through time to together too took tree try turn two under until up us use very walk want was watch
water way we well went were what when where which while white who why will with without word work
world would write year you young attention weights embedding transformer tokenizer gradient
straightforwardness counterintuitively photosynthesis Mississippi encyclopaedia""".split()
EUROPEAN = """über Straße Mädchen größer Äpfel Öl schön fünf Übung weiß garçon élève déjà où naïve
être cœur Noël façade forêt niño mañana corazón pingüino señor más año São irmão coração avó
żółw źródło ćma łódź świat dziękuję gęś příliš žluťoučký kůň šťastný děti smörgås fjäll ånger
Ærø blåbær þing ógn ékszer tűz őrült çocuk ığdır şeker güneş đường Việt tiếng""".split()
RUSSIAN = "и в не на я быть он с что это по они мы этот который из человек год язык слово ёлка".split()
GREEK = "και το να είναι για με από θα που δεν στη λόγος άνθρωπος γλώσσα ώρα".split()
ARABIC = "في من على إلى هذا الذي كان مع لغة كلمة السلام عليكم مَدْرَسَة كِتَابٌ ١٢٣ ۴۵۶".split()
HEBREW = "של את על לא הוא זה עם שלום עולם ספר שָׁלוֹם".split()
HINDI = "है के में की और यह नहीं भाषा शब्द हिन्दी क्षत्रिय १२३".split()
THAI = "ภาษาไทย สวัสดี น้ำ ความสนใจ ไม่ ที่ และ การเรียนรู้ ๑๒๓ กรุงเทพมหานคร".split()
KOREAN = "그 이 있다 하다 나는 사람 한국어 단어 안녕하세요 주의".split()
HAN = "的一是不了人我在有他这中大来上个国到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小么心多天而能好都然没日本東京語読書見る車電気鐵龍龜"
KANA = "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをんアイウエオカキクケコサシスセソー"
EMOJI = """😀 😂 🤔 🎉 🚀 ❤️ 👍🏽 👩‍💻 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 🇯🇵 1️⃣ 🧑🏿‍🚒 ☃️ ✨ ⚽ 🫠 🪿 ©️ ™️""".split()
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'Re", "’s", "'x", "''s", "'"]
SPACES = " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u180e\u2000\u2003\u2007\u200a\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
MARKS = "\u0300\u0301\u0302\u0303\u0308\u030a\u0327\u0328\u0338\u0345\u0361\u0489\u20dd\ufe0f\u0e47\u094d"
PUNCTUATION = list(".,;:!?-–—…\"'“”«»()[]{}<>/\\|@#$%^&*_+=~`¿¡°§±×÷€£¥") + ["...", "!!", "?!", "->", "::", "=="]
NAMES = ["count", "index", "row_sum", "maxValue", "self", "tmp2", "HTTPServer", "_x", "kernel"]


def number(r):
    kind = r.randrange(5)
    if kind == 0:
        return str(r.randrange(10 ** r.randrange(1, 15)))
    if kind == 1:
        return f"{r.randrange(10**7):,}"
    if kind == 2:
        return f"{r.uniform(-1000, 1000):.{r.randrange(1, 9)}f}"
    if kind == 3:
        return f"{r.choice('ⅣⅫ½¾²³①⑳٣৭')}{r.randrange(100)}"
    return f"0x{r.randrange(1 << 32):x}"


def english(r):
    words = [r.choice(LATIN) for _ in range(r.randrange(3, 18))]
    words[0] = words[0].capitalize()
    for _ in range(r.randrange(3)):
        words[r.randrange(len(words))] += r.choice(CONTRACTIONS)
    if r.random() < 0.3:
        words[r.randrange(len(words))] += r.choice(",;:")
    if r.random() < 0.2:
        words.insert(r.randrange(len(words)), number(r))
    return " ".join(words) + r.choice([". ", ". ", "! ", "? ", ".\n"])


def words_of(words):
    def sentence(r):
        return " ".join(r.choice(words) for _ in range(r.randrange(2, 12))) + r.choice([". ", " ", "؟ ", "।\n"])

    return sentence


def unspaced(letters):
    def sentence(r):
        return "".join(r.choice(letters) for _ in range(r.randrange(1, 60))) + r.choice(["。", "、", "！\n", " "])

    return sentence


def code(r):
    lines = []
    for _ in range(r.randrange(1, 6)):
        indent = r.choice([" " * 4 * r.randrange(5), "\t" * r.randrange(4)])
        a, b, c = (r.choice(NAMES) for _ in range(3))
        lines.append(
            indent
            + r.choice([
                f"for (int {a} = 0; {a} < {b}.size(); ++{a}) {{",
                f"{a} = {b}[{c}, :{r.randrange(99)}]  # {r.choice(LATIN)}",
                f"def {a}({b}, {c}=None):",
                f'printf("%d\\n", {a}->{b}({c}));',
                f"}} else if (!{a} && {b} != {c}) {{",
            ])
        )
    return "\n".join(lines) + r.choice(["\n", "\r\n", "\n\n"])


def blank_run(r):
    return r.choice([" ", "\n", "\t", "\r\n", " \n", "\u3000", "\xa0"]) * r.randrange(1, 90)


def odd_blanks(r):
    return "".join(r.choice(SPACES) for _ in range(r.randrange(1, 12))) + r.choice(["", "x", "7", "!"])


def accents(r):
    word = r.choice(LATIN + EUROPEAN)
    return "".join(c + "".join(r.choice(MARKS) for _ in range(r.randrange(3))) for c in word) + " "


def pictures(r):
    return "".join(r.choice(EMOJI) for _ in range(r.randrange(1, 8))) + r.choice(["", " ", "!"])


def signs(r):
    return "".join(r.choice(PUNCTUATION) for _ in range(r.randrange(1, 20))) + r.choice(["", " ", "a", "1"])


def long_word(r):
    letters = r.choice(["abcdefghijklmnopqrstuvwxyz", "ab", "z", "ACGT", "éü", HAN])
    return "".join(r.choice(letters) for _ in range(r.randrange(1, 400))) + " "


def scalar(r, limit=0x110000):
    while True:
        c = r.randrange(limit)
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def any_characters(r):
    limit = r.choice([0x80, 0x250, 0x3000, 0x10000, 0x33500, 0x110000])
    return "".join(scalar(r, limit) for _ in range(r.randrange(1, 12)))


COMMON = [english] * 12 + [words_of(EUROPEAN)] * 2 + [words_of(w) for w in (RUSSIAN, GREEK, ARABIC, HEBREW, HINDI, THAI, KOREAN)]
COMMON += [unspaced(HAN), unspaced(HAN + KANA), code, code, code, pictures, lambda r: number(r) + " "]
RARE = [blank_run, odd_blanks, accents, signs, long_word, any_characters]


def mixed_text(seed, size, rare=0.3):
    """About `size` bytes of UTF-8; a share `rare` of its parts are of the kinds that break tokenizers."""
    r = random.Random(seed)
    parts, length = [], 0
    while length < size:
        part = r.choice(RARE if r.random() < rare else COMMON)(r)
        parts.append(part)
        length += len(part.encode())
    return "".join(parts).replace("<|endoftext|>", "")


def every_character(stride=1):
    """Each Unicode scalar after a letter, a digit, a sign and a space, in pieces of some thousand;
    with a stride, all below U+3000 and then each stride-th. No token reaches over a piece's end."""
    points = [*range(0x3000), *range(0x3000, 0x110000, stride)]
    scalars = [chr(c) for c in points if not 0xD800 <= c < 0xE000]
    for start in range(0, len(scalars), 4096):
        yield "".join(f"a{c}b1{c}2!{c}? {c}\n" for c in scalars[start : start + 4096]) + "."
