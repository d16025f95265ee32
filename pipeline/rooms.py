"""Record dry sound in a room with a microphone: reverberation, band, noise, level.

Onsets stay where they are. The path from the source to the microphone is a whole number of samples
long and is taken off again, and the band-pass has no phase.
"""

import math
from dataclasses import dataclass, fields
from itertools import combinations

import numpy as np

SPEED_OF_SOUND = 343.0  # m/s, that of pyroomacoustics at 20 degrees
WALL_M = 0.5  # source and microphone stay so far from walls, floor and ceiling
DRAWS = 1_000  # of positions, before they are laid along the diagonal
BAND_ORDER = 2  # of the Butterworth filter, run forwards and backwards
SABINE = 24 * math.log(10) / SPEED_OF_SOUND  # s/m; rt60 = SABINE * volume / absorbing area
MAX_ORDER = 150  # reflections of one sound; its cube makes the work, here 3 s and 1.2 GB


@dataclass(frozen=True)
class Room:
    """A room and its microphone; what is absent is not done.

    Attributes:
        rt60_s: Reverberation time by Sabine's formula; None for no reverberation.
        distance_m: From the source to the microphone.
        size_m: Length, width and height.
        noise_db: Level of pink noise, relative to the music (root mean squares).
        band_hz: What the microphone hears, 6 dB down at both ends; the upper end below 22,050.
        tuning_cents: How much higher the instrument is tuned.
        level_db: Level relative to the dry recording.
    """

    rt60_s: float | None = None
    distance_m: float = 2.0
    size_m: tuple[float, float, float] = (8.0, 6.0, 3.0)
    noise_db: float | None = None
    band_hz: tuple[float, float] | None = None
    tuning_cents: float = 0.0
    level_db: float = 0.0


def from_settings(settings: dict | None) -> Room:
    """The room that settings describe.

    Raises:
        ValueError: if no such room can be built; the message says what would fit.
    """
    given = dict(settings or {})
    known = [field.name for field in fields(Room)]
    for name in given:
        if name not in known:
            raise ValueError(f"{name}: no setting of a room; those are {', '.join(known)}")
    for name in ("size_m", "band_hz"):
        if given.get(name) is not None:
            given[name] = tuple(map(float, given[name]))
    room = Room(**given)
    if room.rt60_s is not None:
        if (absorbed := absorption(room)) > 1:
            shortest = room.rt60_s * absorbed
            raise ValueError(
                f"rt60_s: {room.rt60_s:g} s is too short for a room of {_size(room)}; its walls"
                f" cannot absorb more than all, which takes {shortest:.2f} s"
            )
        if (order := reflections(room)) > MAX_ORDER:
            longest = room.rt60_s * MAX_ORDER / order
            raise ValueError(
                f"rt60_s: {room.rt60_s:g} s is too long for a room of {_size(room)}: sound would be"
                f" reflected up to {order} times, {MAX_ORDER} are the limit; at most"
                f" {longest:.2f} s, or a larger room"
            )
        if room.distance_m > math.dist((0, 0, 0), [side - 2 * WALL_M for side in room.size_m]):
            raise ValueError(
                f"distance_m: {room.distance_m:g} m do not fit into a room of {_size(room)},"
                f" {WALL_M:g} m from its walls"
            )
    if room.band_hz is not None and room.band_hz[0] >= room.band_hz[1]:
        raise ValueError(f"band_hz: {list(room.band_hz)} must run from low to high")
    return room


def _size(room: Room) -> str:
    return " x ".join(f"{side:g}" for side in room.size_m) + " m"


def absorption(room: Room) -> float:
    """Energy that a wall has to absorb for the reverberation time (Sabine)."""
    length, width, height = room.size_m
    walls = 2 * (length * width + width * height + height * length)
    return SABINE * length * width * height / (walls * (room.rt60_s or math.inf))


def reflections(room: Room) -> int:
    """How often sound is reflected within the reverberation time, as the image method counts."""
    narrowest = min(a * b / math.hypot(a, b) for a, b in combinations(room.size_m, 2))
    return math.ceil(SPEED_OF_SOUND * (room.rt60_s or 0.0) / narrowest - 1)


def _positions(room: Room, distance_m: float, rng: np.random.Generator) -> np.ndarray:
    """Source and microphone so far apart, somewhere in the room: (2, 3), m."""
    low, high = np.full(3, WALL_M), np.array(room.size_m) - WALL_M
    for _ in range(DRAWS):
        source, direction = rng.uniform(low, high), rng.normal(size=3)
        microphone = source + distance_m * direction / np.linalg.norm(direction)
        if (microphone >= low).all() and (microphone <= high).all():
            return np.array([source, microphone])
    # Nearly as far apart as the room allows: along its diagonal.
    return np.array([low, low + distance_m * (high - low) / np.linalg.norm(high - low)])


def impulse_response(room: Room, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Impulse response between two positions in a room, the image method of Allen and Berkley.

    Args:
        room: with a reverberation time.
        rate: samples a second.
        rng: draws the positions.

    Returns:
        (n,) float64; the direct sound is its first sample, and is 1.
    """
    import pyroomacoustics  # slow to import, and few collections have rooms

    pyroomacoustics.constants.set("num_threads", 1)  # sums in one order on every machine
    travelled = max(round(room.distance_m / SPEED_OF_SOUND * rate), 1)  # samples
    source, microphone = _positions(room, travelled * SPEED_OF_SOUND / rate, rng)
    absorbed, order = pyroomacoustics.inverse_sabine(room.rt60_s, room.size_m, SPEED_OF_SOUND)
    box = pyroomacoustics.ShoeBox(
        room.size_m, rate, materials=pyroomacoustics.Material(absorbed), max_order=order
    )
    box.add_source(source)
    box.add_microphone(microphone)
    box.compute_rir()
    direct = travelled + pyroomacoustics.constants.get("frac_delay_length") // 2
    response = np.asarray(box.rir[0][0][direct:], np.float64)
    return response / response[0]


def pink_noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls by 3 dB an octave: (samples,) float64, root mean square 1."""
    import scipy.fft

    length = scipy.fft.next_fast_len(samples, real=True)  # of a prime length it takes for ever
    spectrum = scipy.fft.rfft(rng.normal(size=length))
    spectrum[0] = 0
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    noise = scipy.fft.irfft(spectrum, length)[:samples]
    return noise / max(_rms(noise), np.finfo(float).tiny)


def _rms(samples: np.ndarray) -> float:
    return math.sqrt(np.mean(np.square(samples)))


def record(samples: np.ndarray, rate: int, room: Room, seed: str) -> np.ndarray:
    """Record dry sound in a room.

    The tuning is not changed here: it is the instrument's.

    Args:
        samples: (n,) in [-1, 1].
        rate: samples a second.
        room: room and microphone.
        seed: of the positions and the noise.

    Returns:
        (n,) float32. Its level is that of `samples` changed by `level_db`, noise aside, or lower
        if peaks would pass full scale.
    """
    import scipy.signal  # slow to import, and plans of a run need the settings alone

    rng = np.random.default_rng(list(seed.encode()))
    wet = samples.astype(np.float64)
    if room.rt60_s is not None:
        wet = scipy.signal.oaconvolve(wet, impulse_response(room, rate, rng))[: len(samples)]
    if room.band_hz is not None:
        band = scipy.signal.butter(BAND_ORDER, room.band_hz, "bandpass", fs=rate, output="sos")
        wet = scipy.signal.sosfiltfilt(band, wet)
    level = _rms(samples) * 10 ** (room.level_db / 20)
    if (heard := _rms(wet)) > 0:
        wet *= level / heard
    if room.noise_db is not None:
        wet += level * 10 ** (room.noise_db / 20) * pink_noise(len(wet), rng)
    return (wet / max(1.0, np.abs(wet).max())).astype(np.float32)
