"""Parquet and Feather, by pyarrow."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from warmstart.config.data import Data
from warmstart.data.readers import packed, table
from warmstart.data.readers.raw import Raw
from warmstart.errors import InputError


def read_parquet(path: Path, data: Data) -> Raw:
    """The table at `path`, only the columns that are wanted; numbers, booleans, categories, dates
    and text as pandas has them, decimal numbers as float64.

    Raises:
        InputError: with what is wrong with the file, its columns, or `data`.
    """
    return _read(path, data, "Parquet", _parquet)


def read_feather(path: Path, data: Data) -> Raw:
    """As `read_parquet`, of Feather, which is Arrow's format for files."""
    return _read(path, data, "Feather", _feather)


def _read(path: Path, data: Data, kind: str, tables: Callable[[Path, Data], pa.Table]) -> Raw:
    packed.check_size(path.stat().st_size, path)
    pa.set_memory_pool(pa.system_memory_pool())  # whose memory `sources` gives back
    try:
        frame = _frame(tables(path, data), path)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected a whole {kind} file, received a truncated or corrupt one "
            f"({' '.join(str(error).split())}); fetch it again"
        ) from None
    return table.raw(frame, data, path, kind)


def _parquet(path: Path, data: Data) -> pa.Table:
    # else all of the file, as it is packed, would be held beside the table
    with parquet.ParquetFile(
        path, pre_buffer=False, buffer_size=1 << 20, page_checksum_verification=True
    ) as file:
        keep, rows = _wanted(file.schema_arrow, data, path), file.metadata.num_rows
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        packed.check_size(
            # a value that repeats takes nothing in the file, and 8 bytes in an array
            max(rows * len(keep) * 8, sum(group.total_byte_size for group in groups)),
            path,
        )
        # without threads, which hold what they have read ahead
        return file.read(columns=keep, use_threads=False)


def _feather(path: Path, data: Data) -> pa.Table:
    with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as file:
        keep = _wanted(file.schema, data, path)
        batches, size = [], 0
        for number in range(file.num_record_batches):
            batch = file.get_batch(number).select(keep)
            batch.validate(full=True)  # offsets that point elsewhere would end the process
            size += batch.nbytes
            packed.check_size(size, path)
            batches.append(batch)
        schema = pa.schema([file.schema.field(name) for name in keep], file.schema.metadata)
        return pa.Table.from_batches(batches, schema)


def _wanted(schema: pa.Schema, data: Data, path: Path) -> list[str]:
    keep = table.wanted([name for name in schema.names if not _is_index(name)], data, path)
    odd = [f"{name!r} ({schema.field(name).type})" for name in keep if _is_odd(schema.field(name))]
    if odd:
        raise InputError(
            f"{path}: expected a number, text, date or category in each cell, received lists, "
            f"records or bytes in {', '.join(odd)}; name these columns in data.drop, or take them "
            "apart"
        )
    return keep


def _is_index(name: str) -> bool:
    """Whether pandas put the nameless index of a frame there."""
    return name.startswith("__index_level_")


def _is_odd(field: pa.Field) -> bool:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    return pa.types.is_nested(kind) or any(
        test(kind)
        for test in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    )


def _frame(read: pa.Table, path: Path) -> pd.DataFrame:
    for place, field in enumerate(read.schema):
        if pa.types.is_decimal(field.type):
            numbers = read.column(place).cast(pa.float64())
            read = read.set_column(place, field.name, numbers)
    # each column is freed once pandas has it
    frame = read.to_pandas(split_blocks=True, self_destruct=True, use_threads=False)
    if frame.index.names != [None]:
        frame = frame.reset_index()
    frame = frame.reset_index(drop=True)
    frame.columns = frame.columns.map(str)
    return frame
