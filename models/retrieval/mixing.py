"""Mix the weights of a network before and after a further training.

What a further training hears less of, it forgets in part. A mixture of both weights keeps most of
what was known, and gains most of what is new (Wortsman et al. 2022, "Robust fine-tuning of
zero-shot models").
"""

from pathlib import Path

from models.retrieval.token_network import PT
from models.retrieval.weights import load, save
from models.weights import digest, read_metadata


def mix(before: Path, after: Path, *, share: float, out: Path) -> None:
    """Write a mixture of two weights of our own network, statistics included.

    Args:
        before: safetensors file of the network.
        after: safetensors file of a training that began with `before`.
        share: of `after` in the mixture, 0 to 1.
        out: safetensors file to write.

    Raises:
        ValueError: if the share is no share, or the files hold other networks, or a projection that
            `refine` has fitted: it fits the vectors of its own weights alone.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"--share is {share:g}; name one from 0 to 1")
    mixed, further = load(before), load(after)
    for path, network in ((before, mixed), (after, further)):
        if not isinstance(network, PT) or network.widths != mixed.widths:
            raise ValueError(f"{path}: holds {network.name} of other layers; name weights of PT")
        if "refined" in read_metadata(path):
            raise ValueError(
                f"{path}: is refined; name weights of a training, and refine the mixture"
            )
    values = mixed.state_dict()
    for name, value in further.state_dict().items():
        if value.is_floating_point():
            values[name].lerp_(value, share)
    save(mixed, out, before=digest(before), after=digest(after), share=f"{share:g}")
