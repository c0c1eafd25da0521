"""The built-in dataset: short stories from a seeded grammar, so that a first run needs no file and no network.

A story has one hero, one friend, one thing and two places, drawn once and used throughout, so that there is something
to learn beyond spelling: the name comes back, pronouns agree, and what was lost is what is found.
"""

from __future__ import annotations

import random
from typing import NamedTuple

LINES = 3000
MOST_WORDS = 60


class Character(NamedTuple):
    """Someone in a story: ``kind`` as in "a little girl", and the pronouns that agree with the name."""

    name: str
    kind: str
    they: str
    them: str
    their: str


def _cast(kind: str, names: str, pronouns: str) -> list[Character]:
    return [Character(name, kind, *pronouns.split()) for name in names.split()]


SHE, HE = "she her her", "he him his"
HEROES = [
    *_cast("a little girl", "Mia Lily Anna Zoe Nora Ella Rosa Ida", SHE),
    *_cast("a little boy", "Tom Ben Leo Sam Max Finn Otto Jack", HE),
    *_cast("a young fox", "Ruby Hazel", SHE),
    *_cast("a small bear", "Bruno Barney", HE),
    *_cast("a gray mouse", "Pip Milo", HE),
    *_cast("a white rabbit", "Daisy Clover", SHE),
]
FRIENDS = [
    *_cast("an old owl", "Olga Winnie", SHE),
    *_cast("a green frog", "Fred Hugo", HE),
    *_cast("a brown dog", "Rex Buddy", HE),
    *_cast("a black cat", "Luna Misty", SHE),
    *_cast("a tiny bird", "Kiki Bella", SHE),
]
COLORS = ["red", "blue", "yellow", "green", "silver"]
THINGS = ["ball", "kite", "hat", "boat", "drum", "scarf", "bell", "lamp"]
PLACES = [
    "in the garden",
    "by the river",
    "under the old tree",
    "in the dark forest",
    "on the hill",
    "near the farm",
    "at the market",
    "behind the house",
    "on the beach",
    "in the park",
]
FOODS = ["apple", "cookie", "pear", "carrot", "sandwich", "cake"]
DAYS = ["One day", "One morning", "One evening", "One sunny day", "One cold day", "The next day"]
GLAD = ["happy", "glad", "proud", "very happy"]
SAD = ["sad", "worried", "upset", "very sad"]

OPENINGS = [
    "Once upon a time, there was {kind} named {name}.",
    "Once upon a time, {kind} named {name} lived {home}.",
    "Once upon a time, there lived {kind} named {name}.",
    "There was once {kind} named {name}.",
]

# A plot is a list of sentences, each a choice between ways to say it.
PLOTS = [
    [  # lost and found
        ["{They} had {a_thing} and played with it every day.", "{They} loved {their} {thing} very much."],
        ["{day}, the {thing} was gone.", "{day}, {name} could not find the {thing} and was {sad}."],
        ["{They} asked {friend}, {friend_kind}, for help.", "{Friend_kind} named {friend} came to help {them}."],
        ["They looked {place} and there was the {thing}!", "At last, {friend} found the {thing} {place}."],
        ['"Thank you, {friend}!" said {name}.', "{name} was {glad}.", "{name} hugged {friend} and felt {glad}."],
    ],
    [  # a friend in trouble
        ["{day}, {they} went for a walk {place}.", "{day}, {they} was playing {place}."],
        ["There {they} saw {friend_kind} named {friend}.", "{They} met {friend}, {friend_kind}, and {friend} was {sad}."],
        ['"Please help me," said {friend}. "I am stuck."', "{friend} was stuck in a hole and could not get out."],
        ["{name} used {their} {thing} to pull {friend} out.", "{name} ran to get {their} {thing} and set {friend} free."],
        ["{friend} was {glad}.", "From that day on, they were best friends."],
    ],
    [  # sharing
        ["{day}, {they} had {a_food} for lunch {place}.", "{day}, {they} sat {place} and ate {a_food}."],
        ["{Friend_kind} named {friend} came by and looked hungry.", "Then {they} met {friend}, {friend_kind} with no food."],
        ['"Would you like some of my {food}?" asked {name}.', '"You can have half of my {food}," said {name}.'],
        ["They ate the {food} together and {friend} was {glad}.", "{friend} smiled and took a bite of the {food}."],
        ["Then {friend} gave {them} {a_thing}.", "After that, they always shared."],
    ],
    [  # afraid, then brave
        ["{day}, {they} heard a strange noise {place}.", "{day}, there was a loud noise {place}."],
        ["{name} was {sad} and wanted to hide.", "{name} held {their} {thing} and felt {sad}."],
        ['"I can be brave," {they} said.', '{Their} mom said, "You can be brave, {name}."'],
        ["But it was only {friend}, {friend_kind}!", "{They} went to look and saw {friend_kind} named {friend}."],
        ["{name} laughed and played with {friend} all day.", "{name} was not afraid any more and felt {glad}."],
    ],
    [  # trying again
        ["{day}, {they} wanted to make {a_thing}.", "{They} wanted to build {a_thing} all by {them}self."],
        ["But the {thing} broke and {name} was {sad}.", "{name} tried and tried, but the {thing} fell apart."],
        ['{friend}, {friend_kind}, said, "Try again!"', "{Friend_kind} named {friend} told {them} to try again."],
        ["So they worked {place} until the {thing} was done.", "They worked together {place} and did not give up."],
        ["Now {name} had {a_thing} and felt {glad}.", "The new {thing} was pretty, and {name} was {glad}."],
    ],
    [  # a present
        ["{They} had a friend, {friend_kind} named {friend}."],
        ["{day}, it was {friend}'s birthday, so {name} looked for a gift {place}.", "{day}, {friend} was {sad}."],
        ["{name} found {a_thing}.", "{name} saw {a_thing} {place} and smiled."],
        ['"This {thing} is for you, {friend}," said {name}.', "{They} gave the {thing} to {friend} with a big hug."],
        ["{friend} loved the {thing} and was {glad}.", '"I love this {thing}!" said {friend}.'],
    ],
]


def sample_lines(seed: int = 1) -> list[str]:
    """3,000 different stories of one line each, 20 to 60 words long; the same seed gives the same list."""
    rng = random.Random(seed)
    stories: dict[str, None] = {}  # a dict, for it keeps the order
    while len(stories) < LINES:
        story = _story(rng)
        if len(story.split()) <= MOST_WORDS:
            stories[story] = None
    return list(stories)


def _story(rng: random.Random) -> str:
    hero, friend = rng.choice(HEROES), rng.choice(FRIENDS)
    home, place = rng.sample(PLACES, 2)
    thing, food = rng.choice(THINGS), rng.choice(FOODS)
    words = hero._asdict() | {
        "friend": friend.name,
        "friend_kind": friend.kind,
        "home": home,
        "place": place,
        "thing": thing,
        "a_thing": f"a {rng.choice(COLORS)} {thing}",
        "food": food,
        "a_food": f"{'an' if food[0] in 'aeiou' else 'a'} {food}",
        "day": rng.choice(DAYS),
        "glad": rng.choice(GLAD),
        "sad": rng.choice(SAD),
    }
    words |= {key.capitalize(): _capital(words[key]) for key in ("they", "their", "friend_kind")}
    sentences = [OPENINGS, *rng.choice(PLOTS)]
    return " ".join(rng.choice(ways).format_map(words) for ways in sentences)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
