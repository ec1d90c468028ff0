"""The words of the toy language, what they mean, and how likely they are.

Every entry carries a weight; a category's weights are normalized where they
are used. Translations are written as alternatives with weights of their own.
"""

from dataclasses import dataclass

#: Alternatives in the second language and their weights.
Choices = dict[str, float]

SINGULAR, PLURAL = "singular", "plural"


# Compared by identity: an entry is the place where it stands in the tables.
@dataclass(frozen=True, eq=False)
class Noun:
    """A noun in both numbers, with its measure word in translation."""

    singular: str
    plural: str
    weight: float
    measure: str
    meanings: Choices

    def form(self, number: str) -> str:
        """Return the word in this number."""
        return self.singular if number == SINGULAR else self.plural


@dataclass(frozen=True, eq=False)
class Verb:
    """A verb in both numbers; one that has objects always takes one."""

    singular: str
    plural: str
    weight: float
    meanings: Choices
    objects: tuple[Noun, ...] = ()

    def form(self, number: str) -> str:
        """Return the word that agrees with a subject in this number."""
        return self.singular if number == SINGULAR else self.plural


@dataclass(frozen=True, eq=False)
class Word:
    """A word that has one form."""

    form: str
    weight: float
    meanings: Choices


@dataclass(frozen=True, eq=False)
class Topic:
    """What sentences about one subject are made of."""

    name: str
    weight: float
    nouns: tuple[Noun, ...]
    verbs: tuple[Verb, ...]
    adjectives: tuple[Word, ...]


NUMBERS = {SINGULAR: 0.6, PLURAL: 0.4}

DETERMINERS = {
    SINGULAR: {"the": 0.5, "a": 0.3, "this": 0.2},
    PLURAL: {"the": 0.5, "some": 0.2, "these": 0.2, "two": 0.1},
}

PREPOSITIONS = (
    Word("near", 0.5, {"旁边": 0.6, "附近": 0.4}),
    Word("behind", 0.3, {"后面": 0.8, "背后": 0.2}),
    Word("opposite", 0.2, {"对面": 1.0}),
)

PLACES = (
    Noun("house", "houses", 0.3, "座", {"房子": 1.0}),
    Noun("tree", "trees", 0.25, "棵", {"树": 1.0}),
    Noun("bridge", "bridges", 0.2, "座", {"桥": 1.0}),
    Noun("garden", "gardens", 0.15, "个", {"花园": 0.7, "园子": 0.3}),
    Noun("hill", "hills", 0.1, "座", {"山": 0.6, "小山": 0.4}),
)

TIMES = (
    Word("today", 0.5, {"今天": 1.0}),
    Word("tonight", 0.3, {"今晚": 0.7, "今夜": 0.3}),
    Word("often", 0.2, {"经常": 0.6, "常常": 0.4}),
)

_song = Noun("song", "songs", 0.5, "首", {"歌曲": 0.6, "歌": 0.4})
_pie = Noun("pie", "pies", 0.3, "个", {"馅饼": 0.7, "派": 0.3})
_yolk = Noun("yolk", "yolks", 1.0, "个", {"蛋黄": 1.0})
_soup = Noun("soup", "soups", 0.5, "碗", {"汤": 1.0})
_perch = Noun("bass", "basses", 0.2, "条", {"鲈鱼": 1.0})
_ball = Noun("ball", "balls", 0.6, "个", {"球": 1.0})
_match = Noun("match", "matches", 0.6, "场", {"比赛": 1.0})
_game = Noun("game", "games", 0.4, "场", {"比赛": 1.0})
_mouse = Noun("mouse", "mice", 0.5, "只", {"老鼠": 1.0})
_bat = Noun("bat", "bats", 0.2, "只", {"蝙蝠": 1.0})
_hawk = Noun("hawk", "hawks", 0.2, "只", {"鹰": 0.6, "老鹰": 0.4})

MUSIC = Topic(
    "music",
    0.3,
    nouns=(
        Noun("singer", "singers", 0.35, "位", {"歌手": 0.8, "歌唱家": 0.2}),
        Noun("band", "bands", 0.25, "支", {"乐队": 1.0}),
        Noun("pianist", "pianists", 0.2, "位", {"钢琴家": 0.7, "琴师": 0.3}),
        Noun("fan", "fans", 0.2, "个", {"乐迷": 1.0}),
    ),
    verbs=(
        Verb(
            "plays",
            "play",
            0.4,
            {"演奏": 0.7, "弹奏": 0.3},
            (
                _song,
                Noun("score", "scores", 0.3, "份", {"乐谱": 1.0}),
                Noun("bass", "basses", 0.2, "把", {"贝斯": 1.0}),
            ),
        ),
        Verb(
            "records",
            "record",
            0.25,
            {"录制": 1.0},
            (_song, Noun("concert", "concerts", 0.5, "场", {"音乐会": 1.0})),
        ),
        Verb("sings", "sing", 0.2, {"唱歌": 0.7, "歌唱": 0.3}),
        Verb("practices", "practice", 0.1, {"练习": 1.0}),
        Verb("waits", "wait", 0.05, {"等待": 1.0}),
    ),
    adjectives=(
        Word("famous", 0.5, {"著名": 0.6, "有名": 0.4}),
        Word("young", 0.3, {"年轻": 1.0}),
        Word("quiet", 0.2, {"安静": 1.0}),
    ),
)

SPORT = Topic(
    "sport",
    0.3,
    nouns=(
        Noun("player", "players", 0.35, "名", {"球员": 0.7, "选手": 0.3}),
        Noun("team", "teams", 0.3, "支", {"球队": 1.0}),
        Noun("coach", "coaches", 0.15, "位", {"教练": 1.0}),
        Noun("fan", "fans", 0.2, "个", {"球迷": 1.0}),
    ),
    verbs=(
        Verb("plays", "play", 0.25, {"打": 0.6, "参加": 0.4}, (_match, _game)),
        Verb("wins", "win", 0.25, {"赢得": 0.6, "赢": 0.4}, (_match, _game)),
        Verb(
            "beats",
            "beat",
            0.15,
            {"击败": 0.6, "打败": 0.4},
            (
                Noun("team", "teams", 0.7, "支", {"球队": 1.0}),
                Noun("champion", "champions", 0.3, "位", {"冠军": 1.0}),
            ),
        ),
        Verb(
            "serves",
            "serve",
            0.1,
            {"发": 1.0},
            (_ball,),
        ),
        Verb(
            "throws",
            "throw",
            0.1,
            {"扔": 0.5, "扔出": 0.5},
            (_ball, Noun("bat", "bats", 0.4, "根", {"球棒": 1.0})),
        ),
        Verb("practices", "practice", 0.1, {"练习": 1.0}),
        Verb("waits", "wait", 0.05, {"等待": 1.0}),
    ),
    adjectives=(
        Word("young", 0.4, {"年轻": 1.0}),
        Word("strong", 0.35, {"强壮": 0.6, "强大": 0.4}),
        Word("famous", 0.25, {"著名": 0.6, "有名": 0.4}),
    ),
)

KITCHEN = Topic(
    "kitchen",
    0.25,
    nouns=(
        Noun("chef", "chefs", 0.35, "位", {"厨师": 0.6, "大厨": 0.4}),
        Noun("cook", "cooks", 0.25, "位", {"厨师": 1.0}),
        Noun("waiter", "waiters", 0.25, "名", {"服务员": 1.0}),
        Noun("guest", "guests", 0.15, "位", {"客人": 1.0}),
    ),
    verbs=(
        Verb(
            "serves",
            "serve",
            0.35,
            {"端上": 0.7, "送上": 0.3},
            (_soup, _pie, _perch),
        ),
        Verb("beats", "beat", 0.2, {"搅打": 1.0}, (_yolk,)),
        Verb(
            "tastes",
            "taste",
            0.25,
            {"品尝": 0.6, "尝": 0.4},
            (_soup, _perch),
        ),
        Verb("cooks", "cook", 0.15, {"做饭": 0.7, "烹饪": 0.3}),
        Verb("waits", "wait", 0.05, {"等待": 1.0}),
    ),
    adjectives=(
        Word("hungry", 0.4, {"饥饿": 0.5, "饿": 0.5}),
        Word("famous", 0.3, {"著名": 0.6, "有名": 0.4}),
        Word("quiet", 0.3, {"安静": 1.0}),
    ),
)

ANIMALS = Topic(
    "animals",
    0.15,
    nouns=(
        Noun("fox", "foxes", 0.35, "只", {"狐狸": 1.0}),
        Noun("bear", "bears", 0.25, "头", {"熊": 1.0}),
        Noun("hawk", "hawks", 0.2, "只", {"鹰": 0.6, "老鹰": 0.4}),
        Noun("bat", "bats", 0.2, "只", {"蝙蝠": 1.0}),
    ),
    verbs=(
        Verb(
            "catches",
            "catch",
            0.35,
            {"捉": 0.5, "抓": 0.5},
            (_mouse, _bat, _perch),
        ),
        Verb(
            "watches",
            "watch",
            0.25,
            {"盯着": 0.6, "看着": 0.4},
            (_mouse, _hawk),
        ),
        Verb("sleeps", "sleep", 0.25, {"睡觉": 1.0}),
        Verb("hides", "hide", 0.15, {"躲藏": 0.6, "藏身": 0.4}),
    ),
    adjectives=(
        Word("hungry", 0.5, {"饥饿": 0.5, "饿": 0.5}),
        Word("young", 0.3, {"年幼": 0.7, "幼小": 0.3}),
        Word("quiet", 0.2, {"安静": 1.0}),
    ),
)

TOPICS = (MUSIC, SPORT, KITCHEN, ANIMALS)
TOPIC_NAMES = tuple(topic.name for topic in TOPICS)
