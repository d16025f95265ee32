"""What the workflow makes with some settings: chunks, performances, and the paths of all files."""

import re
from dataclasses import dataclass
from pathlib import Path

from pipeline import performing
from pipeline.planning import learning_files, source_files
from pipeline.planning.arguments import option
from pipeline.reading import catalogue, fonts
from pipeline.reading.pieces import printable
from pipeline.reading.recording_files import RECORDED, RECORDINGS

TABLES = ("pieces", "images", "systems", "noteheads", "notes", "engraved")
PLAYED = ("performances", "features")
SYNTHESIZED = rf"[0-9.]+(-[0-9.]+)?|{performing.HUMAN}"  # tempo ratios, as in paths
TEMPO_RATIO = f"{SYNTHESIZED}|{RECORDED}"  # those of recordings, too
PIECES_PER_CHUNK = 1_000  # five minutes of tunes, but hours of piano works


@dataclass(frozen=True)
class Plan:
    """The files that the data half makes with some `settings`, all paths as the rules have them."""

    settings: dict

    @property
    def results(self) -> str:
        """Folder of the results."""
        return self.settings["results"]

    @property
    def data(self) -> str:
        """Pattern of the folder of a collection's data."""
        return f"{self.results}/data/{{collection}}"

    def chunks(self, collection: str) -> range:
        """Numbers of a collection's chunks of pieces."""
        return range(self.settings["collections"][collection]["chunks"])

    def splits(self, collection: str) -> list[str]:
        """The splits of a collection whose pieces are taken."""
        return self.settings["collections"][collection].get("splits") or list(catalogue.SPLITS)

    def played_splits(self, font: str) -> list[str]:
        """The splits whose pieces a sound font plays."""
        return self.settings["fonts"][font].get("splits") or list(catalogue.SPLITS)

    def tempo_ratios(self, font: str) -> list[str]:
        """The tempo ratios of a sound font, as in paths; `human` for the tempi of people."""
        if font == RECORDINGS:
            return [RECORDED]
        default = self.settings["performances"]["tempo_ratios"]
        return [str(ratio) for ratio in self.settings["fonts"][font].get("tempo_ratios", default)]

    def playing(self, font: str) -> list[str]:
        """How a sound font plays and where, as options of `synthesize`; none for the plain way."""
        entry, common = self.settings["fonts"][font], self.settings["performances"]
        found = []
        for name in ("expression", "velocities"):
            found += option(name, entry.get(name, common.get(name)))
        if room := entry.get("room"):
            found += option("room", room) + option("room_settings", common["rooms"][room])
        return found

    def noteheads(self, collection: str, chunk: str, tempo_ratio: str) -> list[str]:
        """The noteheads of a chunk, if they are needed to play it: match files name them."""
        wanted = tempo_ratio == performing.HUMAN
        folder = self.data.format(collection=collection)
        return [f"{folder}/noteheads/{chunk}.parquet"] if wanted else []

    def performances(self, collection: str, split: str | None = None) -> list[tuple[str, str]]:
        """Font and tempo ratio of all performances of a collection, or of one split of it; its
        recordings have names of their own in place of both."""
        wanted = {split} if split else set(self.splits(collection))
        if split == "train" and self.settings["collections"][collection].get("train_on_extra"):
            wanted.add("extra")  # where its pieces come from
        synthesized = [
            (font, ratio)
            for font, entry in self.settings["fonts"].items()
            if collection in entry.get("collections", [collection])
            if wanted & set(self.played_splits(font))
            for ratio in self.tempo_ratios(font)
        ]
        return synthesized + [(RECORDINGS, RECORDED)] * (self.recordings(collection) is not None)

    def recordings(self, collection: str) -> str | None:
        """The folder or table of a collection's recordings; None if it has none."""
        return self.settings["collections"][collection].get("recordings")

    def recordings_state(self, collection: str, chunk: int) -> str:
        """What the alignment of a chunk's recordings reruns for: others, or other files."""
        entry = self.settings["collections"][collection]
        return source_files.recordings_state(entry["recordings"], chunk, entry["chunks"])

    def fonts(self) -> list[str]:
        """The sound fonts that play anything."""
        playing = {
            font
            for collection in self.settings["collections"]
            for font, _ in self.performances(collection)
        }
        return [font for font in self.settings["fonts"] if font in playing]

    def font_pattern(self) -> str:
        """A regular expression for sound fonts in paths, each before one of its own tempo ratios.

        Shards have font and ratio side by side, so `a` at 1.0-2.0 looks like `a-1.0` at 2.0; what
        follows tells which is meant.
        """
        return "|".join(
            rf"{re.escape(font)}(?=[/-]({'|'.join(map(re.escape, self.tempo_ratios(font)))})"
            r"[/-]\d+(\.parquet$|$))"
            for font in [*self.settings["fonts"], RECORDINGS]
        )

    def chunk_files(self, pattern: str, collection: str, split: str | None = None) -> list[str]:
        """A file of every chunk of a collection (and performance, if a pattern has `{font}`)."""
        pairs = self.performances(collection, split) if "{font}" in pattern else [("", "")]
        return [
            pattern.format(collection=collection, chunk=chunk, font=font, tempo_ratio=ratio)
            for font, ratio in pairs
            for chunk in self.chunks(collection)
        ]

    def audio_folders(self, collection: str) -> list[str]:
        """The folders of recordings of a collection, whether they are kept or not."""
        pattern = f"{self.data}/audio/{{font}}/{{tempo_ratio}}/{{chunk}}"
        return self.chunk_files(pattern, collection)

    def shards(self, collection: str, split: str) -> list[str]:
        """The shards of one split of a collection."""
        pattern = f"{self.data}/shards/{split}/{{font}}-{{tempo_ratio}}-{{chunk}}.parquet"
        return self.chunk_files(pattern, collection, split)

    def shared_works(self, collection: str) -> list[str]:
        """The table of pieces that may not be trained on; none if no key asks for it."""
        entry = self.settings["collections"][collection]
        if not entry.get("train_on_extra") and not entry.get("apart_from"):
            return []
        return [f"{self.data}/shared_works.parquet".format(collection=collection)]

    def use_of_shared_works(self, collection: str) -> str:
        """The argument of `shard` that takes this table: what it is there for."""
        entry = self.settings["collections"][collection]
        return "kept_apart" if entry.get("apart_from") else "shared_works"

    def held_out(self, collection: str, table: str) -> list[str]:
        """Files of a table of the collection that this is `apart_from`; none without the key."""
        other = self.settings["collections"][collection].get("apart_from")
        return self.chunk_files(f"{self.data}/{table}/{{chunk}}.parquet", other) if other else []

    def data_files(self, collection: str) -> list[str]:
        """All that the data half makes of a collection and keeps."""
        patterns = [f"{table}/{{chunk}}" for table in TABLES]
        patterns += [f"{table}/{{font}}/{{tempo_ratio}}/{{chunk}}" for table in PLAYED]
        patterns += [
            f"shards/{split}/{{font}}-{{tempo_ratio}}-{{chunk}}" for split in catalogue.SPLITS
        ]
        made = [
            file
            for pattern in patterns
            for file in self.chunk_files(f"{self.data}/{pattern}.parquet", collection)
        ]
        kept = self.settings["performances"]["keep_audio"]
        made += self.shared_works(collection)
        return made + (self.audio_folders(collection) if kept else [])

    def is_scanned(self, collection: str) -> bool:
        """Whether some looks of a collection degrade pages as a copier or a phone does."""
        looks = self.settings["collections"][collection].get("looks") or []
        return any(look.get("scan") for look in looks)

    def written(self, names: list[str]) -> list[str]:
        """The files of some tables."""
        return learning_files.suffixed(f"{self.results}/tables", names, learning_files.TABLES)

    def figures(self, names: list[str]) -> list[str]:
        """The files of some figures."""
        return learning_files.suffixed(f"{self.results}/figures", names, learning_files.FIGURES)

    def archives(self) -> list[str]:
        """Where the archives and sound fonts lie that are fetched for the data half."""
        downloads = self.settings["downloads"]
        names = [entry["source"] for entry in self.settings["collections"].values()]
        found = [path for name in names for path in source_files.fetched(name, downloads)]
        for font in self.fonts():
            if path := catalogue.archive(self.settings["fonts"][font]["file"], downloads):
                found.append(path)
        return [str(path) for path in found]

    def source_archives(self, collection: str) -> list[str]:
        """The fetched files that a collection is read from; none if its source is the user's own.

        The user's own files are no inputs of jobs: Snakemake would look at each whenever a job
        ends, and their names and times may be anything. `source_state` stands for them.
        """
        source = self.settings["collections"][collection]["source"]
        return list(map(str, source_files.fetched(source, self.settings["downloads"])))

    def source_state(self, collection: str, chunk: int) -> str:
        """What the selection of a chunk reruns for: other files, or another edition of one."""
        source = self.settings["collections"][collection]["source"]
        if catalogue.entry_of(source):
            return source_files.expected(source)
        return source_files.state(self._source_files(collection)[chunk])

    def _source_files(self, collection: str) -> list[list[Path]]:
        entry = self.settings["collections"][collection]
        return source_files.by_chunk(
            entry["source"], entry["layout"], entry["chunks"], self.settings["downloads"]
        )

    def shares(self, collection: str) -> dict[str, float] | None:
        """Shares of the splits to draw by piece; None if the source has splits of its own."""
        split = self.settings["collections"][collection]["split"]
        return None if split == "source" else split

    def font_file(self, font: str) -> str:
        """Where a job finds a sound font: a path, or `package:file`, for an image has packages
        elsewhere."""
        name = self.settings["fonts"][font]["file"]
        return str(catalogue.archive(name, self.settings["downloads"]) or name)

    def font_archives(self, font: str) -> list[str]:
        """The sound font if it is fetched; one's own is no input, as with sources."""
        fetched = catalogue.entry_of(self.settings["fonts"][font]["file"])
        return [self.font_file(font)] if fetched else []

    def font_state(self, font: str) -> str:
        """What a performance reruns for: another file or edition of its sound font."""
        name = self.settings["fonts"][font]["file"]
        if catalogue.entry_of(name):
            return source_files.expected(name)
        return source_files.state([fonts.font_path(name)], times=not fonts.packaged(name))

    def check_sources(self) -> list[str]:
        """Look whether all sources and sound fonts are there.

        Returns:
            Advice on collections whose chunks are large, and on recordings of no piece.

        Raises:
            ValueError: that names the setting, if one is neither there nor fetched.
        """
        for font in self.fonts():
            try:
                if not self.font_archives(font):
                    fonts.font_path(self.font_file(font))
            except FileNotFoundError as error:
                raise ValueError(f"fonts.{font}: {error}") from None
        advice = []
        for name in self.settings["collections"]:
            try:
                most = max(map(len, self._source_files(name)))
            except (ValueError, OSError) as error:
                raise ValueError(f"collections.{name}.source: {error}") from None
            advice += self._stray_recordings(name)
            if most > PIECES_PER_CHUNK:
                advice.append(
                    f"collections.{name}: {most:,} files in one chunk; with more `chunks` more jobs"
                    " run side by side, in less memory, and a kill costs less"
                )
        return advice

    def _stray_recordings(self, collection: str) -> list[str]:
        """Advice on the recordings that belong to no piece of a collection."""
        if not (recordings := self.recordings(collection)):
            return []
        entry = self.settings["collections"][collection]
        place = f"collections.{collection}.recordings"
        try:
            strays = source_files.stray_recordings(recordings, entry["source"], entry["layout"])
        except (ValueError, OSError) as error:
            raise ValueError(f"{place}: {error}") from None
        if not strays:
            return []
        return [
            f"{place}: {len(strays):,} belong to no piece of {entry['source']} and are passed over,"
            f" the first is {printable(strays[0])}; name the score or the piece of each"
        ]
