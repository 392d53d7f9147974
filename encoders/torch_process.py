"""How torch computes in this process: what it has no setting for by network, only for all."""

import logging
import os
from collections.abc import Sequence

import torch

from encoders.encoder import EncoderOptions

log = logging.getLogger(__name__)


def settle(options: EncoderOptions, devices: Sequence[torch.device]) -> None:
    """Threads, arithmetic and determinism, as a site set them, for every network of the process.

    fp32 means fp32: torch itself would let convolutions on a GPU round their factors to TF32, with
    10 bits of mantissa. Who wants that speed takes bf16, which the space then names.
    """
    threads = threads_each(options, devices) if options.runtime == "torch" else 1
    if options.cpu_threads() < (on_cpu := sum(device.type == "cpu" for device in devices)):
        log.warning("%d networks on the CPU take a thread each", on_cpu)
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if options.deterministic:
        # read by cuBLAS when its first handle is made: one workspace for each stream, of one size
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(options.deterministic)


def threads_each(options: EncoderOptions, devices: Sequence[torch.device]) -> int:
    """CPU threads for each network: the site's number, shared by those that run on the CPU.

    One where all run on GPUs: what torch then computes on the CPU prepares single images, in
    several threads already.
    """
    on_cpu = sum(device.type == "cpu" for device in devices)
    return max(1, options.cpu_threads() // on_cpu) if on_cpu else 1
