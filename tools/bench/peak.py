"""The processor's peak: vectors of independent fused multiply-adds in registers, on every core at once.

A kernel of LLVM's, by llvmlite, which numba brings: a loop over 12 accumulators, each of the widest vectors that the
processor has; so many, since a multiply-add takes four or five cycles and two begin in each, and no more, since AVX2
has 16 registers (with AVX-512, 8 to 24 measured alike).  Threads of Python call it, which hold no lock meanwhile; a
step is long beside their start, which took 4 % of one of 5 ms.

    python -m tools.bench.peak
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import Any

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from tools.bench.turns import Step, serve

ACCUMULATORS = 12
LOOPS = 12_000_000  # a step: some 40 ms


def lanes() -> int:
    """Floats in the widest vector."""
    features = llvm.get_host_cpu_features()
    return 16 if features.get("avx512f") else 8 if features.get("avx") else 4


def module(width: int) -> ir.Module:
    """`float peak(int64 n)`: n times ACCUMULATORS multiply-adds of vectors; gives a number that needs them all."""
    made = ir.Module()
    number, vector = ir.IntType(64), ir.VectorType(ir.FloatType(), width)
    function = ir.Function(made, ir.FunctionType(ir.FloatType(), [number]), "peak")
    fma = ir.Function(made, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{width}f32")
    entry, loop, done = (function.append_basic_block(name) for name in ("entry", "loop", "done"))
    ir.IRBuilder(entry).branch(loop)
    build = ir.IRBuilder(loop)
    # s -> 0.5 s + 0.25 stays near 0.5: neither infinite nor subnormal.
    factor, summand = (ir.Constant(vector, [value] * width) for value in (0.5, 0.25))
    i = build.phi(number)
    sums = [build.phi(vector) for _ in range(ACCUMULATORS)]
    after = [build.call(fma, [s, factor, summand]) for s in sums]
    following = build.add(i, ir.Constant(number, 1))
    i.add_incoming(ir.Constant(number, 0), entry)
    i.add_incoming(following, loop)
    for k, (s, next_s) in enumerate(zip(sums, after, strict=True)):
        s.add_incoming(ir.Constant(vector, [float(k)] * width), entry)
        s.add_incoming(next_s, loop)
    build.cbranch(build.icmp_signed("<", following, function.args[0]), loop, done)
    build = ir.IRBuilder(done)
    total = after[0]
    for s in after[1:]:
        total = build.fadd(total, s)
    build.ret(build.extract_element(total, ir.Constant(ir.IntType(32), 0)))
    return made


def compiled(made: ir.Module) -> tuple[Any, Any]:
    """The function, and the engine that must live as long."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(str(made)), machine)
    engine.finalize_object()
    return ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64)(engine.get_function_address("peak")), engine


def prepare() -> tuple[Step, dict[str, Any]]:
    width, cores = lanes(), len(os.sched_getaffinity(0))
    code = compiled(module(width))  # the step holds the engine too

    def step() -> None:
        threads = [threading.Thread(target=code[0], args=(LOOPS,)) for _ in range(cores)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    flop = 2 * cores * LOOPS * ACCUMULATORS * width
    return step, {"flop": flop, "lanes": width, "versions": {"llvmlite": llvmlite.__version__}}


if __name__ == "__main__":
    serve(prepare)
