"""Nouns and results on disk: arrays and a table of contents in one .npz, never pickle.

The file holds the arrays and a JSON text, `contents`, with the tree of nouns they belong to, the format's number
and a SHA-256 of everything else. Functions have no place in it: a noun that holds a user's function is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = 2
_READ = (1, FORMAT)  # 1 knew no names of channels on models and results: they come back without
_SCALARS = (bool, int, float, str, type(None))


def save(noun: Any, path: str | os.PathLike) -> Path:
    """Write a noun or result (a model, process, Gaussian, Data, fit, certificate, ...) to a .npz file.

    noun: any of the package's frozen objects, nested as they are. path: `.npz` is added where it has no suffix; a file
    of that name is replaced in one step. Returns the path written.
    Raises TypeError for anything else, and where the noun holds a function of the user's; FileNotFoundError where the folder is absent.
    """
    if not _is_noun(type(noun)):
        swapped = " The order is save(noun, path)." if isinstance(noun, str | os.PathLike) else ""
        raise TypeError(f"save: expected a model, process, data or result of sysid; received {type(noun).__name__}.{swapped}")
    target = Path(path)
    target = target if target.suffix else target.with_suffix(".npz")
    arrays: dict[str, np.ndarray] = {}
    tree = _encode(noun, arrays, type(noun).__name__)
    contents = {"format": FORMAT, "tree": tree}
    contents["sha256"] = _checksum(contents, arrays)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, contents=np.array(json.dumps(contents)), **arrays)  # type: ignore[arg-type]
    if not target.parent.is_dir():
        raise FileNotFoundError(f"save: expected an existing folder; {target.parent} is none.")
    beside = target.with_name(target.name + ".part")
    beside.write_bytes(buffer.getvalue())
    beside.replace(target)
    return target


def load(path: str | os.PathLike) -> Any:
    """Read what `save` wrote, every array bit for bit.

    path: of the .npz file, whose suffix may be left out. Raises ValueError for a file that is not one, was changed after saving, or has a newer format.
    """
    where = f"load({os.fspath(path)!r})"
    path = Path(path)
    path = path.with_suffix(".npz") if not path.suffix and not path.exists() else path
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        contents = json.loads(str(arrays.pop("contents")))
        said = contents.pop("sha256")
        number = contents["format"]
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zipfile.error) as error:
        why = "" if "pickle" in str(error) else f" ({error})"
        raise ValueError(f"{where}: expected a file written by sysid.save; received something else or a damaged one{why}.") from None
    if number not in _READ:
        raise ValueError(f"{where}: expected format {FORMAT} or older; received {number}. Was it written by a newer version?")
    if _checksum(contents, arrays) != said:
        raise ValueError(f"{where}: expected contents that match their checksum; received others. "
                         "The file was changed or damaged after it was saved; fit or save the model again.")
    return _decode(contents["tree"], arrays)


def _is_noun(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) and kind.__module__.split(".")[0] == "sysid"


def _encode(value: Any, arrays: dict[str, np.ndarray], where: str) -> Any:
    """The value as JSON; arrays are put aside under a number."""
    if isinstance(value, np.generic) and not isinstance(value, np.complexfloating):
        value = value.item()
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, np.ndarray | np.complexfloating) and np.asarray(value).dtype.kind in "biufcUM":
        arrays[f"a{len(arrays)}"] = np.asarray(value)
        return {"array": f"a{len(arrays) - 1}"}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [_encode(v, arrays, f"{where}[{i}]") for i, v in enumerate(value)]}
    if isinstance(value, dict):
        return {"dict": [[_encode(k, arrays, where), _encode(v, arrays, f"{where}[{k!r}]")] for k, v in value.items()]}
    if hasattr(value, "indptr") and hasattr(value, "tocsr"):
        parts = [value.data, value.indices, value.indptr, np.array(value.shape)]
        return {"csr": [_encode(part, arrays, where) for part in parts]}
    if _is_noun(type(value)):
        value, kind = getattr(value, "_stored", lambda: value)(), type(value)
        fields = {f.name: _encode(getattr(value, f.name), arrays, f"{where}.{f.name}")
                  for f in dataclasses.fields(value) if f.init}
        return {"noun": [kind.__module__, kind.__qualname__], "fields": fields}
    name, of = getattr(value, "__name__", ""), getattr(value, "__self__", None)
    if isinstance(value, np.ufunc) and getattr(np, name, None) is value:
        return {"ufunc": name}
    if _is_noun(type(of)):
        return {"method": name, "of": _encode(of, arrays, where)}
    raise TypeError(f"save: expected numbers, text and nouns of sysid; received {where} of type {type(value).__name__}. "
                    "Functions are not stored: keep their source, and save the arrays.")


def _decode(node: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(node, _SCALARS):
        return node
    kind, body = next(iter(node.items()))
    if kind == "array":
        found = arrays[body]
        return found if found.ndim else found[()]
    if kind in ("tuple", "list"):
        return {"tuple": tuple, "list": list}[kind](_decode(v, arrays) for v in body)
    if kind == "dict":
        return {_decode(k, arrays): _decode(v, arrays) for k, v in body}
    if kind == "csr":
        from scipy.sparse import csr_array
        data, indices, starts, shape = (_decode(part, arrays) for part in body)
        return csr_array((data, indices, starts), shape=tuple(shape))
    if kind == "ufunc":
        return getattr(np, body)
    if kind == "method":
        return getattr(_decode(node["of"], arrays), body)
    return _noun(*body)(**{name: _decode(v, arrays) for name, v in node["fields"].items()})


def _noun(module: str, name: str) -> type:
    """A dataclass of this package, and nothing else."""
    found: Any = None
    if module.split(".")[0] == "sysid":
        try:
            found = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            found = None
    if not (isinstance(found, type) and _is_noun(found)):
        raise ValueError(f"load: expected nouns of this version of sysid; received {module}.{name}, which it lacks.")
    return found


def _checksum(contents: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(contents, sort_keys=True).encode())
    for key in sorted(arrays):
        array = np.ascontiguousarray(arrays[key])
        digest.update(f"{key} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
