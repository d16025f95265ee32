"""Find settings that cannot go together: names that are not there, or that would collide."""

import math
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from pipeline import performing, rooms, tempo
from pipeline.planning import learning_files, messages
from pipeline.planning.plan import TEMPO_RATIO, Plan
from pipeline.reading import catalogue
from pipeline.reading.recording_files import RECORDINGS

SLOWEST, FASTEST = 0.05, 20.0  # tempo ratios
LAYOUTS = {"score_following": "staves", "retrieval": "pages"}  # that networks are trained on
MAX_COMMAND_BYTES = 1_500_000  # of the paths on one command line; Linux takes 2 MB with the rest


def check(plan: Plan) -> None:
    """Raise ValueError if settings name what is not there, or if names would collide."""
    for fault in _faults(plan):
        raise ValueError(fault)


def _faults(plan: Plan) -> Iterator[str]:
    collections, fonts = plan.settings["collections"], plan.settings["fonts"]
    for section, names in (("collections", collections), ("fonts", fonts)):
        for one, other in combinations(names, 2):
            if one.casefold() == other.casefold():
                yield f"{section}: '{one}' and '{other}' are one name on some disks; rename one"
    for name, entry in collections.items():
        if entry["layout"] == "staves" and not (entry.get("durations") and entry.get("tempo")):
            yield f"collections.{name}: 'layout: staves' needs 'durations' and 'tempo'"
        shares = entry["split"]
        if isinstance(shares, dict) and not math.isclose(total := sum(shares.values()), 1):
            said = ", ".join(f"{split} {share:g}" for split, share in shares.items())
            yield f"collections.{name}.split: the shares ({said}) add up to {total:g}, not to 1"
        if entry.get("train_on_extra") and (lacking := _lacking(plan, name)):
            yield (f"collections.{name}.train_on_extra: needs the split {lacking}, which 'splits'"
                   " leaves out, to tell which extra pieces share a work with it")  # fmt: skip
        yield from _apart_faults(plan, name)
    for section in ("score_following", "retrieval"):
        if (learned := plan.settings[section]) and learned["collection"] not in collections:
            fault = messages.not_one_of(f"{section}.collection", learned["collection"], collections)
            yield f"{fault}; without networks, set '{section}: null'"
        elif learned and (lacking := _lacking(plan, learned["collection"])):
            place = f"collections.{learned['collection']}.splits"
            yield (f"{section}: needs the split {lacking}, which {place} leaves out;"
                   f" set '{section}: null'")  # fmt: skip
    yield from _further_faults(plan)
    yield from _learned_faults(plan)
    yield from _segment_faults(plan)
    yield from _tested_faults(plan)
    for font in fonts:
        if font.casefold() == RECORDINGS:
            yield f"fonts: '{font}' is the name of the recordings of collections; rename it"
        yield from _room_faults(plan, font)
        yield from _tempo_faults(plan, font)
    for name in collections:
        yield from _twins(plan, name)
        paths = sum(map(len, plan.data_files(name)))
        if paths > MAX_COMMAND_BYTES:
            yield (f"collections.{name}.chunks: {collections[name]['chunks']:,} chunks with"
                   f" {len(plan.performances(name))} performances each are more files than a"
                   " command line can name; set fewer chunks")  # fmt: skip


def _lacking(plan: Plan, collection: str) -> str | None:
    """A split that a network needs and that a collection leaves out."""
    splits = plan.splits(collection)
    return next((split for split in catalogue.DRAWN if split not in splits), None)


def _learned_faults(plan: Plan) -> Iterator[str]:
    """What keeps networks from being trained on their collection."""
    for section, layout in LAYOUTS.items():
        if not (learned := plan.settings[section]):
            continue
        name = learned["collection"]
        entry = plan.settings["collections"][name]
        for key, needed in (("layout", layout), ("spectrogram", section)):
            if entry[key] != needed:
                yield (f"{section}.collection: '{name}' has '{key}: {entry[key]}', these networks"
                       f" need '{needed}'; name another collection or set"
                       f" '{section}: null'")  # fmt: skip
        for split, share in (plan.shares(name) or {}).items():
            elsewhere = split == "train" and learned.get("further")
            if share == 0 and not elsewhere:
                yield (f"{section}: needs the split {split}, whose share in"
                       f" collections.{name}.split is 0; raise it or set"
                       f" '{section}: null'")  # fmt: skip


def _tested_faults(plan: Plan) -> Iterator[str]:
    """What keeps the networks of retrieval from being tested."""
    if not (retrieval := plan.settings["retrieval"]):
        return
    place, font, fonts = "retrieval.test_font", retrieval["test_font"], plan.settings["fonts"]
    collection = retrieval["collection"]
    played = dict(plan.performances(collection, "test"))
    able = [name for name in played if name in fonts]
    if font not in fonts:
        yield messages.not_one_of(place, font, fonts)
    elif performing.HUMAN in plan.tempo_ratios(font):
        yield (f"{place}: '{font}' plays `human`, and pairs are compared by tempo ratio; name a"
               " font that has tempo ratios alone")  # fmt: skip
    elif font not in played:
        yield (f"{place}: '{font}' does not play the test split of {collection}; these do:"
               f" {', '.join(able) or 'none'}")  # fmt: skip
    for condition in retrieval.get("conditions", []):
        if condition not in played:
            yield messages.not_one_of("retrieval.conditions", condition, played)


def _segment_faults(plan: Plan) -> Iterator[str]:
    """What keeps our own network of retrieval from being trained."""
    retrieval = plan.settings["retrieval"]
    if not retrieval or "PT" not in retrieval["networks"]:
        return
    place, training = "retrieval.training.PT", retrieval["training"]["PT"]
    segments, rest = divmod(training["batch_size"], training["onsets"])
    if rest:
        yield (f"{place}.batch_size: {training['batch_size']} pairs are not divided by the"
               f" {training['onsets']} onsets of a segment")  # fmt: skip
    elif training["segments_of_piece"] > segments:
        yield (f"{place}.segments_of_piece: {training['segments_of_piece']} are more than the"
               f" {segments} segments of a batch")  # fmt: skip
    weights = f"{plan.results}/{learning_files.RETRIEVAL_MODELS}/PT.safetensors"
    initial = training.get("initial")
    if initial and Path(initial).resolve() == Path(weights).resolve():
        yield (f"{place}.initial: {initial} is what this training writes, so it would be lost;"
               " copy it to another name and begin with that")  # fmt: skip


def _apart_faults(plan: Plan, name: str) -> Iterator[str]:
    """What keeps the works of two collections from being compared."""
    collections = plan.settings["collections"]
    if not (other := collections[name].get("apart_from")):
        return
    place = f"collections.{name}.apart_from"
    if other not in collections:
        yield messages.not_one_of(place, other, collections)
    elif other == name or collections[name].get("train_on_extra"):
        yield (f"{place}: names another collection, and 'train_on_extra' is for pieces of one;"
               " set one of both")  # fmt: skip
    elif lacking := _lacking(plan, other):
        yield (f"{place}: needs the split {lacking}, which collections.{other}.splits leaves out")


def _further_faults(plan: Plan) -> Iterator[str]:
    """What keeps retrieval from training on a further collection."""
    retrieval, collections = plan.settings["retrieval"], plan.settings["collections"]
    for name in (retrieval or {}).get("further") or []:
        if name not in collections:
            yield messages.not_one_of("retrieval.further", name, collections)
            continue
        entry, main = collections[name], retrieval["collection"]
        if entry.get("apart_from") != main:
            yield (f"retrieval.further: '{name}' may share works with the test pieces of {main};"
                   f" set 'collections.{name}.apart_from: {main}'")  # fmt: skip
        elif any(entry[key] != collections[main][key] for key in ("layout", "spectrogram")):
            yield f"retrieval.further: '{name}' has another layout or spectrogram than {main}"


def _tempo_faults(plan: Plan, font: str) -> Iterator[str]:
    for ratio in plan.tempo_ratios(font):
        if ratio == performing.HUMAN:
            continue
        try:
            slowest, fastest = tempo.span(ratio)
        except ValueError as error:
            yield f"fonts.{font}: {error}"
            continue
        if slowest < SLOWEST or fastest > FASTEST or not re.fullmatch(TEMPO_RATIO, ratio):
            yield (f"fonts.{font}: tempo ratio {ratio}: it must lie between {SLOWEST} and"
                   f" {FASTEST:g}, without an exponent")  # fmt: skip


def _twins(plan: Plan, collection: str) -> Iterator[str]:
    """Fonts whose shards would have one name: there, font and tempo ratio stand side by side."""
    named: dict[str, str] = {}
    for font, ratio in plan.performances(collection):
        twin = named.setdefault(f"{font}-{ratio}", font)
        if twin != font:
            yield (f"fonts: '{twin}' and '{font}' would both write shards named"
                   f" {font}-{ratio}; rename one")  # fmt: skip


def _room_faults(plan: Plan, font: str) -> Iterator[str]:
    room = plan.settings["fonts"][font].get("room")
    known = plan.settings["performances"].get("rooms") or {}
    if room is None:
        return
    if not known:
        yield f"fonts.{font}.room: there is no '{room}', 'performances.rooms' names no room"
    elif room not in known:
        yield messages.not_one_of(f"fonts.{font}.room", room, known)
    else:
        try:
            rooms.from_settings(known[room])
        except ValueError as error:
            yield f"performances.rooms.{room}.{error}"
