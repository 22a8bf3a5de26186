"""Public prototxts of 22 repositories, where they lie beside the checkout."""

import io
import tarfile
from pathlib import Path

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "prototxt.tar.xz"


def public_prototxts():
    """Their texts, each once."""
    with tarfile.open(fileobj=io.BytesIO(CORPUS.read_bytes()), mode="r:xz") as archive:
        texts = {
            archive.extractfile(member).read().decode(): None for member in archive.getmembers() if member.isfile()
        }
    return list(texts)
