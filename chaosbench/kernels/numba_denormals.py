"""Numbers below the normal range, which processors handle a hundred times slower, are taken as zero inside kernels.

States at rest and vanishing gradients decay through them.
"""

import platform

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_FLUSH = 0x8040  # bits of the control register: results and operands below the normal range are zero


@intrinsic
def flush_denormals(typing_context):
    """Take denormal numbers as zero from now on, on an x86 processor; return the former setting."""

    def generate(context, builder, signature, args):
        before = _control(builder)
        if before is None:
            return context.get_constant(types.int32, 0)
        _set_control(builder, builder.or_(before, ir.Constant(ir.IntType(32), _FLUSH)))
        return before

    return types.int32(), generate


@intrinsic
def restore_denormals(typing_context, setting):
    """Return to a setting that `flush_denormals` returned."""

    def generate(context, builder, signature, args):
        if platform.machine() in _X86:
            _set_control(builder, args[0])
        return context.get_dummy_value()

    return types.void(types.int32), generate


_X86 = frozenset({"x86_64", "AMD64", "i386", "i686"})


def _control(builder):
    if platform.machine() not in _X86:
        return None
    word = cgutils.alloca_once(builder, ir.IntType(32))
    _call(builder, "llvm.x86.sse.stmxcsr", word)
    return builder.load(word)


def _set_control(builder, value):
    word = cgutils.alloca_once(builder, ir.IntType(32))
    builder.store(value, word)
    _call(builder, "llvm.x86.sse.ldmxcsr", word)


def _call(builder, name, word):
    address = ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), [address]), name)
    builder.call(function, [builder.bitcast(word, address)])
