"""Time of a training step at 131 kb: lines as torch convolves them, and as planes.

    python benchmarks/genome_step.py [--steps 3] [--bin-size 32] [--stem 256] [--widths 512 512 512 768] [--windows 1]

Both networks have the same weights and read the same window; steps take turns, on one thread, and times are those of
the process. First comes what a plain script would have: nn.Conv1d with the memory allocator as it is; then both with
freed memory kept, as the command line has it. The largest difference of an output, relative to the outputs' spread, is
printed, too.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Sequence

import torch
from multiunet_cli.heap import keep_large_blocks
from torch import Tensor, nn

from multiunet.device import computes_bf16
from multiunet.domains.describe import count_parameters
from multiunet.geometries.grid.memory_format import put_channels_last
from multiunet.models.genomic import genomic_unet

BASES = 1 << 17


def take_step(net: nn.Module, codes: Tensor, bf16: bool) -> float:
    """Return the seconds of a forward and a backward pass."""
    started = time.process_time()
    net.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        output = net(codes)
    output.float().square().mean().backward()
    return time.process_time() - started


def time_steps(nets: Sequence[nn.Module], codes: Tensor, bf16: bool, steps: int) -> list[float]:
    """Return the shortest step of each network, by turns."""
    seconds: list[list[float]] = [[] for _ in nets]
    for step in range(steps + 1):
        for net, times in zip(nets, seconds):
            taken = take_step(net, codes, bf16)
            if step:  # what is made once is not counted
                times.append(taken)
    return [min(times) for times in seconds]


def main() -> None:
    """Time both ways, in float32 and, where the hardware computes in it, in bf16."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--bin-size", type=int, default=32)
    parser.add_argument("--stem", type=int, default=256)
    parser.add_argument("--widths", type=int, nargs="+", default=[512, 512, 512, 768])
    parser.add_argument("--windows", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = genomic_unet(2, args.bin_size, args.widths, stem=args.stem, dropout=0.0)
    codes = torch.randint(0, 4, (args.windows, 1, BASES), dtype=torch.uint8)
    print(f"{count_parameters(net):,} parameters, {args.windows} windows of {BASES:,} bases")
    last = copy.deepcopy(net)
    put_channels_last(last, 1)
    with torch.no_grad():
        one, other = net(codes), last(codes)
    print(f"outputs differ by {float((one - other).abs().max() / one.std()):.1e} of their deviation at most")
    kinds = {False: "float32"} | ({True: "bf16"} if computes_bf16(torch.device("cpu")) else {})
    plain = {bf16: time_steps([net], codes, bf16, args.steps)[0] for bf16 in kinds}
    keep_large_blocks()
    for bf16, kind in kinds.items():
        line, plane = time_steps([net, last], codes, bf16, args.steps)
        print(
            f"{kind}: plain {plain[bf16]:.2f} s; memory kept: lines {line:.2f} s, planes with channels last "
            f"{plane:.2f} s, {plain[bf16] / plane:.2f} and {line / plane:.2f} times as fast; than plain float32 "
            f"{plain[False] / plane:.2f} times"
        )


if __name__ == "__main__":
    main()
