"""Make the sample catalogues: invented people rating invented books, films and podcasts.

Run ``python sample_data/generate.py`` to rewrite the files of this folder, byte for byte.
Everything random is derived from uniform numbers of one seeded generator: their stream does not
change between NumPy versions, which is not promised of its normal or Poisson numbers.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SEED = 20240521

SHARED_FILMS_BOOKS = 900
FILMS_ONLY = 300
BOOKS_ONLY = 150
PODCASTS_ONLY = 150
SHARED_PODCASTS_BOOKS = 700
USERS = SHARED_FILMS_BOOKS + FILMS_ONLY + BOOKS_ONLY + PODCASTS_ONLY

CHOICE_STRENGTH = 1.0  # standard deviation of the log odds that taste adds to popularity
RATING_STRENGTH = 0.35  # stars that one standard deviation of taste is worth
GENEROSITY_SPREAD = 0.45  # stars, between users
QUALITY_SPREAD = 0.30  # stars, between items
RATING_NOISE = 0.75  # stars, between two moods of one user
MEAN_RATING = 3.55
ZIPF_EXPONENT = 1.0
ZIPF_OFFSET = 20.0  # flattens the head: nobody reads one book alone
HIDDEN_TASTE = 0.20  # part of an item that its genres do not tell
SHARED_ACTIVITY = 0.5  # correlation of how much a user reads and watches

FIRST_DAY = 1_609_459_200  # 2021-01-01T00:00:00Z
DAY = 86_400


@dataclass(frozen=True)
class Theme:
    """One dimension of taste and the words that items of it are made of."""

    nouns: tuple[str, ...]
    who: tuple[str, ...]
    what: tuple[str, ...]
    flavour: str


@dataclass(frozen=True)
class Catalogue:
    """One domain: its themes, how it calls them, and how its titles are built."""

    name: str
    prefix: str
    items: int
    typical: float  # median number of items a user takes
    themes: tuple[Theme, ...]
    genres: tuple[tuple[str, str], ...]
    titles: tuple[str, ...]
    openings: tuple[str, ...]


STORY_THEMES = (
    Theme(
        ("Alibi", "Locksmith", "Witness", "Ledger", "Confession", "Informant", "Forgery",
         "Verdict"),
        ("a retired inspector", "a night-shift pathologist", "a small-town notary",
         "a rookie constable",
         "a disgraced reporter", "a patient forger"),
        ("follows a trail of unsigned letters", "reopens a case that nobody wants solved",
         "finds one clue too many in a locked archive",
         "has a single weekend to name the culprit",
         "learns that every witness told the same lie", "trades one secret for another"),
        "a crime to unravel",
    ),
    Theme(
        ("Orbit", "Android", "Beacon", "Colony", "Signal", "Airlock", "Satellite", "Reactor"),
        ("a cargo pilot", "a homesick android", "the last engineer of a moon colony",
         "a young astronomer",
         "a ship's archivist", "a crew of seven"),
        ("answers a signal that is older than the stars",
         "must restart a station that wants to sleep",
         "finds a second Earth on the wrong side of the map", "teaches a machine how to forget",
         "carries the last seeds across the dark", "wakes a century too early"),
        "a glimpse of the far future",
    ),
    Theme(
        ("Dragonwright", "Enchantress", "Crown", "Runestone", "Griffin", "Spellbook", "Oracle",
         "Wandmaker"),
        ("a goose-herd with a borrowed sword", "an apprentice enchantress",
         "a dragon who cannot fly",
         "the seventh child of a river king", "a stubborn cartographer",
         "a pair of runaway squires"),
        ("sets out to return a stolen spell", "bargains with the oldest tree of the realm",
         "must wake a sleeping mountain before winter", "breaks a curse and earns a worse one",
         "crosses three kingdoms to deliver a single feather",
         "finds a door beneath the castle well"),
        "a little magic",
    ),
    Theme(
        ("Bouquet", "Honeymoon", "Waltz", "Valentine", "Bakery", "Matchmaker", "Serenade",
         "Wedding"),
        ("a hopeful florist", "a pair of rival bakers", "a shy piano tuner",
         "a reluctant bridesmaid",
         "a widowed postman", "an unlucky matchmaker"),
        ("falls for the wrong pen pal", "shares an umbrella and then a summer",
         "plans a wedding that everyone tries to stop", "finds love in the lost-property office",
         "keeps missing the same train for the best of reasons",
         "says yes to the third proposal"),
        "a love story at its heart",
    ),
    Theme(
        ("Regiment", "Dynasty", "Weaver", "Archive", "Parliament", "Harvest", "Governess",
         "Shipyard"),
        ("a weaver's daughter", "a family of shipbuilders", "a court painter",
         "a travelling surgeon",
         "the governess of a fading house", "a young clerk of the parliament"),
        ("keeps a diary through the years of the blockade",
         "rebuilds a town after the great flood",
         "carries a message between two armies", "watches an old dynasty come to its end",
         "records what the chronicles left out", "defends a harvest and a name"),
        "a vanished age around it",
    ),
    Theme(
        ("Heron", "Glacier", "Estuary", "Meadow", "Tideline", "Orchard", "Footpath",
         "Kingfisher"),
        ("a lone ornithologist", "a family of beekeepers", "a lighthouse botanist",
         "a long-distance walker",
         "a glacier guide", "a patient gardener"),
        ("follows a river from its spring to the sea",
         "spends a year in a hut above the tree line",
         "counts the herons of one estuary", "walks an old pilgrim path out of season",
         "brings a drained marsh back to life", "maps the orchards that the maps forgot"),
        "wide open landscapes",
    ),
    Theme(
        ("Crypt", "Poltergeist", "Hollow", "Revenant", "Mausoleum", "Omen", "Cellar",
         "Gravedigger"),
        ("a sleepless caretaker", "the new tenant of an old manor", "a village gravedigger",
         "a sceptical priest",
         "a boarding-school night nurse", "an heir without memories"),
        ("hears a second heartbeat in the walls",
         "opens a cellar that was bricked up for a reason",
         "counts one guest too many at every dinner", "learns what the fog wants in return",
         "keeps a candle burning until morning", "digs up a bell that still rings"),
        "a shiver down the spine",
    ),
)  # fmt: skip

TALK_THEMES = (
    Theme(
        ("Circuit", "Compiler", "Gadget", "Robot", "Modem", "Keyboard"),
        ("two engineers", "three curious programmers", "retired inventors",
         "the owners of a repair shop"),
        ("take one everyday machine apart", "explain a new idea without jargon",
         "revisit inventions that almost worked", "answer listeners' questions about computing"),
        "a dose of science",
    ),
    Theme(
        ("Sprint", "Paddle", "Goalkeeper", "Marathon", "Saddle", "Relay"),
        ("two former goalkeepers", "three amateur cyclists", "a coach and her swimmers",
         "mountain-rescue volunteers"),
        ("relive a forgotten final", "talk about training after forty",
         "follow one small club through its season", "report from trails, tracks and pools"),
        "stories from the pitch",
    ),
    Theme(
        ("Kettle", "Sourdough", "Pantry", "Ladle", "Pickle", "Skillet"),
        ("three market cooks", "two sisters with one kitchen", "a baker and his critic",
         "cheerful fermenters"),
        ("cook one dish and argue about it", "trace a spice back to its harbour",
         "rescue dinners that went wrong", "visit a new kitchen every week"),
        "something good to eat",
    ),
    Theme(
        ("Invoice", "Startup", "Dividend", "Boardroom", "Bargain", "Payroll"),
        ("two sceptical economists", "four shop founders", "retired auditors",
         "three financial reporters"),
        ("explain the week's numbers in plain words",
         "ask how small firms survive their first year",
         "follow one price from factory to shelf", "discuss work, wages and good habits"),
        "a look at the accounts",
    ),
    Theme(
        ("Cello", "Vinyl", "Encore", "Drummer", "Backstage", "Refrain"),
        ("two session drummers", "a singer and her prompter", "two record collectors",
         "festival sound engineers"),
        ("listen to one song for a whole hour", "trace a melody around the world",
         "share stories from behind the stage", "review concerts in very small rooms"),
        "music throughout",
    ),
    Theme(
        ("Pillow", "Hammock", "Daydream", "Breather", "Stillness", "Nap"),
        ("three sleep researchers", "two gentle psychologists", "a doctor and a nurse",
         "two former insomniacs"),
        ("test one healthy habit at a time", "talk about sleep, worry and rest",
         "answer letters about everyday troubles", "guide a calm half-hour"),
        "advice for body and mind",
    ),
)  # fmt: skip

PLACES = (
    "Orrowby", "Quillhaven", "Vaskerholm", "Tamselby", "Ellenmoor", "Brindlewick", "Castravel",
    "Dunmarrow",
    "Elsquith", "Farrowmere", "Gallowyn", "Hestermouth", "Ivelstrand", "Jornavik", "Kelderby",
    "Lorrimar Bay",
    "Marrowfen", "Nettlescombe Rise", "Oskarsund", "Pellinstow", "Quernfold", "Rusalinde",
    "Sorrelgate",
    "Thessaby", "Umberleith", "Varrindale", "Wexelmoor", "Yarrowstead", "Zellingen Heath",
    "Ambervoe",
)  # fmt: skip
NAMES = (
    "Odalys Brack", "Tobin Merriwick", "Ilse Vantongeren", "Pascal Underhay", "Wren Aldercott",
    "Matthis Oake",
    "Signe Holloworth", "Bartel Quince", "Juno Farraday-Pell", "Edda Sarkis", "Corin Thistlewood",
    "Lioba Karst",
    "Anselm Roke", "Petra Winterbourn", "Hal Ostrander", "Mirela Duskin", "Orrin Tallis-Gray",
    "Fenna Brook",
    "Casimir Dole", "Thea Lindqvale", "Ravi Morningside", "Nell Copperfold", "Ivo Sandoval-Reed",
    "Greta Hush",
)  # fmt: skip
ADJECTIVES = (
    "Amber", "Borrowed", "Copper", "Crooked", "Distant", "Eleventh", "Forgotten", "Gilded",
    "Hidden", "Ivory",
    "Last", "Lopsided", "Midnight", "Paper", "Patient", "Quiet", "Restless", "Second", "Silver",
    "Thirteenth",
    "Unlikely", "Velvet", "Wandering", "Winter",
)  # fmt: skip
MOODS = (
    "quiet", "warm", "witty", "tense", "tender", "brisk", "dreamlike", "sharp", "generous",
    "slow-burning",
    "playful", "haunting", "clear-eyed", "big-hearted",
)  # fmt: skip

BOOKS = Catalogue(
    "books", "b", 400, 24.0, STORY_THEMES,
    (("Mystery", "Crime"), ("Science fiction", "Speculative"), ("Fantasy",
     "Folklore"), ("Romance", "Humour"),
     ("History", "Biography"), ("Nature", "Travel"), ("Horror", "Gothic")),
    ("The {adjective} {noun} of {place}", "{name} and the {adjective} {noun}",
     "The {noun} at {place}",
     "The {noun} of {name}", "The {noun} Letters of {place}", "{name}'s {adjective} {noun}"),
    ("A {mood} novel", "A {mood} debut", "A {mood} tale", "A {mood} book"),
)  # fmt: skip
FILMS = Catalogue(
    "films", "f", 500, 30.0, STORY_THEMES,
    (("Mystery", "Thriller"), ("Science fiction", "Speculative"), ("Fantasy",
     "Adventure"), ("Romance", "Comedy"),
     ("History", "Drama"), ("Documentary", "Travel"), ("Horror", "Gothic")),
    ("{adjective} {noun} over {place}", "Return to {place}: The {noun}", "The {place} {noun}",
     "The {adjective} {noun} of {name}", "{noun} Season in {place}", "One {noun} for {name}"),
    ("A {mood} film", "A {mood} feature", "A {mood} picture", "A {mood} story"),
)  # fmt: skip
PODCASTS = Catalogue(
    "podcasts", "p", 300, 20.0, TALK_THEMES,
    (("Technology", "Science"), ("Sport", "Outdoors"), ("Food", "Home"), ("Business", "Economy"),
     ("Music", "Culture"), ("Health", "Psychology")),
    ("The {adjective} {noun} Hour", "{noun} Talk with {name}", "{noun} Radio {place}",
     "{name}'s {noun} Club",
     "The {adjective} {noun} from {place}"),
    ("A {mood} weekly show", "A {mood} podcast", "A {mood} series", "A {mood} conversation"),
)  # fmt: skip


class Chance:
    """Draws of every kind, from uniform numbers alone."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def uniform(self, *shape: int) -> Floats:
        """Draw numbers from 0 (included) to 1 (not included)."""
        return self._generator.random(shape)

    def normal(self, *shape: int) -> Floats:
        """Draw standard normal numbers by the Box-Muller transform."""
        radius = np.sqrt(-2 * np.log1p(-self.uniform(*shape)))
        return np.asarray(radius * np.cos(2 * np.pi * self.uniform(*shape)))

    def gumbel(self, *shape: int) -> Floats:
        """Draw standard Gumbel numbers by inversion."""
        return np.asarray(-np.log(-np.log1p(-self.uniform(*shape))))

    def order(self, n: int) -> Integers:
        """Draw a random order of the numbers from 0 to ``n`` - 1."""
        return np.argsort(self.uniform(n), kind="stable")

    def pick(self, words: tuple[str, ...]) -> str:
        """Draw one of ``words``."""
        return words[int(self.uniform(1)[0] * len(words))]


def describe(
    chance: Chance, catalogue: Catalogue, themes: list[int], taken: set[str]
) -> tuple[str, str, str]:
    """Write title, genres and description of an item whose first theme is its main one."""
    main = catalogue.themes[themes[0]]
    title = ""
    while not title or title in taken:
        title = chance.pick(catalogue.titles).format(
            adjective=chance.pick(ADJECTIVES),
            noun=chance.pick(main.nouns),
            place=chance.pick(PLACES),
            name=chance.pick(NAMES),
        )
    taken.add(title)
    genres = [chance.pick(catalogue.genres[theme]) for theme in themes]
    if len(genres) < 3 and chance.uniform(1)[0] < 0.3:
        genres.insert(1, next(g for g in catalogue.genres[themes[0]] if g != genres[0]))
    opening = chance.pick(catalogue.openings).format(mood=chance.pick(MOODS))
    extra = "".join(f", with {catalogue.themes[theme].flavour}" for theme in themes[1:2])
    return (
        title,
        "|".join(genres),
        f"{opening} in which {chance.pick(main.who)} {chance.pick(main.what)}{extra}.",
    )


def make_items(chance: Chance, catalogue: Catalogue) -> tuple[pd.DataFrame, Floats]:
    """Make the items of a catalogue and their positions in taste, items × dims."""
    dims = len(catalogue.themes)
    positions = np.zeros((catalogue.items, dims))
    taken: set[str] = set()
    rows = []
    for item in range(catalogue.items):
        count = 1 + int(np.searchsorted((0.4, 0.8), chance.uniform(1)[0]))
        themes = [int(theme) for theme in chance.order(dims)[:count]]
        positions[item, themes] = (1.0, 0.6, 0.4)[:count]
        identity = f"{catalogue.prefix}{item + 1:03d}"
        rows.append((identity, *describe(chance, catalogue, themes, taken)))
    positions += HIDDEN_TASTE * chance.normal(catalogue.items, dims)
    # Mean length 1: one unit of CHOICE_STRENGTH then means the same in every catalogue.
    positions /= np.sqrt((positions**2).sum(axis=1)).mean()
    return pd.DataFrame(rows, columns=["item_id", "title", "genres", "description"]), positions


def make_ratings(
    chance: Chance,
    catalogue: Catalogue,
    users: Integers,
    positions: Floats,
    tastes: Floats,
    generosity: Floats,
    activity: Floats,
) -> pd.DataFrame:
    """Draw who took what, when, and how it was liked.

    ``users`` are numbers from 1; ``tastes`` (users × dims), ``generosity`` and ``activity`` have
    one row a user, standard normal.
    """
    n_users, n_items = len(users), catalogue.items
    # Popularity falls as a power of the rank; which item has which rank is left to chance.
    appeal = -ZIPF_EXPONENT * np.log(1.0 + ZIPF_OFFSET + chance.order(n_items))
    affinity = tastes @ positions.T
    # The largest of (log weight + Gumbel noise) are a draw without replacement by weight.
    keys = appeal + CHOICE_STRENGTH * affinity + chance.gumbel(n_users, n_items)
    ranking = np.argsort(-keys, axis=1, kind="stable")
    counts = np.clip(catalogue.typical * np.exp(0.75 * activity), 2, 0.5 * n_items).astype(int)

    quality = QUALITY_SPREAD * chance.normal(n_items)
    liking = (
        MEAN_RATING
        + GENEROSITY_SPREAD * generosity[:, None]
        + quality
        + RATING_STRENGTH * affinity
        + RATING_NOISE * chance.normal(n_users, n_items)
    )
    stars = np.clip(np.rint(liking), 1, 5).astype(int)
    joined = 730 * chance.uniform(n_users)
    stayed = 60 + 640 * chance.uniform(n_users)
    moments = FIRST_DAY + DAY * (
        joined[:, None] + stayed[:, None] * chance.uniform(n_users, n_items)
    )

    rows = np.repeat(np.arange(n_users), counts)
    columns = np.concatenate([ranking[user, :count] for user, count in enumerate(counts)])
    frame = pd.DataFrame(
        {
            "user_id": [f"u{user:04d}" for user in users[rows]],
            "item_id": [f"{catalogue.prefix}{item + 1:03d}" for item in columns],
            "rating": stars[rows, columns],
            "timestamp": moments[rows, columns].astype(np.int64),
        }
    )
    return frame.sort_values(["timestamp", "user_id", "item_id"], ignore_index=True)


def as_csv(frame: pd.DataFrame) -> bytes:
    """Write a frame as UTF-8 text with the same line ends on every system."""
    return frame.to_csv(index=False, lineterminator="\n").encode()


def make_files(seed: int = SEED) -> dict[str, bytes]:
    """Make the files of this folder, by name."""
    chance = Chance(seed)
    numbers = 1 + chance.order(USERS)  # so that an id does not tell which files a user is in
    both, films_only, books_only, podcasts_only = np.split(
        numbers, np.cumsum([SHARED_FILMS_BOOKS, FILMS_ONLY, BOOKS_ONLY])
    )
    readers = np.concatenate([both, books_only])
    listeners = readers[chance.order(len(readers))[:SHARED_PODCASTS_BOOKS]]
    members = {
        "books": np.sort(readers),
        "films": np.sort(np.concatenate([both, films_only])),
        "podcasts": np.sort(np.concatenate([listeners, podcasts_only])),
    }

    story_taste = chance.normal(USERS, len(STORY_THEMES))
    story_generosity = chance.normal(USERS)
    story_activity = chance.normal(USERS)
    talk_taste = chance.normal(USERS, len(TALK_THEMES))
    talk_generosity = chance.normal(USERS)

    files: dict[str, bytes] = {}
    for catalogue in (BOOKS, FILMS, PODCASTS):
        items, positions = make_items(chance, catalogue)
        users = members[catalogue.name]
        person = users - 1
        own_activity = chance.normal(USERS)
        if catalogue is PODCASTS:
            tastes, generosity, activity = talk_taste, talk_generosity, own_activity
        else:
            tastes, generosity = story_taste, story_generosity
            activity = (
                np.sqrt(SHARED_ACTIVITY) * story_activity
                + np.sqrt(1 - SHARED_ACTIVITY) * own_activity
            )
        ratings = make_ratings(
            chance, catalogue, users, positions,
            tastes[person], generosity[person], activity[person],
        )  # fmt: skip
        files[f"{catalogue.name}.csv"] = as_csv(ratings)
        files[f"{catalogue.name}_items.csv"] = as_csv(items)

    truth = {
        "target": "books.csv",
        "films.csv": {
            "helps": True,
            "shared_users": SHARED_FILMS_BOOKS,
            "cold_users": FILMS_ONLY,
            "why": "the same taste and the same generosity stand behind films and books",
        },
        "podcasts.csv": {
            "helps": False,
            "shared_users": SHARED_PODCASTS_BOOKS,
            "cold_users": PODCASTS_ONLY,
            "why": "taste, generosity and activity of the same people were drawn anew for podcasts",
        },
        "seed": seed,
        "dims": {
            "books.csv": len(STORY_THEMES),
            "films.csv": len(STORY_THEMES),
            "podcasts.csv": len(TALK_THEMES),
        },
        "how": {
            "choice": "without replacement, by popularity * exp(choice_strength * taste . item)",
            "rating": "mean + generosity + quality + rating_strength * (taste . item) + noise",
            "popularity": "(rank of the item + zipf_offset) ** -zipf_exponent",
            "choice_strength": CHOICE_STRENGTH,
            "rating_strength": RATING_STRENGTH,
            "generosity_spread": GENEROSITY_SPREAD,
            "quality_spread": QUALITY_SPREAD,
            "rating_noise": RATING_NOISE,
            "mean_rating": MEAN_RATING,
            "zipf_exponent": ZIPF_EXPONENT,
            "zipf_offset": ZIPF_OFFSET,
            "hidden_taste": HIDDEN_TASTE,
            "shared_activity": SHARED_ACTIVITY,
        },
    }
    files["truth.json"] = (json.dumps(truth, indent=2) + "\n").encode()
    return files


def main() -> None:
    """Write the files beside this script."""
    folder = Path(__file__).resolve().parent
    for name, content in make_files().items():
        (folder / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
