"""A hash of a table's values that does not see how they are stored: chunks, offsets, padding."""

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def fingerprint(table: pa.Table) -> str:
    """SHA-256, in hexadecimal, over names, types and values in row order.

    >>> whole = pa.table({"n": [1, 2, None]})
    >>> fingerprint(whole) == fingerprint(pa.concat_tables([whole[:1], whole[1:]])) != fingerprint(whole[:2])
    True
    """
    digest = hashlib.sha256()
    for field, column in zip(table.schema, table.columns, strict=True):
        digest.update(f"{field.name}\0{field.type}\0{len(column)}\0".encode())
        # One hash a stream, so that a stream is the same whatever the pieces it comes in.
        hashes = [hashlib.sha256() for _ in streams(pa.array([], field.type))]
        for chunk in column.chunks:
            for stream, piece in zip(hashes, streams(chunk), strict=True):
                stream.update(piece)
        for stream in hashes:
            digest.update(stream.digest())
    return digest.hexdigest()


def streams(array: pa.Array) -> Iterator[bytes | memoryview]:
    """An array as streams of bytes that grow as it does: which values are null, their lengths, the values.

    How many there are follows from the type. What stands below a null is left out.
    """
    yield array.is_null().to_numpy(zero_copy_only=False).tobytes()
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        filled = array.fill_null("" if pa.types.is_string(kind) else b"")
        yield pc.binary_length(filled).to_numpy().tobytes()
        yield characters(filled)
    elif pa.types.is_list(kind):
        yield array.value_lengths().fill_null(0).to_numpy().tobytes()
        yield from streams(array.flatten())
    elif pa.types.is_struct(kind):
        for field in array.flatten():
            yield from streams(field)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        yield array.fill_null(0).to_numpy().tobytes()
    elif not pa.types.is_null(kind):
        yield "".join(
            f"{value!r}\n" for value in array.to_pylist()
        ).encode()  # booleans, dates, decimals, maps


def characters(array: pa.Array) -> memoryview | bytes:
    """The UTF-8 or other bytes of all values, one after the other; none of them is null."""
    _, offsets, data = array.buffers()
    if not len(array) or data is None:
        return b""
    begin, end = np.frombuffer(offsets, np.int32)[[array.offset, array.offset + len(array)]]
    return memoryview(data)[begin:end]
