"""Vectors of 64 bytes as values in numba functions: one batch of samples that is held in registers.

numba's own vectoriser handles only innermost loops, so that a product's partial sums would travel to memory and back
at every term. With vectors as values the sums stay in registers, whatever the vectoriser thinks of the loop.
"""

import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

BYTES = 64  # of one vector: 16 numbers in single precision, 8 in double


class Lanes(types.Type):
    """The numba type of a vector of `count` numbers."""

    def __init__(self, dtype):
        self.dtype, self.count = dtype, BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Lanes({dtype})")


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    """A vector is stored as LLVM's own vector type."""

    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, _vector_type(fe_type))


def _vector_type(lanes):
    return ir.VectorType(ir.FloatType() if lanes.dtype.bitwidth == 32 else ir.DoubleType(), lanes.count)


@intrinsic
def pointer(typing_context, array):
    """Return where a contiguous array's numbers begin, for which numba counts no references: counting is slow."""

    def generate(context, builder, signature, args):
        return context.make_array(array)(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), generate


@intrinsic
def at_address(typing_context, address, like):
    """Return where numbers of the type of `like` begin, given as an integer: a fast way to pass on many tensors."""

    def generate(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(like))

    return like(address, like), generate


@intrinsic
def load(typing_context, data, index):
    """Return the vector that starts at `data[index]`."""
    lanes = Lanes(data.dtype)

    def generate(context, builder, signature, args):
        return builder.load(_at(builder, args, lanes), align=lanes.dtype.bitwidth // 8)

    return lanes(data, types.intp), generate


@intrinsic
def store(typing_context, data, index, vector):
    """Write a vector to `data[index]` and what follows."""

    def generate(context, builder, signature, args):
        builder.store(args[2], _at(builder, args, vector), align=vector.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(data, types.intp, vector), generate


def _at(builder, args, lanes):
    return builder.bitcast(builder.gep(args[0], [args[1]]), _vector_type(lanes).as_pointer())


@intrinsic
def broadcast(typing_context, data, index):
    """Return the vector whose every entry is `data[index]`."""
    lanes = Lanes(data.dtype)

    def generate(context, builder, signature, args):
        return _spread(builder, builder.load(builder.gep(args[0], [args[1]])), lanes)

    return lanes(data, types.intp), generate


@intrinsic
def constant(typing_context, like, value):
    """Return the vector whose every entry is `value`, in the precision of the vector `like`."""

    def generate(context, builder, signature, args):
        return _spread(builder, context.cast(builder, args[1], value, like.dtype), like)

    return like(like, value), generate


def _spread(builder, scalar, lanes):
    vector = _vector_type(lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    pattern = ir.Constant(ir.VectorType(ir.IntType(32), lanes.count), [0] * lanes.count)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), pattern)


@intrinsic
def multiply_add(typing_context, a, b, c):
    """Return a b + c, rounded once."""

    def generate(context, builder, signature, args):
        vector = _vector_type(a)
        name = f"llvm.fma.v{a.count}f{a.dtype.bitwidth}"
        return builder.call(_declared(builder, name, vector, [vector] * 3), args)

    return a(a, b, c), generate


@intrinsic
def total(typing_context, a):
    """Return the sum of the entries, in pairs."""

    def generate(context, builder, signature, args):
        vector, scalar = _vector_type(a), _vector_type(a).element
        function = _declared(
            builder, f"llvm.vector.reduce.fadd.v{a.count}f{a.dtype.bitwidth}", scalar, [scalar, vector]
        )
        return builder.call(function, [ir.Constant(scalar, -0.0), args[0]], fastmath=("reassoc",))

    return a.dtype(a), generate


def _declared(builder, name, result, arguments):
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)


@intrinsic
def where_positive(typing_context, condition, chosen):
    """Return `chosen` where `condition` > 0 or is NaN, and 0 elsewhere: a relu and its slope, as torch has them."""

    def generate(context, builder, signature, args):
        zero = ir.Constant(_vector_type(condition), [0.0] * condition.count)
        return builder.select(builder.fcmp_unordered(">", args[0], zero), args[1], zero)

    return chosen(condition, chosen), generate


@intrinsic
def where_not_negative(typing_context, condition, chosen):
    """Return `chosen` where `condition` >= 0 or is NaN, and 0 elsewhere: a clamp at 0 and its slope, as torch has."""

    def generate(context, builder, signature, args):
        zero = ir.Constant(_vector_type(condition), [0.0] * condition.count)
        return builder.select(builder.fcmp_unordered(">=", args[0], zero), args[1], zero)

    return chosen(condition, chosen), generate


@intrinsic
def limited(typing_context, a, bound):
    """Return `a` brought into +-`bound`, NaN kept."""

    def generate(context, builder, signature, args):
        upper = builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[1], args[0])
        lower = builder.fsub(ir.Constant(_vector_type(a), [-0.0] * a.count), args[1])
        return builder.select(builder.fcmp_ordered("<", upper, lower), lower, upper)

    return a(a, bound), generate


@intrinsic
def rough_reciprocal(typing_context, a):
    """Return 1 / a within 12 %, for positive numbers in single precision, from the bits of their exponents."""

    def generate(context, builder, signature, args):
        integers = ir.VectorType(ir.IntType(32), a.count)
        bits = builder.sub(ir.Constant(integers, [0x7EF311C7] * a.count), builder.bitcast(args[0], integers))
        return builder.bitcast(bits, _vector_type(a))

    return a(a), generate


@intrinsic
def power_of_two(typing_context, a):
    """Return 2^k of `a` = k + 1.5 2^52, for small integers k in double precision, from the bits of k."""

    def generate(context, builder, signature, args):
        integers = ir.VectorType(ir.IntType(64), a.count)
        exponents = builder.shl(builder.bitcast(args[0], integers), ir.Constant(integers, [52] * a.count))
        one = ir.Constant(integers, [0x3FF0000000000000] * a.count)
        return builder.bitcast(builder.add(exponents, one), _vector_type(a))

    return a(a), generate


def _arithmetic(operation, instruction):
    @intrinsic
    def combine(typing_context, a, b):
        def generate(context, builder, signature, args):
            return getattr(builder, instruction)(*args)

        return a(a, b), generate

    @overload(operation)
    def on_lanes(a, b):
        if isinstance(a, Lanes) and isinstance(b, Lanes):
            return lambda a, b: combine(a, b)
        return None


_arithmetic(operator.add, "fadd")
_arithmetic(operator.sub, "fsub")
_arithmetic(operator.mul, "fmul")
_arithmetic(operator.truediv, "fdiv")
