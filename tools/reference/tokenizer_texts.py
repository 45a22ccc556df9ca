"""Texts on which tokenizers go wrong, the same ones at every run: prose in many scripts, code, emoji,
marks, control characters, broken UTF-8, special tokens, spaces, numbers, very long words.

lines(n, added_tokens, seed) gives n different texts.
"""
import random
import unicodedata

SENTENCES = """\
The river froze in the second week of January, and the ferry did not run until the thaw came in March.
"Don't worry," she said; they'd already fixed it, hadn't they? I'll see, we've time, you're early, it's fine, I'm sure he'd agree.
Der Zug nach Köln fährt um 17:45 Uhr von Gleis 3 ab; größere Gepäckstücke müssen vorher aufgegeben werden.
L'été dernier, nous avons traversé la forêt à vélo jusqu'à la côte, où l'eau était déjà tiède.
El niño preguntó por qué los pingüinos no vuelan, ¡y nadie supo qué responder!
A avó contou que não havia pão nem café naquela manhã de São João.
La città vecchia è più bella di notte, perché le luci si riflettono nell'acqua.
Zażółć gęślą jaźń; wczoraj padał deszcz, a dziś świeci słońce nad Łodzią.
Příliš žluťoučký kůň úpěl ďábelské ódy na břehu řeky.
Árvíztűrő tükörfúrógép; a macska az ablakban ült és nézte a havat.
İstanbul'da ılık bir akşamdı; çocuklar sokakta oynuyor, yaşlılar çay içiyordu.
Trời hôm nay đẹp quá, chúng ta đi ra bờ sông uống cà phê nhé?
Hãy đọc kỹ hướng dẫn trước khi sử dụng, đừng để trẻ em lại gần.
Старый мост через реку закрыли на ремонт, поэтому автобусы идут в объезд.
Щойно випав перший сніг, і діти побігли надвір ліпити їжака зі снігу.
Ο γάτος κοιμάται στο παράθυρο, ενώ έξω βρέχει. Ποιός είναι ο Οδυσσέας; ΣΊΣΥΦΟΣ
הספרייה נפתחת בשמונה בבוקר, וְהַיְלָדִים מְחַכִּים בַּחוּץ.
ذهب الولد إلى المدرسة صباحًا، وَقَرَأَ كِتَابًا جَدِيدًا عن النجوم.
کتاب‌های تازه را روی میز گذاشتم؛ می‌خواهم فردا بخوانم.
वह हर सुबह नदी के किनारे टहलने जाता है और पक्षियों को दाना डालता है।
আজ সকালে বৃষ্টি হয়েছিল, তাই আমরা বাড়িতেই ছিলাম।
இன்று காலை மழை பெய்தது, அதனால் நாங்கள் வீட்டிலேயே இருந்தோம்.
ఈ రోజు ఉదయం వర్షం కురిసింది, మేము ఇంట్లోనే ఉన్నాము.
ಇಂದು ಬೆಳಿಗ್ಗೆ ಮಳೆ ಬಂತು; ಮಕ್ಕಳು ಮನೆಯಲ್ಲಿದ್ದರು.
ഇന്ന് രാവിലെ മഴ പെയ്തു, ഞങ്ങൾ വീട്ടിൽ തന്നെ ഇരുന്നു.
આજે સવારે વરસાદ પડ્યો એટલે અમે ઘરે જ રહ્યા.
ਅੱਜ ਸਵੇਰੇ ਮੀਂਹ ਪਿਆ, ਅਸੀਂ ਘਰ ਹੀ ਰਹੇ।
වැස්ස නිසා අපි ගෙදර නැවතුණා.
เมื่อเช้านี้ฝนตกหนักมาก เราจึงอยู่แต่ในบ้าน แล้วค่อยออกไปตอนเย็น
ຕອນເຊົ້ານີ້ຝົນຕົກ ພວກເຮົາຢູ່ເຮືອນ.
ဒီနေ့မနက် မိုးရွာတယ်၊ ဒါကြောင့် ကျွန်တော်တို့ အိမ်မှာပဲ နေခဲ့တယ်။
ព្រឹកនេះភ្លៀងធ្លាក់ ដូច្នេះយើងនៅផ្ទះ។
今日は朝から雨だったので、ずっと家で本を読んでいました。カタカナとｶﾀｶﾅ、①②③、㍿。
昨天下了一整天的雨，我们哪儿也没去，只在家里看书、喝茶。“好吧……”他说。
昨天下了一整天的雨，我們哪兒也沒去；𠮷野家在街角。
오늘 아침에는 비가 와서 우리는 집에 있었습니다. 닭갈비와 떡볶이를 먹었다.
დღეს დილით წვიმდა და ჩვენ სახლში დავრჩით.
Այսօր առավոտյան անձրև եկավ, և մենք տանը մնացինք։
ዛሬ ጠዋት ዝናብ ዘነበ፣ እኛም ቤት ቆየን።
དེ་རིང་ཞོགས་པ་ཆར་པ་བབས། ང་ཚོ་ནང་ལ་བསྡད།
ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ
ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ
""".splitlines()

CODE = """\
def mean(values):\n    total = 0.0\n    for v in values:\n        total += v\n    return total / max(len(values), 1)\n
for (int i = 0; i < n; ++i) { sum += a[i] * b[i]; }  // dot product
#include <vector>\n\ntemplate <typename T>\nclass Ring {\n public:\n\tvoid Push(T v) { data_[head_++ % kSize] = v; }\n};
SELECT name, COUNT(*) FROM birds WHERE seen_at >= '2021-03-04' GROUP BY name HAVING COUNT(*) > 10;
<div class="row"><a href="https://example.org/a?b=1&c=%20#top">link &amp; text</a></div>
{"id": 17, "tags": ["x", "y\\u00e9"], "ratio": -1.5e-3, "ok": true, "none": null}
$ tar -xzf archive.tar.gz && cd archive-2.1 && ./configure --prefix="$HOME/.local" 2>&1 | tee log.txt
x = lambda y: (y**2 + 3*y - 7) % 11 if y != 0 else ~y & 0xFF
\\begin{equation} \\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2} \\end{equation}
""".splitlines()
CODE = [c.encode().decode("unicode_escape") if "\\n" in c else c for c in CODE]

EMOJI = ("😀 😂 🤔 👍 👍🏽 👩‍💻 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 🇯🇵🇰🇷 🇺 ❤️ ❤ ☎️ ✌🏿 🧑🏻‍🤝‍🧑🏿 1️⃣ #️⃣ ©️ ™ 🤷🏼‍♀️ 🐈‍⬛ 🫠 🪿 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🧠 🦙").split(" ")
NUMBERS = "0 7 42 123 1999 3.14159 1,234,567.89 -0 1e10 ½ ² ³ ¼ ⅞ Ⅻ ⅷ ٣ ٤٥٦ ۱۲۳ १२३ ๑๒๓ 一二三 〇 ① ⑳ ㈠ 𝟘𝟙𝟚 𝟭𝟮 ₁₂ ⁴⁵ ㊿ 0x1F 12:30 50% ৩৪ ௧௨ Ⅳ2 1½ x² 10⁻⁶ 9️⃣ 𐄇 𖭐".split(" ")
CONTRACTIONS = "I'm you're it's don't we'll they've he'd 'Tis o'clock I'M YOU'RE IT'S DON'T ''s 's 't 're 've 'm 'll 'd 'S 'LL 'sx 'llama rock'n'roll l’eau don’t".split(" ")
SPACES = [" ", "  ", "   ", " " * 7, " " * 16, " " * 33, "\t", "\t\t", "\n", "\n\n", "\r\n", "\n ", " \n", " \t ", "\u00a0", "\u2003", "\u3000",
          "\u200b", "\u2028", "\u2029", "\x0b", "\x0c", "\x85", "\u1680", "\u202f", "\u205f", "\ufeff", "\u180e", "\u2060", "▁", " ▁", "▁▁", "▁ "]
# Scripts by ranges of code points: random words that no vocabulary holds.
SCRIPTS = [(0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x17F), (0x180, 0x24F), (0x250, 0x2AF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x531, 0x58F), (0x591, 0x5F4),
           (0x600, 0x6FF), (0x700, 0x74F), (0x780, 0x7BF), (0x7C0, 0x7FF), (0x900, 0x97F), (0x980, 0x9FF), (0xA00, 0xA7F), (0xA80, 0xAFF), (0xB00, 0xB7F),
           (0xB80, 0xBFF), (0xC00, 0xC7F), (0xC80, 0xCFF), (0xD00, 0xD7F), (0xD80, 0xDFF), (0xE01, 0xE5B), (0xE80, 0xEFF), (0xF00, 0xFFF), (0x1000, 0x109F),
           (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F), (0x13A0, 0x13FF), (0x1780, 0x17FF), (0x1800, 0x18AF), (0x1AB0, 0x1AFF), (0x1C80, 0x1CBF), (0x1DC0, 0x1DFF),
           (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x209F), (0x20A0, 0x20FF), (0x2100, 0x218F), (0x2190, 0x23FF), (0x2460, 0x24FF), (0x2500, 0x27BF),
           (0x2C00, 0x2C5F), (0x2DE0, 0x2E5D), (0x3000, 0x303F), (0x3040, 0x30FF), (0x3100, 0x318F), (0x3200, 0x33FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA000, 0xA4CF),
           (0xA640, 0xA69F), (0xA720, 0xA7FF), (0xA8E0, 0xA8FF), (0xA960, 0xA97F), (0xAC00, 0xD7A3), (0xD7B0, 0xD7FB), (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFB50, 0xFDFF),
           (0xFE00, 0xFE2F), (0xFE30, 0xFE6F), (0xFE70, 0xFEFF), (0xFF00, 0xFFEF), (0x10000, 0x100FF), (0x10330, 0x1034A), (0x10400, 0x1044F), (0x11000, 0x110CF),
           (0x12000, 0x123FF), (0x13000, 0x1342F), (0x16F00, 0x16F9F), (0x1D100, 0x1D1FF), (0x1D400, 0x1D7FF), (0x1E000, 0x1E02F), (0x1E900, 0x1E95F), (0x1F000, 0x1FAFF),
           (0x20000, 0x2A6DF), (0x2A700, 0x2EBE0), (0x2F800, 0x2FA1F), (0x30000, 0x3134A), (0xE0001, 0xE007F), (0xE000, 0xE0FF), (0x0, 0x1F), (0x7F, 0x9F)]


def _words():
    return [w for s in SENTENCES for w in s.split(" ") if w]


class Texts:
    def __init__(self, added_tokens, seed):
        self.r = random.Random(seed)
        self.words = _words()
        self.added = list(added_tokens)

    def script_word(self):
        lo, hi = self.r.choice(SCRIPTS)
        return "".join(chr(self.r.randint(lo, hi)) for _ in range(self.r.choice((1, 2, 3, 5, 8, 13))))

    def any_char(self):
        while True:
            c = self.r.randrange(0x110000)
            if not 0xD800 <= c < 0xE000:
                return chr(c)

    def prose(self):
        s = self.r.choice(SENTENCES)
        if self.r.random() < 0.4:
            words = s.split(" ")
            self.r.shuffle(words)
            s = " ".join(words)
        return s

    def mixed(self):
        return " ".join(self.r.choice(self.words) for _ in range(self.r.randint(1, 14)))

    def cut(self):
        s = self.prose() + self.r.choice(("", " ")) + self.prose()
        a = self.r.randrange(len(s))
        return s[a:a + self.r.randint(1, 50)]

    def case(self):
        return getattr(self.mixed(), self.r.choice(("upper", "lower", "title", "swapcase", "casefold")))()

    def form(self):
        return unicodedata.normalize(self.r.choice(("NFC", "NFD", "NFKC", "NFKD")), self.cut() + self.script_word())

    def code(self):
        return self.r.choice(CODE) + self.r.choice(("", "\n", "\n\n" + self.r.choice(CODE)))

    def emoji(self):
        return self.r.choice(("", " ")).join(self.r.choice(EMOJI) for _ in range(self.r.randint(1, 6))) + self.r.choice(("", " ok", "a"))

    def numbers(self):
        return self.r.choice((" ", "", ",", " a ")).join(self.r.choice(NUMBERS) for _ in range(self.r.randint(1, 7)))

    def contractions(self):
        return self.r.choice((" ", "", "x")).join(self.r.choice(CONTRACTIONS) for _ in range(self.r.randint(1, 6)))

    def spaces(self):
        return "".join(self.r.choice(SPACES) + self.r.choice((self.r.choice(self.words), "", "", "1", "!")) for _ in range(self.r.randint(1, 7)))

    def scripts(self):
        return self.r.choice((" ", "", "\u200d")).join(self.script_word() for _ in range(self.r.randint(1, 6)))

    def marks(self):
        out = []
        for _ in range(self.r.randint(1, 8)):
            out.append(self.r.choice("aeiouAEIOUçñ가각ᄀ한กमশ字 .1"))
            out += [chr(self.r.choice((0x300, 0x301, 0x308, 0x323, 0x327, 0x328, 0x345, 0x30A, 0x1161, 0x11A8, 0x5B0, 0x64B, 0x94D, 0xE31, 0x20E3, 0xFE0F, 0x200D, 0x200C, 0x0F71, 0x0F72)))
                    for _ in range(self.r.choice((0, 1, 1, 2, 4)))]
        return "".join(out)

    def broken(self):
        raw = bytearray(self.cut().encode())
        for _ in range(self.r.randint(1, 5)):
            raw[self.r.randrange(len(raw))] = self.r.randrange(256)
        if self.r.random() < 0.3:
            raw = bytes(self.r.randrange(256) for _ in range(self.r.randint(1, 30)))
        return bytes(raw).decode("utf-8", "replace")

    def added_tokens(self):
        out = []
        for _ in range(self.r.randint(1, 5)):
            out.append(self.r.choice(("", " ", "  ", "\n", "a", "x ", " y", self.cut(), ".", "▁", "1")))
            t = self.r.choice(self.added) if self.added else "<s>"
            out.append(t if self.r.random() < 0.85 else self.r.choice((t[:-1], t[1:], t.upper(), t + t[-1:], t[0] + t)))
        return "".join(out) + self.r.choice(("", " ", " b", "c"))

    def long_word(self):
        unit = self.r.choice(("a", "ab", "=", "-", "▁", "é", "字", "1", "xyz", "ha", "🙂", "é", self.r.choice(self.words), self.script_word(), "'s", " "))
        return self.r.choice(("", "x ")) + unit * self.r.choice((30, 99, 100, 101, 150, 400)) + self.r.choice(("", " y"))

    def noise(self):
        return "".join(self.any_char() for _ in range(self.r.randint(1, 8)))

    def soup(self):
        pick = (self.numbers, self.emoji, self.contractions, self.cut, self.script_word, self.marks, self.noise)
        return self.r.choice(("", " ", "\n")).join(self.r.choice(pick)() for _ in range(self.r.randint(2, 5)))


KINDS = ("prose mixed mixed cut cut case form code emoji numbers contractions spaces spaces scripts scripts marks broken "
         "added_tokens added_tokens long_word noise soup soup").split()


def lines(count, added_tokens=(), seed=20240229):
    """`count` different texts; the first ones are a text of each kind and the sentences themselves."""
    texts = Texts(added_tokens, seed)
    seen, out = set(), []

    def add(text):
        text = text.encode("utf-8", "replace").decode("utf-8", "replace")  # no surrogates
        if text not in seen:
            seen.add(text)
            out.append(text)
    for text in ["", " ", "a", *SENTENCES, *CODE, *EMOJI, *NUMBERS, *CONTRACTIONS, *SPACES, *added_tokens]:
        add(text)
    while len(out) < count:
        add(getattr(texts, texts.r.choice(KINDS))())
    return out[:count]
