"""What an encoder declares of itself: enough to list it, fetch it, build it and name its space."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from encoders.body_part import region_of
from encoders.preprocessing import Preprocessing


@dataclass(frozen=True)
class Hub:
    """Published weights: one file of a repository on the model hub.

    Attributes:
        repository: ``owner/name``.
        file: safetensors where the authors offer it; other formats are pickles.
        revision: branch, tag or commit that the first fetch takes; the lock keeps the commit.
        gated: True where the hub gives it only to those who accepted its terms.
    """

    repository: str
    file: str = "model.safetensors"
    revision: str = "main"
    gated: bool = False


@dataclass(frozen=True)
class OwnFile:
    """Weights that the site brings, by a path in its settings.

    Attributes:
        remedy: what file it is and where it comes from, as one instruction.
    """

    remedy: str = "a safetensors file of yours with the network's names"


@dataclass(frozen=True)
class InFolder:
    """Weights beside the declaration that was read of a folder.

    Attributes:
        path: of the file.
        sha256: of its bytes, as the declaration has it.
    """

    path: Path
    sha256: str


@dataclass(frozen=True)
class Names:
    """How names of published tensors become the network's.

    Attributes:
        prefix: what the wanted ones begin with; it is taken off, others are passed over.
        ignored: beginnings, after the prefix, of names that the network does not need.
        renamed: regular expressions and what stands instead (``re.sub``), in their order.
        rework: ``module:function`` from renamed tensors to those that the network has, such as
            one joint matrix for query, key and value into three; empty where none is needed.
    """

    prefix: str = ""
    ignored: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    rework: str = ""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """An encoder of the registry.

    Attributes:
        name: as settings and the command line give it.
        summary: one line for people.
        network: where the builder is, ``module:function``; it is called with ``config`` and
            ``pooling`` and returns an ``encoders.networks.pooled.PooledNetwork``.
        config: the architecture's published parameters.
        source: where weights come from; None for an encoder without.
        preprocessing: what the network was trained to see; None where it takes the image as it is.
        pooling: how its last map becomes one vector, by a name that the builder knows.
        dimension: length of a vector.
        licence: of the weights, as SPDX names it where it does.
        modalities: that it was made for, as (0008,0060) has them; empty for any.
        body_regions: that it was made for, as ``encoders.body_part`` names them; empty for any.
        packages: import names of what it needs beyond the core, and what to install for each.
        names: of its tensors.
        ct_window: centre and width in HU that CT is to be shown in, instead of the image's own.
        version: changes whenever the arithmetic around the network changes.
        reference: paper or page that the numbers are from.
    """

    name: str
    summary: str
    network: str
    dimension: int
    licence: str
    config: Mapping[str, Any] = field(default_factory=dict)
    source: Hub | OwnFile | InFolder | None = None
    preprocessing: Preprocessing | None = None
    pooling: str = "none"
    modalities: tuple[str, ...] = ()
    body_regions: tuple[str, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)
    names: Names = Names()
    ct_window: tuple[float, float] | None = None
    version: str = "1"
    reference: str = ""

    def is_made_for(self, modality: str, body_part: str) -> bool:
        """Whether it was made for such images.

        Args:
            modality: as (0008,0060) has it; empty where nobody said, which counts as made for.
            body_part: in words, the same.
        """
        if modality and self.modalities and modality not in self.modalities:
            return False
        found = region_of(body_part)
        return found is None or not self.body_regions or found[0] in self.body_regions

    def warning_for(self, modality: str) -> str | None:
        """What must stand beside a vector of that modality; None where nothing must."""
        if not self.modalities or modality in self.modalities:
            return None
        return f"{self.name} was made for {', '.join(self.modalities)}, not for {modality}"
