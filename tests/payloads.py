"""Texts that try to be more than text, files full of them, and what a page made of them."""

import csv
import io
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dashboard.wording import WORD_JOINER, plain

# Each ``§`` becomes a mark, by which the text is found again on a page.
FORMS = (
    "<img src=x onerror=\"fetch('http://evil.example/a')\">§</img>",
    "<script>window.pwned=1</script>§",
    "<svg onload=window.pwned=1><text>§</text></svg>",
    '<iframe src="http://evil.example/b">§</iframe>',
    '<a href="http://evil.example/c" onclick="window.pwned=1">§</a>',
    "<b>§</b><br><i>x</i><sup>2</sup>",
    "</div></script></style><h1>§",
    "<details open ontoggle=window.pwned=1>§",
    "<style>*{display:none}</style>§",
    '"><img src=http://evil.example/d.png>§',
    "[§](http://evil.example/e)",
    "[§](javascript:window.pwned=1)",
    "![§](http://evil.example/f.png)",
    "<http://evil.example/g>§",
    "http://evil.example/h?§",
    "www.evil.example/§",
    "somebody@evil.example §",
    "**§** _x_ ~~y~~ ==z==",
    "`§` ```x```",
    "# §",
    "> § quoted",
    "- § listed",
    "1. § numbered",
    "| § | b |",
    "$\\frac{1}{2}$ § $$x^2$$",
    ":smile: § :+1:",
    ":material/delete: §",
    ":red[§] :blue-background[x] :small[y]",
    ":green-badge[§]",
    "[^1] § [x]: http://evil.example/i",
    "&lt;b&gt;§&amp;&#60;u&#62;",
    "%{x} § %{customdata} %{y:.2f}",
    "<extra>§</extra>",
    "{{ 7*7 }} § ${7*7} {user} %s %(x)s",
    "\u202e§\u202c \u2066x\u2069",
    "a\u200bb\u200d\ufeff§\u00ad",
    "\x1b[31m§\x1b[0m \x07",
    "e\u0301\u0323 Z\u0351\u036b\u0343 § \U0001f468\u200d\U0001f469 \U0001f1e9\U0001f1ea",
    '=HYPERLINK("http://evil.example/j";"§")',
    "+1+1 §",
    "@SUM(1) §",
    "-2 § ;=1",
    "../../../etc/passwd §",
    "..\\..\\windows § C:\\x\\\\",
    "'; DROP TABLE users; -- §",
    '","§",\'',
    "\\*§\\* \\",
    "javascript:window.pwned=1 //§",
    "\ue000\U000e0041 § \ufffe",
    "NULL § NaN",
    "§" + "W" * 3000,
)


@dataclass(frozen=True)
class Payload:
    """A text for a file, and what of it a page shows."""

    mark: str
    text: str

    @property
    def shown(self) -> str:
        return plain(self.text, len(self.text) + 1)


def payloads(letter: str) -> list[Payload]:
    """Every form once, with marks that begin with a letter of their own."""
    marks = [f"pwn{letter}{number:02d}q" for number in range(len(FORMS))]
    return [Payload(m, form.replace("§", m)) for m, form in zip(marks, FORMS, strict=True)]


def _genre(payload: Payload) -> Payload:
    """Genres are parted at blanks and signs, so that only one without them stays whole."""
    return Payload(payload.mark, re.sub(r"[ ,;|]", "_", payload.text))


USERS, TITLES, IDS = (payloads(letter) for letter in "uti")
GENRES = [g for g in map(_genre, payloads("g")) if g.text == g.text.strip(" []'\"")]
HEADS = payloads("h")[:16]
# A browser itself writes quotes and double backslashes of a file's name in another way.
NAMES = [
    p for p in payloads("n") if len(p.text) < 200 and '"' not in p.text and "\\\\" not in p.text
]


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _items(prefix: str) -> list[str]:
    """Half of the ids are plain, as these items have titles; the others are payloads."""
    return [f"{prefix}{n}" for n in range(len(TITLES))] + [f"{p.text} {prefix}" for p in IDS]


def ratings(prefix: str, extra: bool = False) -> bytes:
    """Ratings by people whose ids are payloads, three for each form."""
    random = np.random.default_rng(len(prefix))
    users = [f"{p.text}{suffix}" for suffix in ("", " 2", " 3") for p in USERS]
    items = _items(prefix)
    heads = [p.text for p in HEADS] if extra else []
    rows = [["user", "item", "rating", *heads]]
    for place, user in enumerate(users):
        liked = [n for n in range(len(items)) if (n + place) % 3 == 0]
        for item in random.choice(liked, 16, replace=False):
            cells = [p.text for p in HEADS] if extra else []
            rows.append([user, items[item], str(3 + (item + place) % 3), *cells])
    return _csv(rows)


def few_ratings() -> bytes:
    """The least that is a table of ratings."""
    return b"user,item,rating\nu1,a,1\nu2,b,2\nu3,c,3\n"


def titles() -> bytes:
    """Titles and genres of the items with plain ids, of both catalogues."""
    rows = [["item_id", "title", "genres", HEADS[0].text]]
    for prefix in "st":
        for number, payload in enumerate(TITLES):
            # Some are common enough for the legend, the others stand beside one title only.
            genre = GENRES[number % 6 if number % 2 else number % len(GENRES)]
            rows.append([f"{prefix}{number}", payload.text, genre.text, HEADS[0].text])
    return _csv(rows)


def file(name: str, content: bytes) -> dict[str, Any]:
    """A file as a browser hands it over, under any name."""
    return {"name": name, "mimeType": "text/csv", "buffer": content}


LOOK = """() => {
  const found = [];
  const evil = '[href*="evil"],[src*="evil"],[srcset*="evil"],[href^="javascript" i],[onerror],'
    + '[onload],[onclick],[ontoggle],iframe,object,embed,.katex,math,base,details details details';
  for (const one of document.querySelectorAll(evil)) found.push(one.outerHTML.slice(0, 300));
  for (const one of document.querySelectorAll('script, style'))
    if (/pwn|evil|display:none}$/.test(one.textContent) && one.textContent.length < 500)
      found.push(one.outerHTML.slice(0, 300));
  if (window.pwned) found.push('a script of the data has run');
  const texts = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (/pwn/.test(node.data) && !node.parentElement.closest('script, style'))
      texts.add(node.parentElement.closest(
        'p,li,td,th,h1,h2,h3,h4,h5,h6,text,pre,label,button,[role=option],div').textContent);
    else if (/[\\u202a-\\u202e\\u2066-\\u2069\\u200b\\u200e\\u200f\\ufeff\\u0000-\\u0008\\u001b]/
             .test(node.data))
      texts.add(node.data);
  }
  return {found, texts: [...texts]};
}"""


@dataclass
class Watch:
    """What was shown of the payloads so far, and everything that was wrong."""

    page: Any
    seen: set[str] = field(default_factory=set)
    wrong: list[tuple[str, str]] = field(default_factory=list)

    def look(self, where: str) -> None:
        """Look at all that stands on the page now."""
        told = self.page.evaluate(LOOK)
        self.wrong += [(where, f"element {found}") for found in told["found"]]
        for text in told["texts"]:
            self.judge(where, text.replace(WORD_JOINER, ""))

    def judge(self, where: str, text: str) -> None:
        """Is each payload in a text there as it is, up to where it was cut short?"""
        if text.replace("\n", "") != plain(text.replace("\n", ""), len(text) + 1):
            self.wrong.append((where, f"control or direction: {text[:200]!r}"))
        for found in MARK.finditer(text):
            if fault := _fault(text, found.start(), BY_MARK[found[0]]):
                self.wrong.append((where, fault))
            self.seen.add(found[0])

    def forms(self) -> set[int]:
        """Numbers of the forms that were seen, wherever they stood."""
        return {int(mark[4:6]) for mark in self.seen}


MARK = re.compile(r"pwn[a-z]\d\dq")
BY_MARK = {p.mark: p for p in (*USERS, *TITLES, *IDS, *GENRES, *HEADS, *NAMES)}


def _fault(text: str, start: int, payload: Payload) -> str:
    before, after = payload.shown.strip().split(payload.mark, 1)
    left = text[max(0, start - len(before)) : start]
    right = text[start + len(payload.mark) :]
    same = next((n for n, (a, b) in enumerate(zip(right, after, strict=False)) if a != b), None)
    same = min(len(right), len(after)) if same is None else same
    cut = right[same : same + 1] == "…"
    if left != before or not (same == len(after) or cut):
        return f"{payload.shown[:120]!r} is shown as {text[:200]!r}"
    return ""
